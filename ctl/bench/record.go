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

// The range of a histogram, in nanoseconds, and the significant digits of a latency. A latency above the range counts as
// longestLatency.
const (
	shortestLatency  = 100
	longestLatency   = int64(10 * time.Minute)
	latencyPrecision = 3
)

const (
	recorderShards   = 8
	cacheLinePadding = 128 // bytes between two shards, so that they don't share a cache line
	maxErrorKinds    = 32  // errors of further kinds count as "other"
	firstBodyLimit   = 512 // bytes of the first body of an error that are kept
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(shortestLatency, longestLatency, latencyPrecision)
}

// A recorder collects the latencies and errors of one run. record and fail may be called from any goroutine; all other methods and
// fields must be used only by the goroutine that runs the load.
type recorder struct {
	classes []string // names of the kinds of operation, such as get and put
	start   time.Time
	shards  [recorderShards]shard

	total  []*hdrhistogram.Histogram // by class: everything that collect has fetched
	second *hdrhistogram.Histogram   // of all classes: what the last collect has fetched

	mu     sync.Mutex
	errors map[string]*errorKind
	failed uint64
}

// A shard has the histograms of some of the clients. collect swaps them for empty ones, so that no client waits while they are added
// up.
type shard struct {
	mu    sync.Mutex
	live  []*hdrhistogram.Histogram // by class
	spare []*hdrhistogram.Histogram // empty, except during collect
	last  time.Time                 // when the latest operation ended
	_     [cacheLinePadding]byte
}

// An errorKind is one way in which operations failed.
type errorKind struct {
	Kind  string `json:"kind"`
	Count uint64 `json:"count"`
	First string `json:"first"` // body or message of the first failure
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
	// The only possible error is a value out of range, and this one is in the range.
	_ = s.live[class].RecordValue(min(max(int64(latency), 0), longestLatency))
	if end.After(s.last) {
		s.last = end
	}
	s.mu.Unlock()
}

// fail counts n failed operations of one kind. first describes them; it is kept for the first failure of each kind.
func (r *recorder) fail(kind string, n uint64, first []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed += n
	e := r.errors[kind]
	if e == nil {
		if len(r.errors) >= maxErrorKinds {
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

// failures returns the number of operations that have failed.
func (r *recorder) failures() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// collect moves what was recorded since the last call to r.second, adds it to r.total, and returns the end of the latest operation.
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

// errorName returns the kind of a transport error.
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
