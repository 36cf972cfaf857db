package audit

import (
	"time"

	"go.uber.org/zap"
)

// logInterval is the shortest time between two lines of the process' log about lost records.
const logInterval = 10 * time.Second

// opLost is the operation in the line that the Log adds after it has lost records.
const opLost = "audit_records_lost"

// batch is the content of the buffer that write takes at a time.
type batch struct {
	lines   []byte
	records int
	lost    uint64 // records that were dropped before the batch was taken
}

// write writes the buffer until the Log is closed and the buffer is empty.
func (l *Log) write() {
	defer close(l.done)
	var (
		b      batch
		torn   bool      // the last write ended within a line
		logged time.Time // when the last line of the process' log was written
	)
	for l.take(&b) {
		if b.lost > 0 {
			lost := Record{Time: time.Now(), Operation: opLost, Outcome: Failed, Omitted: b.lost}
			b.lines = lost.appendLine(b.lines)
		}
		if torn {
			b.lines = append([]byte{'\n'}, b.lines...)
		}
		n, err := l.out.Write(b.lines)
		torn = err != nil && (n > 0 && b.lines[n-1] != '\n' || n == 0 && torn)
		if err == nil {
			l.cfg.Metrics.AuditWritten(b.records)
		} else {
			l.cfg.Metrics.AuditLost(b.records)
			l.countLost(b)
		}
		if now := time.Now(); (err != nil || b.lost > 0) && now.Sub(logged) >= logInterval {
			logged = now
			l.cfg.Logger.Warn("records of the audit log are lost: writing it fails or is too slow",
				zap.String("audit-log", l.cfg.Path), zap.Error(err))
		}
	}
}

// take waits for lines and moves them to b. The memory of the lines that b had before becomes the new buffer. take returns false when
// the Log is closed and has no lines.
func (l *Log) take(b *batch) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.records == 0 && !l.closed {
		l.filled.Wait()
	}
	space := b.lines[:0]
	*b = batch{l.buffer, l.records, l.lost}
	l.buffer, l.records, l.lost = space, 0, 0
	return b.records > 0
}

// countLost counts the records of a batch that could not be written. The next line about lost records includes them.
func (l *Log) countLost(b batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost += uint64(b.records) + b.lost
}
