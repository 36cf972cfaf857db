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

// Config is what a Dispatcher is made of. All fields must be set.
type Config struct {
	// Processors is the number of processors of the process.
	Processors int
	// StallTimeout is how long a client on a shared connection may not read. Other connections have the StallPolicy of Listen.
	StallTimeout time.Duration
	// Budget bounds the bytes that wait for slow clients.
	Budget *budget.Bytes
	// EventCache holds the JSON of events that several streams send.
	EventCache *tree.EventCache
	Metrics    Metrics
	Logger     *zap.Logger
	// Ended is called once for each watch, with its duration and its result: nil if the client got what it waited for, a
	// *tree.Error that the response ends with, budget.ErrExhausted if there was no memory for a slow client, or an error
	// that is ErrClientGone, ErrStalled or ErrClosed. It is called by any goroutine and must not block.
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
// A worker writes what a connection takes at once and goes on to the next stream. What remains is written by a goroutine
// of its own, and so is a large event.
type Dispatcher struct {
	Config
	maxWorkers int
	keepAlive  *keepAlive
	closed     chan struct{}

	mu      sync.Mutex
	queue   []*connStream // those in the state queued, the first woken first
	workers int           // running
	open    map[closer]struct{}
}

// closer is a connStream, or the Watcher of a responseStream.
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

// KeepAlive returns the listener by which net/http gets back the connections of complete long polls. An http.Server should
// serve it. If none does, the connections are closed.
func (d *Dispatcher) KeepAlive() net.Listener { return d.keepAlive }

// Serve sends the events of a watch as the body of a response whose header is written and flushed. It is called from the
// request's handler, which must return at once with Serve's error. It takes the connection over if it can, and returns nil
// while the response goes on. Otherwise it returns when the watch has ended; then http.ErrAbortHandler means that the
// handler must panic with it.
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

// Close ends all watches, and those that come later. Their responses break off, so that clients try another member and do
// not take the response for complete. It may be called several times, from any goroutine.
func (d *Dispatcher) Close() {
	for _, s := range d.close() {
		s.Close() // without mu: the streams remove themselves
	}
}

// close marks the dispatcher as closed and returns the open streams.
func (d *Dispatcher) close() []closer {
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

// add registers what Close has to close. It is closed at once if the dispatcher is closed.
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

// enqueue has a worker send the events of s, which is in the state queued.
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

// turn is how many streams a worker takes from the queue at a time.
const turn = 16

// dequeue appends the next streams to buf. If there are none, the worker has to return.
func (d *Dispatcher) dequeue(buf []*connStream) []*connStream {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(len(d.queue), turn)
	buf = append(buf, d.queue[:n]...)
	clear(d.queue[:n])
	if d.queue = d.queue[n:]; n == 0 {
		d.queue = nil
		d.workers--
	}
	return buf
}

// worker is what a goroutine in work needs to write.
type worker struct {
	buf    []byte // for batches
	writer nonblockingWriter
}

// work sends the events of queued streams until there are none. After each turn it yields to other goroutines.
func (d *Dispatcher) work() {
	var w worker
	streams := make([]*connStream, 0, turn)
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
