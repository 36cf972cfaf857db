package bench

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// opensAtOnce is how many watches are opened at the same time. More could overrun the accept queue of the server.
	opensAtOnce = 128
	// eventTimeout is how long a watch load waits for the next event. After that it counts the missing events as lost.
	eventTimeout = 3 * time.Second
)

// Classes of a watch load.
const (
	eventClass = iota
	writeClass
)

// A watchLoad is a scenario: some clients write to keys that many watchers watch.
type watchLoad struct {
	o           *options
	space       keySpace // the watched keys
	watchers    int
	mode        watchMode
	window      int // writes whose events the watchers may still have to receive; 0: no limit
	valSize     int
	lossTimeout time.Duration // if no event arrives for this time, the missing events count as lost
	setting     map[string]string
}

func (l *watchLoad) prepare(context.Context, *target) error { return nil }

func (l *watchLoad) run(ctx context.Context, t *target) (*result, error) {
	f := newFanout(l)
	f.done = ctx.Done()
	defer f.close()
	if err := f.open(ctx, t, l.watchers, l.mode); err != nil {
		return nil, err
	}
	r := &result{Workload: "watch", Target: t.String(), Setting: l.setting, Unit: "events"}
	if l.o.clients == 0 {
		hold(ctx, l.o.duration)
		r.fillFrom(f.rec.Load(), l.o.duration, eventClass)
		r.Interrupted = ctx.Err() != nil
		return r, nil
	}
	links, err := dialAll(ctx, t, min(l.o.conns, l.o.clients), l.o.timeout)
	if err != nil {
		return nil, err
	}
	defer closeAll(links)
	workers := newWorkers(f, links, l.o.clients)
	if l.o.warmup > 0 {
		drive(ctx, phase{duration: l.o.warmup, rate: l.o.rate}, workers, f.rec.Load(), observer{})
		f.drain()
	}
	rec := newRecorder(f.classes())
	f.rec.Store(rec)
	cpu := processCPU()
	drive(ctx, l.o.phase, workers, rec, l.o.observer("watch "+t.String()))
	f.drain()
	r.GeneratorCPU = coresSince(cpu, rec.start)
	r.fillFrom(rec, rec.collect().Sub(rec.start), eventClass)
	r.Interrupted = ctx.Err() != nil
	return r, nil
}

// A fanout is one run of a watch load: its watchers, and the number of events that they still have to receive. It is also the
// workload of the writers.
type fanout struct {
	space       keySpace
	value       string
	window      int64 // see await; events that may be missing when a write begins; 0: no limit
	epoch       time.Time
	lossTimeout time.Duration
	done        <-chan struct{} // closed when the run is interrupted
	rec         atomic.Pointer[recorder]
	watchers    []*watcher
	running     sync.WaitGroup
	refused     atomic.Bool // a watch could not be opened
	stopped     atomic.Bool

	delivered atomic.Int64
	wakeAt    atomic.Int64 // number of deliveries at which await wakes up
	wake      chan struct{}

	gate sync.Mutex   // guards lost; a writer holds it while it waits for the window
	lost int64        // events that count as lost
	due  atomic.Int64 // events of all writes: received, missing and lost ones
}

func newFanout(l *watchLoad) *fanout {
	perWrite := (int64(l.watchers) + int64(l.space.count) - 1) / int64(l.space.count)
	f := &fanout{
		space: l.space, value: newValue(max(l.valSize-stampDigits, 0)), window: int64(l.window) * perWrite,
		epoch: time.Now(), lossTimeout: l.lossTimeout, wake: make(chan struct{}, 1),
	}
	f.wakeAt.Store(math.MaxInt64)
	f.rec.Store(newRecorder(f.classes()))
	return f
}

func (f *fanout) classes() []string { return []string{"event", "put"} }

func (f *fanout) prepare(context.Context, *options, *target) error { return nil }

