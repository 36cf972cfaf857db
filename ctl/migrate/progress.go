package migrate

import (
	"sync"
	"time"

	"pando/tree"
)

// Progress is how far the target has followed the source.
type Progress struct {
	Phase       tree.MirrorPhase
	Index       uint64 // of the target
	SourceIndex uint64 // the last one that was seen
	Events      uint64 // applied since the start
	Silent      uint64 // indexes without a change that the source shows
	Unexplained uint64 // those of them for which no refreshed TTL was found
	Expiring    int    // known nodes with a TTL
	// Lag is the time since the source reached the first index that the target does not have yet.
	Lag time.Duration
}

// Behind returns the number of indexes that the target does not have yet.
func (p *Progress) Behind() uint64 { return p.SourceIndex - min(p.Index, p.SourceIndex) }

// progress collects the numbers of a Progress. Any goroutine may call its methods.
type progress struct {
	mu    sync.Mutex
	last  Progress
	marks []mark // in the order of their indexes, all above last.Index
}

// mark is the time at which the source was seen at an index.
type mark struct {
	index uint64
	at    time.Time
}

// maxMarks bounds the number of marks. If there are more, every second one is left out.
const maxMarks = 1024

// sourceIndex notes that the source was seen at an index.
func (p *progress) sourceIndex(index uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if index <= p.last.SourceIndex {
		return
	}
	p.last.SourceIndex = index
	if index <= p.last.Index {
		return
	}
	if len(p.marks) == maxMarks {
		kept := p.marks[:0]
		for i := 0; i < maxMarks; i += 2 {
			kept = append(kept, p.marks[i])
		}
		p.marks = kept
	}
	p.marks = append(p.marks, mark{index, time.Now()})
}

// applied notes that the target has reached an index.
func (p *progress) applied(index uint64, events, silent int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last.Index = index
	p.last.SourceIndex = max(p.last.SourceIndex, index)
	p.last.Events += uint64(events)
	p.last.Silent += uint64(silent)
	reached := 0
	for reached < len(p.marks) && p.marks[reached].index <= index {
		reached++
	}
	p.marks = p.marks[reached:]
}

// update changes other numbers.
func (p *progress) update(change func(*Progress)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.last)
}

// get returns the numbers.
func (p *progress) get() Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.last
	if len(p.marks) > 0 {
		now.Lag = time.Since(p.marks[0].at)
	}
	return now
}
