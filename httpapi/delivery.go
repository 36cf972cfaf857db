package httpapi

import (
	"bytes"
	"runtime"
	"sync"

	"go.uber.org/zap"

	"pando/tree"
)

// delivery sends events to the followers that have news. A few workers do it for
// all: an event for a thousand followers would otherwise make a thousand
// goroutines ready, and the next write, whose event could have left with this one,
// would wait behind them all.
//
// A worker writes what a connection takes at once and goes on to the next. A client
// that reads too slowly gets a goroutine, for as long as it has what was begun
// still to take, and so does a large event.
type delivery struct {
	most int // workers

	mu      sync.Mutex
	ready   []*follower // in the order in which their news came
	workers int         // at work
}

// newDelivery has workers for half of the processors. Requests go on beside them;
// and where two would take turns on two processors, one finds more events to send
// together: twice as many a second, for half the processor time.
func newDelivery(processors int) *delivery { return &delivery{most: max(1, processors/2)} }

// add has a worker look at f.
func (d *delivery) add(f *follower) {
	d.mu.Lock()
	d.ready = append(d.ready, f)
	start := d.workers < d.most
	if start {
		d.workers++
	}
	d.mu.Unlock()
	if start {
		go d.work()
	}
}

// share is how many followers a worker takes at a time.
const share = 16

// take moves the next followers to buf. Without any the worker has to end.
func (d *delivery) take(buf []*follower) []*follower {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(len(d.ready), share)
	buf = append(buf, d.ready[:n]...)
	clear(d.ready[:n])
	if d.ready = d.ready[n:]; n == 0 {
		d.ready = nil
		d.workers--
	}
	return buf
}

// work serves followers until none has news. After each share it lets others run.
func (d *delivery) work() {
	var s sender
	buf := make([]*follower, 0, share)
	for {
		buf = d.take(buf[:0])
		if len(buf) == 0 {
			return
		}
		for _, f := range buf {
			s.serve(f)
		}
		runtime.Gosched()
	}
}

// sender writes for a worker.
type sender struct {
	out     []byte // room for what is sent
	attempt attempt
}

// serve sends f what is there for it.
func (s *sender) serve(f *follower) {
	f.state.Store(working)
	var large *tree.Event
	var p progress
	s.out, large, p = f.gather(s.out[:0])
	n, err := s.attempt.write(f.conn, s.out)
	switch rest := s.out[n:]; {
	case err != nil || len(rest) == 0 && large == nil:
		f.proceed(p, err)
	default:
		room, ok := f.server.budget.try(int64(len(rest)))
		if !ok {
			f.server.refuseRest(f, len(rest))
			f.proceed(p, errNoRoom)
			return
		}
		go f.sendSlowly(bytes.Clone(rest), room, large, p)
	}
	if cap(s.out) > 2*maxPooled {
		s.out = nil
	}
}

// refuseRest tells of a client that is cut off because others hold all the room.
func (s *Server) refuseRest(f *follower, left int) {
	s.Metrics.Overloaded()
	s.Logger.Warn("a client that reads too slowly was cut off: there is no room for its events (--max-inflight-bytes)",
		zap.Stringer("client", f.conn.RemoteAddr()), zap.Int("unsent-bytes", left))
}
