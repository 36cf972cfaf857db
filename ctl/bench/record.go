package bench

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range of latencies that are told apart, in nanoseconds, and the digits kept of each. What takes longer counts as
// the longest.
const (
	shortestLatency  = 100
	longestLatency   = int64(10 * time.Minute)
	latencyPrecision = 3
)

const (
	recorderShards    = 8
	cacheLinesApart   = 128 // bytes between two shards, so that two cores don't share a line
	maxErrorKindsKept = 32  // what comes after is counted as "other"
	firstBodyLimit    = 512 // bytes kept of the first body of an error
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(shortestLatency, longestLatency, latencyPrecision)
}

// A recorder collects the latencies and errors of one run. record and fail may be called from any goroutine; the rest
// belongs to the one that runs the load.
type recorder struct {
	classes []string // names of the kinds of operation, such as get and put
	start   time.Time
	shards  [recorderShards]shard

	total  []*hdrhistogram.Histogram // by class: all that collect has fetched
	second *hdrhistogram.Histogram   // all classes: what the last collect fetched

	mu     sync.Mutex
	errors map[string]*errorKind
	failed uint64
}

// A shard is what some of the clients record into. Its histograms are swapped, not read, by collect: no client waits
// while they are added up.
type shard struct {
	mu    sync.Mutex
	live  []*hdrhistogram.Histogram // by class
	spare []*hdrhistogram.Histogram // empty between two collects
	last  time.Time                 // when the latest operation ended
	_     [cacheLinesApart]byte
}

// An errorKind is one way in which operations failed.
type errorKind struct {
	Kind  string `json:"kind"`
	Count uint64 `json:"count"`
	First string `json:"first"` // body or message of the first of them
}

func newRecorder(classes []string) *recorder {
	r := &recorder{classes: classes, errors: map[string]*errorKind{}, second: newHistogram(), total: newHistograms(len(classes))}
	for i := range r.shards {
		r.shards[i].live = newHistograms(len(classes))
		r.shards[i].spare = newHistograms(len(classes))
	}
	return r
}

func newHistograms(n int) []*hdrhistogram.Histogram {
	all := make([]*hdrhistogram.Histogram, n)
	for i := range all {
		all[i] = newHistogram()
	}
	return all
}

// record counts one successful operation of client n that ended at end.
func (r *recorder) record(n, class int, latency time.Duration, end time.Time) {
	s := &r.shards[n%recorderShards]
	s.mu.Lock()
	// A value out of range is the only possible error, and it is cut to the range.
	_ = s.live[class].RecordValue(min(max(int64(latency), 0), longestLatency))
	if end.After(s.last) {
		s.last = end
	}
	s.mu.Unlock()
}

// fail counts n failed operations of one kind. first tells about them; of the first failure of a kind it is kept.
func (r *recorder) fail(kind string, n uint64, first []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed += n
	e := r.errors[kind]
	if e == nil {
		if len(r.errors) >= maxErrorKindsKept {
			kind = "other"
		}
		if e = r.errors[kind]; e == nil {
			text := strings.TrimSpace(string(first[:min(len(first), firstBodyLimit)]))
			e = &errorKind{Kind: kind, First: text}
			r.errors[kind] = e
		}
	}
	e.Count += n
}

// failures returns how many operations have failed.
func (r *recorder) failures() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// collect adds what was recorded since the last call to the total, leaves it in r.second too, and returns the end of
// the latest operation.
func (r *recorder) collect() time.Time {
	last := r.start
	r.second.Reset()
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		s.live, s.spare = s.spare, s.live
		if s.last.After(last) {
			last = s.last
		}
		s.mu.Unlock()
		for class, h := range s.spare {
			if h.TotalCount() == 0 {
				continue
			}
			r.total[class].Merge(h)
			r.second.Merge(h)
			h.Reset()
		}
	}
	return last
}

// errorName sorts a transport error into one of a few kinds.
func errorName(err error) string {
	var netErr net.Error
	switch {
	case errors.Is(err, errResponse):
		return "bad response"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed by the server"
	case errors.As(err, &netErr) && netErr.Timeout():
		return "timeout"
	}
	return "other"
}
