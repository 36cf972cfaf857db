package bench

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// interruptGrace is how long requests in flight may take after CTRL+C.
	interruptGrace = time.Second
	// A client whose connection fails waits before it dials again, twice as long each time up to longestDelay. It gives up after
	// longestOutage.
	firstBackoff  = 10 * time.Millisecond
	longestOutage = 30 * time.Second
	longestDelay  = 500 * time.Millisecond
)

// A workload is one kind of request and answer load.
type workload interface {
	// classes names the kinds of operation. Each has a histogram of its own.
	classes() []string
	// prepare writes the keys that the load reads.
	prepare(ctx context.Context, o *options, t *target) error
	// newClient makes client n, which sends its requests to ep.
	newClient(ep *endpoint, n int) loadClient
}

// A loadClient makes the operations of one worker. Only that worker may use it.
type loadClient interface {
	// do makes operation op and waits for its answer.
	do(c *conn, op uint64) outcome
}

// An outcome is the result of one operation. body is valid until the next request on the connection.
type outcome struct {
	class  int
	from   time.Time // the beginning of its latency, if the client first waited for something other than the server; otherwise zero
	ok     bool
	status int // 0 when err is set
	body   []byte
	err    error
}

// A worker is one client of a load with the connection it uses.
type worker struct {
	number int
	client loadClient
	link   *link
}

// A link is a connection that several clients share. If each has only one client, no client waits for it.
type link struct {
	mu sync.Mutex
	*conn
}

// dialAll opens n connections to t, spread over its endpoints.
func dialAll(ctx context.Context, t *target, n int, timeout time.Duration) ([]*link, error) {
	links := make([]*link, n)
	errs := make(chan error, n)
	for i := range links {
		links[i] = &link{conn: newConn(t.endpoint(i), timeout, requestBuffer)}
	}
	var dialing sync.WaitGroup
	for _, l := range links {
		dialing.Go(func() {
			if err := l.connect(ctx); err != nil {
				errs <- fmt.Errorf("%w: %s does not take connections; is it running? %w", errTarget, l.endpoint.url, err)
			}
		})
	}
	dialing.Wait()
	select {
	case err := <-errs:
		closeAll(links)
		return nil, err
	default:
		return links, nil
	}
}

func closeAll(links []*link) {
	for _, l := range links {
		l.close()
	}
}

// newWorkers returns workers for a number of clients, spread over the links.
func newWorkers(w workload, links []*link, clients int) []worker {
	workers := make([]worker, clients)
	for i := range workers {
		l := links[i%len(links)]
		workers[i] = worker{number: i, client: w.newClient(l.endpoint, i), link: l}
	}
	return workers
}

// drive runs one phase of load and returns the time until its last answer. When ctx ends, requests in flight have interruptGrace
// to end.
func drive(ctx context.Context, ph phase, workers []worker, rec *recorder, watch observer) time.Duration {
	p := newPacer(ctx, ph)
	rec.start = p.start
	finished := make(chan struct{})
	go p.endWith(ctx, finished, workers)
	stopWatching := watch.begin(p, rec)
	var running sync.WaitGroup
	for i := range workers {
		running.Go(func() { workers[i].run(p, rec) })
	}
	running.Wait()
	close(finished)
	stopWatching()
	return rec.collect().Sub(p.start)
}

// endWith stops the phase when ctx ends, and interrupts the requests that are in flight after interruptGrace.
func (p *pacer) endWith(ctx context.Context, finished <-chan struct{}, workers []worker) {
	select {
	case <-finished:
		return
	case <-ctx.Done():
		p.stop()
	}
	grace := time.NewTimer(interruptGrace)
	defer grace.Stop()
	select {
	case <-finished:
	case <-grace.C:
		for i := range workers {
			workers[i].link.interrupt()
		}
	}
}

// run makes operations until the phase ends.
func (w *worker) run(p *pacer, rec *recorder) {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	var outage outage
	for {
		op, from, ok := p.next(timer)
		if !ok {
			return
		}
		w.link.mu.Lock()
		out := w.client.do(w.link.conn, op)
		w.link.mu.Unlock()
		end := time.Now()
		if !out.from.IsZero() {
			from = out.from
		}
		switch {
		case out.ok:
			rec.record(w.number, out.class, end.Sub(from), end)
			outage.end()
		case out.err == nil:
			rec.fail(refusalName(out.status), 1, out.body)
			outage.end()
		case p.stopped.Load():
			return // interrupted by the user, not by the server
		default:
			rec.fail(errorName(out.err), 1, []byte(out.err.Error()))
			if !outage.wait(p) {
				return
			}
		}
	}
}

// refusalName returns the name of an HTTP status in the table of errors.
func refusalName(status int) string {
	name := "HTTP " + strconv.Itoa(status)
	if status == http.StatusUnauthorized {
		name += " (credentials are missing, wrong or insufficient: see --username)"
	}
	return name
}

// An outage is a series of connection failures of one worker.
type outage struct {
	since time.Time
	delay time.Duration
}

func (o *outage) end() {
	if o.delay != 0 {
		*o = outage{}
	}
}

// wait waits before the next attempt. It returns false if the worker must give up.
func (o *outage) wait(p *pacer) bool {
	if o.delay == 0 {
		*o = outage{since: time.Now(), delay: firstBackoff}
	}
	if time.Since(o.since) > longestOutage {
		return false
	}
	delay := o.delay
	o.delay = min(2*delay, longestDelay)
	return p.pause(delay)
}
