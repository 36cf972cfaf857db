package transport

import (
	"sync"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// Bounds of what is encoded and written at a time: Send must stay short, and so
// must the room for it.
const (
	maxFrames     = 64
	maxFrameBytes = 1 << 20
)

// outbox holds the messages that wait for one peer, and knows the stream by
// which they leave.
type outbox struct {
	to   members.ID
	most int // bytes that may wait
	sent func(m *raftpb.Message, bytes int)
	lost func()        // a message was dropped
	wake chan struct{} // there is something for the stream's goroutine

	mu      sync.Mutex
	waiting []*raftpb.Message
	bytes   int
	stream  *stream // nil while none is up
}

func newOutbox(to members.ID, most int, sent func(*raftpb.Message, int), lost func()) *outbox {
	return &outbox{to: to, most: most, sent: sent, lost: lost, wake: make(chan struct{}, 1)}
}

// add takes those of the messages that are for the peer. They leave at once, if
// the stream is up and idle; else they wait, or are dropped when the peer is too
// far behind.
func (o *outbox) add(messages []*raftpb.Message) {
	if !o.pass(messages) {
		o.lost()
	}
}

// pass reports whether all messages for the peer found room. It unlocks whatever
// happens: the raft loop ends in good order when a turn of it panics.
func (o *outbox) pass(messages []*raftpb.Message) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	fit := o.queue(messages)
	if len(o.waiting) > 0 && o.stream != nil {
		o.stream.writeNow()
	}
	return fit
}

// queue reports whether all messages for the peer found room.
func (o *outbox) queue(messages []*raftpb.Message) bool {
	fit := true
	for _, m := range messages {
		if members.ID(m.GetTo()) != o.to || m.GetType() == raftpb.MsgSnap {
			continue
		}
		size := MessageSize(m)
		if len(o.waiting) > 0 && o.bytes+size > o.most {
			fit = false
			continue
		}
		o.waiting = append(o.waiting, m)
		o.bytes += size
	}
	return fit
}

// What a message and an entry take up in memory beside the data.
const (
	messageOverhead = 512
	entryOverhead   = 128
)

// MessageSize is about what a message takes up in memory. Its encoding is shorter.
func MessageSize(m *raftpb.Message) int {
	size := messageOverhead
	for _, e := range m.GetEntries() {
		size += len(e.GetData()) + entryOverhead
	}
	return size
}

// take moves to an empty slice as much of what waits as is encoded at a time.
func (o *outbox) take(taken []*raftpb.Message) []*raftpb.Message {
	bytes := 0
	for _, m := range o.waiting[:min(len(o.waiting), maxFrames)] {
		size := MessageSize(m)
		if len(taken) > 0 && bytes+size > maxFrameBytes {
			break
		}
		taken = append(taken, m)
		bytes += size
	}
	o.bytes -= bytes
	rest := copy(o.waiting, o.waiting[len(taken):])
	clear(o.waiting[rest:])
	o.waiting = o.waiting[:rest]
	return taken
}

// few reports whether all that waits may be written at once.
func (o *outbox) few() bool { return len(o.waiting) <= maxFrames && o.bytes <= maxFrameBytes }

// drop forgets the stream and what waits, when the stream breaks: the peer would
// take it for news later, and raft has to find out anyway what got lost.
func (o *outbox) drop() {
	o.mu.Lock()
	had := len(o.waiting) > 0 || o.stream != nil && len(o.stream.rest) > 0
	o.waiting, o.bytes, o.stream = nil, 0, nil
	o.mu.Unlock()
	if had {
		o.lost()
	}
}

// rouse has the stream's goroutine look what there is to do.
func (o *outbox) rouse() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}