// open starts n watchers on t, spread over the keys. It returns when the server has accepted them all, or refused one.
func (f *fanout) open(ctx context.Context, t *target, n int, mode watchMode) error {
	opening := make(chan struct{}, opensAtOnce)
	results := make(chan error, n)
	for i := range n {
		ep := t.endpoint(i)
		w := &watcher{
			number: i, mode: mode, load: f, conn: newConn(ep, 0, watchBuffer),
			uri: "/v2/keys" + f.space.path(uint64(i)%f.space.count),
		}
		select {
		case opening <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("opening %d watches: %w", n, ctx.Err())
		}
		if f.refused.Load() {
			break
		}
		f.watchers = append(f.watchers, w)
		f.running.Go(func() {
			w.run(func(err error) {
				f.refused.CompareAndSwap(false, err != nil)
				results <- err
				<-opening
			})
		})
	}
	for range f.watchers {
		select {
		case err := <-results:
			if err != nil {
				return fmt.Errorf("%w: a watch on %s: %w", errTarget, t, err)
			}
		case <-ctx.Done():
			return fmt.Errorf("opening %d watches: %w", n, ctx.Err())
		}
	}
	return nil
}

// deliver counts an event of watcher n.
func (f *fanout) deliver(n int, latency time.Duration, now time.Time) {
	f.rec.Load().record(n, eventClass, latency, now)
	if f.delivered.Add(1) >= f.wakeAt.Load() {
		select {
		case f.wake <- struct{}{}:
		default: // a wake-up is pending already
		}
	}
}

// await waits until at most open events are missing: their write was sent, and their watcher has not received them. If no event
// arrives for lossTimeout, the missing events count as lost. Callers must hold gate.
func (f *fanout) await(open int64) {
	timer := time.NewTimer(f.lossTimeout)
	defer timer.Stop()
	defer f.wakeAt.Store(math.MaxInt64)
	seen := f.delivered.Load()
	for {
		enough := f.due.Load() - f.lost - open
		f.wakeAt.Store(enough)
		if f.delivered.Load() >= enough {
			return
		}
		select {
		case <-f.wake:
		case <-f.done:
			return
		case <-timer.C:
			now := f.delivered.Load()
			if now == seen {
				missing := f.due.Load() - f.lost - now
				f.lost += missing
				f.rec.Load().fail("watch: event not delivered", uint64(missing), nil)
				return
			}
			seen = now
			timer.Reset(f.lossTimeout)
		}
	}
}

// drain waits for the missing events.
func (f *fanout) drain() {
	f.gate.Lock()
	defer f.gate.Unlock()
	f.await(0)
}

// hold returns after d or when ctx ends. The watches stay open meanwhile, without writes.
func hold(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}

// close ends all watchers.
func (f *fanout) close() {
	f.stopped.Store(true)
	for _, w := range f.watchers {
		w.conn.interrupt()
	}
	f.running.Wait()
}

// newClient returns a writer.
func (f *fanout) newClient(ep *endpoint, _ int) loadClient {
	body := "value=" + padded(0, stampDigits) + f.value
	request := newKeyRequest(ep, f.space, "PUT", "", body)
	end := len(request.buf) - len(f.value)
	return &watchWriter{load: f, request: request, stamp: request.buf[end-stampDigits : end]}
}

// A watchWriter writes to the watched keys in turn. It waits while more events are missing than the window allows.
type watchWriter struct {
	load    *fanout
	request *keyRequest
	stamp   []byte // inside request: the time of sending
}

func (w *watchWriter) do(c *conn, op uint64) outcome {
	f := w.load
	key := op % f.space.count
	events := f.watchersOf(key)
	f.gate.Lock()
	if f.window > 0 {
		f.await(f.window - events)
	}
	f.due.Add(events)
	f.gate.Unlock()
	now := time.Now()
	putDigits(w.stamp, uint64(now.Sub(f.epoch)))
	resp, err := c.roundTrip(w.request.at(key))
	out := outcome{
		class: writeClass, from: now,
		ok: resp.status == 200 || resp.status == 201, status: resp.status, body: resp.body, err: err,
	}
	if !out.ok {
		f.due.Add(-events)
	}
	return out
}

// watchersOf returns the number of watchers of a key.
func (f *fanout) watchersOf(key uint64) int64 {
	n, count := uint64(len(f.watchers)), f.space.count
	each := n / count
	if key < n%count {
		each++
	}
	return int64(each)
}

func parseWatchMode(s string) (watchMode, error) {
	switch m := watchMode(s); m {
	case streamWatch, pollWatch:
		return m, nil
	}
	return "", fmt.Errorf("%w: --mode %q: it is stream or poll", errUsage, s)
}
