package stream

import (
	"sync/atomic"
	"time"
)

// timers has the timers of a stream whose client asked for heartbeats or for an end. A timer sets a signal and wakes the stream. The
// goroutine that collects the next batch handles the signal.
type timers struct {
	heartbeat, end *time.Timer // nil if not asked for
	signals        atomic.Uint32
}

// The signals of timers.
const (
	heartbeatDue = 1 << iota
	timeIsOver
)

// startTimers starts the timers that the watch asks for. wake must make a goroutine collect the next batch, if none does.
func (s *Stream) startTimers(wake func()) {
	if s.Heartbeat == 0 && s.Timeout == 0 {
		return
	}
	t := &timers{}
	after := func(d time.Duration, signal uint32) *time.Timer {
		return time.AfterFunc(d, func() {
			t.signals.Or(signal)
			wake()
		})
	}
	if s.Heartbeat > 0 {
		t.heartbeat = after(s.Heartbeat, heartbeatDue)
	}
	if s.Timeout > 0 {
		t.end = after(s.Timeout-time.Since(s.Start), timeIsOver)
	}
	s.timers = t
}

// stopTimers releases the timers when the watch has ended.
func (s *Stream) stopTimers() {
	if s.timers == nil {
		return
	}
	for _, t := range []*time.Timer{s.timers.heartbeat, s.timers.end} {
		if t != nil {
			t.Stop()
		}
	}
}

// isOver reports whether the time that the client wants to wait is over.
func (s *Stream) isOver() bool { return s.timers != nil && s.timers.signals.Load()&timeIsOver != 0 }

// appendHeartbeat appends a heartbeat if one is due and nothing else was sent since the last one. announced is that of newID.
func (s *Stream) appendHeartbeat(out []byte, announced uint64) []byte {
	if s.timers == nil || s.timers.heartbeat == nil {
		return out
	}
	due := s.timers.signals.And(^uint32(heartbeatDue))&heartbeatDue != 0
	if due && len(out) == 0 {
		out = s.appendText(out, s.Layout.appendHeartbeat(nil, s.newID(announced)))
	}
	if len(out) > 0 {
		s.timers.heartbeat.Reset(s.Heartbeat)
	}
	return out
}

// appendEnd appends the end of a body whose time is over. The client of ServerSentEvents first gets the ID after which it continues.
func (s *Stream) appendEnd(out []byte, announced uint64) []byte {
	if id := s.newID(announced); id != 0 {
		out = s.appendText(out, s.Layout.appendHeartbeat(nil, id))
	}
	return s.framing.Close(out)
}

// newID returns the ID after which a client of ServerSentEvents continues, if it is larger than the last ID that was sent, and otherwise 0.
// The last Poll must have returned no event. announced is what Config.Announced returned before this Poll.
func (s *Stream) newID(announced uint64) uint64 {
	if s.Layout != ServerSentEvents || announced <= s.lastID {
		return 0
	}
	s.lastID = announced
	return announced
}
