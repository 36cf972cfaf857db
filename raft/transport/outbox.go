package transport

import (
	"encoding/binary"
	"io"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"go.etcd.io/raft/v3/raftpb"
)

// Bounds of what waits for one peer.
const (
	maxWaiting      = 4096
	maxWaitingBytes = 64 << 20
)

// keepAlive is how often an idle stream says that it lives, by an empty frame.
const keepAlive = time.Second

// outbox holds the messages for one peer. It is the body of the stream's
// request: the HTTP client reads from it, so a message passes no goroutine in
// between, and what waits together leaves together.
type outbox struct {
	sent func(m *raftpb.Message, bytes int)
	lost func() // a message was dropped

	mu      sync.Mutex
	waiting []*raftpb.Message
	bytes   int
	closed  bool
	wake    chan struct{}
}

func newOutbox(sent func(*raftpb.Message, int), lost func()) *outbox {
	return &outbox{sent: sent, lost: lost, wake: make(chan struct{}, 1)}
}

// add queues a message, or drops it when the peer is too far behind.
func (o *outbox) add(m *raftpb.Message) {
	size := messageSize(m)
	o.mu.Lock()
	fits := !o.closed && len(o.waiting) < maxWaiting && o.bytes+size <= maxWaitingBytes
	if fits {
		o.waiting = append(o.waiting, m)
		o.bytes += size
	}
	o.mu.Unlock()
	if !fits {
		o.lost()
		return
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// messageSize is about what a message weighs: its entries.
func messageSize(m *raftpb.Message) int {
	size := 64
	for _, e := range m.GetEntries() {
		size += len(e.GetData()) + 32
	}
	return size
}

// drop forgets what waits, when a stream breaks: the peer would take it for
// news later, and raft has to find out anyway what got lost.
func (o *outbox) drop() {
	o.mu.Lock()
	had := len(o.waiting) > 0
	o.waiting, o.bytes = nil, 0
	o.mu.Unlock()
	if had {
		o.lost()
	}
}

// body starts a new stream.
func (o *outbox) body(done <-chan struct{}) io.ReadCloser { return &body{outbox: o, done: done} }

// body reads frames for as long as one stream lives.
type body struct {
	*outbox
	done  <-chan struct{}
	taken []*raftpb.Message
	frame []byte // encoded and not yet read
	rest  []byte // its tail
}

// Read gives encoded frames, waiting for a message if there is none.
func (b *body) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if err := b.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close is called by the HTTP client when the request has ended.
func (b *body) Close() error { return nil }

func (b *body) fill() error {
	b.frame = b.frame[:0]
	select {
	case <-b.done: // what waits is for the next stream
		return io.EOF
	default:
	}
	if !b.take() {
		timer := time.NewTimer(keepAlive)
		defer timer.Stop()
		select {
		case <-b.done:
			return io.EOF
		case <-timer.C:
			b.frame = binary.BigEndian.AppendUint32(b.frame, 0)
			b.rest = b.frame
			return nil
		case <-b.wake:
			return nil
		}
	}
	for _, m := range b.taken {
		if err := b.encode(m); err != nil {
			return err
		}
	}
	clear(b.taken)
	b.rest = b.frame
	return nil
}

// maxFrames bounds what is encoded at a time.
const maxFrames = 64

func (b *body) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(b.waiting), maxFrames)
	b.taken = append(b.taken[:0], b.waiting[:n]...)
	rest := copy(b.waiting, b.waiting[n:])
	clear(b.waiting[rest:])
	b.waiting = b.waiting[:rest]
	for _, m := range b.taken {
		b.bytes -= messageSize(m)
	}
	return n > 0
}

func (b *body) encode(m *raftpb.Message) error {
	at := len(b.frame)
	b.frame = append(b.frame, 0, 0, 0, 0)
	var err error
	if b.frame, err = (proto.MarshalOptions{}).MarshalAppend(b.frame, m); err != nil {
		return err
	}
	size := len(b.frame) - at - 4
	binary.BigEndian.PutUint32(b.frame[at:], uint32(size))
	b.sent(m, size)
	return nil
}
