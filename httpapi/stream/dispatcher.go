package stream

import (
	"errors"
	"maps"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"pando/httpapi/budget"
	"pando/tree"
)

// Config contains the parameters of a Dispatcher. All fields must be set.
type Config struct {
	// Processors is the number of processors of the process.
	Processors int
	// StallTimeout bounds how long a client on a shared connection (HTTP/2) may read nothing. Other connections have the
	// StallPolicy of Listen.
	StallTimeout time.Duration
	// Budget bounds the bytes that wait for slow clients.
	Budget *budget.Bytes
	// EventCache holds the JSON of events that several streams send.
	EventCache *tree.EventCache
	// Announced returns an index up to which a Watcher has no more events if its Poll returns nil afterwards; see tree.Store.Announced.
	Announced func() uint64
	Metrics   Metrics
	Logger    *zap.Logger
	// Ended is called once for each watch, with its duration and its result: nil if the client got its event, a *tree.Error
	// with which the response ended, budget.ErrExhausted if there was no memory for a slow client, or an error that wraps
	// ErrClientGone, ErrStalled or ErrClosed. Any goroutine may call it, and it must not block.
	Ended func(took time.Duration, err error)
}

// Metrics counts clients that are cut off. It is called from any goroutine.
type Metrics interface {
	StallMetrics
	// Overloaded counts a client for which there was no memory.
	Overloaded()
}

// Dispatcher sends events to streams. A few workers send to all of them: a goroutine for each stream would make a thousand
// goroutines runnable when an event concerns a thousand streams, and the next write would have to wait for all of them.
//
// A worker writes what a connection takes at once and goes on to the next stream. Another goroutine writes the rest, and large
// events.
type Dispatcher struct {
	Config
	maxWorkers int
	keepAlive  *keepAlive
	closed     chan struct{}

	mu      sync.Mutex
	queue   []*connStream // the streams in the state queued, oldest first
	workers int           // running
	open    map[closer]struct{}
}

// closer ends a watch. It is a connStream, or the Watcher of a responseStream.
type closer interface{ Close() }

// New makes a Dispatcher. It has workers for half of the processors, which leaves the others to requests. On two processors
// one worker sends twice as many events a second as two do, for half of the processor time: more events come together in a
// batch.
func New(cfg Config) *Dispatcher {
	return &Dispatcher{
		Config: cfg, maxWorkers: max(1, cfg.Processors/2), keepAlive: newKeepAlive(), closed: make(chan struct{}),
		open: map[closer]struct{}{},
	}
}

// KeepAlive returns the listener through which connections of complete long polls go back to net/http. An http.Server should serve
// it. If none does, the Dispatcher closes the connections.
func (d *Dispatcher) KeepAlive() net.Listener { return d.keepAlive }

// Serve sends the events of a watch as the body of a response. The handler of the request must have written and flushed the header,
// and must return immediately after Serve. Serve takes the connection over if it can, and returns nil while the response goes on.
// Otherwise it returns when the watch has ended. If it returns http.ErrAbortHandler, the response is incomplete and the handler must
// panic with the error.
func (d *Dispatcher) Serve(w http.ResponseWriter, r *http.Request, watch Watch) error {
	if watch.First != nil && watch.Mode == LongPoll {
		return d.serveResponse(w, r, watch) // at once, so net/http may keep the connection
	}
	s, err := d.takeOver(w, r, watch)
	switch {
	case errors.Is(err, http.ErrNotSupported):
		return d.serveResponse(w, r, watch)
	case err != nil:
		watch.Watcher.Close()
		d.Ended(time.Since(watch.Start), errors.Join(ErrClientGone, err))
		return nil
	}
	s.start()
	return nil
}

// Close ends all watches; later ones end at once. It breaks off their responses, so that clients try another member and do not take
// the responses for complete. It may be called several times, from any goroutine.
func (d *Dispatcher) Close() {
	for _, s := range d.markClosed() {
		s.Close() // without mu: the streams remove themselves
	}
}

// markClosed marks the dispatcher as closed and returns the open streams.
func (d *Dispatcher) markClosed() []closer {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.isClosed() {
		close(d.closed)
	}
	return slices.Collect(maps.Keys(d.open))
}

func (d *Dispatcher) isClosed() bool {
	select {
	case <-d.closed:
		return true
	default:
		return false
	}
}

// add registers s for Close. If the dispatcher is closed, add closes s at once.
func (d *Dispatcher) add(s closer) {
	d.mu.Lock()
	closed := d.isClosed()
	if !closed {
		d.open[s] = struct{}{}
	}
	d.mu.Unlock()
	if closed {
		s.Close()
	}
}

func (d *Dispatcher) remove(s closer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, s)
}

// enqueue puts s into the queue of the workers, and starts another worker if there are fewer than maxWorkers. s must be in the
// state queued.
func (d *Dispatcher) enqueue(s *connStream) {
	d.mu.Lock()
	d.queue = append(d.queue, s)
	start := d.workers < d.maxWorkers
	if start {
		d.workers++
	}
	d.mu.Unlock()
	if start {
		go d.work()
	}
}

// maxDequeued is the largest number of streams that a worker takes from the queue at a time.
const maxDequeued = 16

// dequeue appends the next streams to buf. If there are none, it counts the worker as ended, and the worker must return.
func (d *Dispatcher) dequeue(buf []*connStream) []*connStream {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(len(d.queue), maxDequeued)
	buf = append(buf, d.queue[:n]...)
	clear(d.queue[:n])
	if d.queue = d.queue[n:]; n == 0 {
		d.queue = nil
		d.workers--
	}
	return buf
}

// worker contains the buffers of a goroutine that runs work.
type worker struct {
	buf    []byte // for batches
	writer nonblockingWriter
}

// work sends the events of queued streams until the queue is empty. After each maxDequeued streams it yields to other goroutines.
func (d *Dispatcher) work() {
	var w worker
	streams := make([]*connStream, 0, maxDequeued)
	for {
		streams = d.dequeue(streams[:0])
		if len(streams) == 0 {
			return
		}
		for _, s := range streams {
			s.send(&w)
			if cap(w.buf) > 2*maxBatch {
				w.buf = nil
			}
		}
		runtime.Gosched()
	}
}

// reportOverload counts and logs a slow client that is cut off because there is no memory for its events.
func (d *Dispatcher) reportOverload(client string, unsent int) {
	d.Metrics.Overloaded()
	d.Logger.Warn("a client that reads too slowly was cut off: there is no memory left for its events (--max-inflight-bytes)",
		zap.String("client", client), zap.Int("unsent-bytes", unsent))
}
