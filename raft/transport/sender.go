package transport

import (
	"errors"
	"io"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// sender sends the messages for one peer. It queues them, encodes them into a buffer, and writes the buffer to the peer's
// stream, while one is open.
//
// Two kinds of goroutines write. send is called by the raft core and must not block: it writes what the kernel takes
// at once, which spares a message the hand-over to another goroutine. run belongs to the peer's own goroutine, and
// writes what send could not; it may block.
//
// mu guards all fields but the buffer. stream and direct are changed by open and drop alone, which the goroutine of run
// calls. The buffer has one owner at a time:
//
//	         send: something is left          run: begins to write
//	  idle ──────────────────────► pending ─────────────────────► writing
//	   ▲                              ▲                              │
//	   │                              └──── run: more is queued ─────┤
//	   └──────────────────────────── run: everything is written ─────┘
//
//	idle     The queue and the buffer are empty. The holder of mu owns the buffer.
//	pending  Messages are queued, or encoded bytes are left in the buffer; run was woken. The holder of mu owns the buffer.
//	writing  The field writing is set, and run owns the buffer without holding mu. send only adds to the queue.
//
// Bytes that are left in the buffer are written before the queue is encoded, so messages keep their order. While they
// are left, send only adds to the queue. Without a stream, the sender stays pending until drop empties it.
type sender struct {
	to    members.ID
	limit int // bytes that may be queued
	sent  func(m *raftpb.Message, bytes int)
	lost  func()        // reports that a message was dropped
	wake  chan struct{} // has room for one; wakes run

	mu        sync.Mutex
	queue     []*raftpb.Message // not encoded yet
	queued    int               // bytes, see MessageSize
	stream    io.ReadWriteCloser
	direct    *nonblockingWriter // of the stream; nil where every write may block
	err       error              // why the stream has ended
	lastWrite time.Time
	writing   bool

	buf buffer
}

// buffer holds messages on their way from the queue to the stream. Its memory is used again.
type buffer struct {
	messages []*raftpb.Message // to be encoded
	encoded  []byte
	left     []byte // the end of encoded, which is not written yet
}

// Bounds of what is encoded and written at a time. They keep send short, and the buffer small.
const (
	maxFrames     = 64
	maxFrameBytes = 1 << 20
)

// keepAlive is the interval at which an idle stream carries an empty frame.
const keepAlive = time.Second

// errEnded says that the peer has closed a stream.
var errEnded = errors.New("transport: the peer ended the stream")

func newSender(to members.ID, limit int, sent func(*raftpb.Message, int), lost func()) *sender {
	return &sender{to: to, limit: limit, sent: sent, lost: lost, wake: make(chan struct{}, 1)}
}

// send takes those of the messages that are for the peer, except snapshots. It writes them at once if the stream is up
// and idle. Otherwise they are queued, or dropped if the queue is full. It never blocks.
func (s *sender) send(messages []*raftpb.Message) {
	if !s.enqueueAndWrite(messages) {
		s.lost()
	}
}

// enqueueAndWrite reports whether all messages for the peer were queued. It unlocks by defer: if a call panics, the raft
// core must still be able to close the transport.
func (s *sender) enqueueAndWrite(messages []*raftpb.Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.enqueue(messages)
	if len(s.queue) > 0 && s.stream != nil && !s.writing { // run looks at the queue again when it has written
		s.writeDirectly()
	}
	return all
}

// enqueue reports whether all messages for the peer were queued. A message that is larger than the limit is queued if
// no other is. Callers must hold mu.
func (s *sender) enqueue(messages []*raftpb.Message) bool {
	all := true
	for _, m := range messages {
		if members.ID(m.GetTo()) != s.to || m.GetType() == raftpb.MsgSnap {
			continue
		}
		size := MessageSize(m)
		if len(s.queue) > 0 && s.queued+size > s.limit {
			all = false
			continue
		}
		s.queue = append(s.queue, m)
		s.queued += size
	}
	return all
}

// writeDirectly writes the queue as far as the kernel takes it at once, and leaves the rest to run. Callers must hold mu,
// and run must not be writing.
func (s *sender) writeDirectly() {
	small := len(s.queue) <= maxFrames && s.queued <= maxFrameBytes
	if small && s.direct != nil && s.err == nil && len(s.buf.left) == 0 {
		s.dequeue()
		if s.err = s.encode(); s.err == nil {
			s.tryWrite()
		}
	}
	if len(s.buf.left) > 0 || len(s.queue) > 0 || s.err != nil {
		s.wakeRun()
	}
}

// tryWrite writes of the buffer what the kernel takes at once. Callers must hold mu.
func (s *sender) tryWrite() {
	n, err := s.direct.write(s.buf.left)
	s.buf.left, s.err = s.buf.left[n:], err
	if n > 0 {
		s.lastWrite = time.Now()
	}
	s.buf.release()
}

// dequeue moves messages from the queue to the buffer, which must be empty: as many as are encoded at a time. Callers must
// hold mu.
func (s *sender) dequeue() {
	s.buf.messages = s.buf.messages[:0]
	bytes := 0
	for _, m := range s.queue[:min(len(s.queue), maxFrames)] {
		size := MessageSize(m)
		if len(s.buf.messages) > 0 && bytes+size > maxFrameBytes {
			break
		}
		s.buf.messages = append(s.buf.messages, m)
		bytes += size
	}
	s.queued -= bytes
	rest := copy(s.queue, s.queue[len(s.buf.messages):])
	clear(s.queue[rest:])
	s.queue = s.queue[:rest]
}

// encode encodes the messages of the buffer. Callers must own the buffer.
func (s *sender) encode() error {
	b := &s.buf
	b.encoded = b.encoded[:0]
	for _, m := range b.messages {
		var size int
		var err error
		if b.encoded, size, err = appendFrame(b.encoded, m); err != nil {
			return err
		}
		s.sent(m, size)
	}
	clear(b.messages)
	b.left = b.encoded
	return nil
}

// release frees the memory of an empty buffer if that is large: few messages need so much.
func (b *buffer) release() {
	if len(b.left) == 0 && cap(b.encoded) > maxKept {
		b.encoded, b.left = nil, nil
	}
}

// open makes the connection the peer's stream. direct is nil if every write to it may block. run must be called next.
func (s *sender) open(conn io.ReadWriteCloser, direct *nonblockingWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream, s.direct = conn, direct
	s.err, s.lastWrite, s.buf.left = nil, time.Now(), nil
}

// run writes what send leaves, and empty frames to an idle stream, until the stream ends. It returns the reason, and has
// closed the stream then. drop must be called next.
func (s *sender) run() error {
	var watching sync.WaitGroup
	watching.Go(s.watch)
	defer watching.Wait()
	defer func() { _ = s.stream.Close() }() // watch returns
	idle := time.NewTimer(keepAlive)
	defer idle.Stop()
	for {
		if err := s.writeAll(); err != nil {
			return err
		}
		select {
		case <-s.wake:
		case <-idle.C:
			idle.Reset(s.addKeepAlive())
		}
	}
}

// watch waits for the end of the stream, and has run return. The peer sends nothing on it.
func (s *sender) watch() {
	_, err := s.stream.Read(make([]byte, 1))
	if err == nil || err == io.EOF {
		err = errEnded
	}
	s.fail(err)
	_ = s.stream.Close() // a write under way fails
	s.wakeRun()
}

// fail records why the stream has ended. The first reason stays.
func (s *sender) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// writeAll writes the buffer and the queue, and blocks until the connection has taken them. It returns why the stream has
// ended, nil if it has not.
func (s *sender) writeAll() error {
	for s.acquireBuffer() {
		var err error
		if len(s.buf.left) == 0 {
			err = s.encode()
		}
		if err == nil {
			_, err = s.stream.Write(s.buf.left)
		}
		s.returnBuffer(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// acquireBuffer makes run the owner of the buffer if there is something to write.
func (s *sender) acquireBuffer() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false
	}
	if len(s.buf.left) == 0 {
		s.dequeue()
	}
	s.writing = len(s.buf.left) > 0 || len(s.buf.messages) > 0
	return s.writing
}

// returnBuffer ends the ownership of run. After an error the buffer keeps what was not written, and drop reports it as lost.
func (s *sender) returnBuffer(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = false
	if err != nil {
		if s.err == nil {
			s.err = err
		}
		return
	}
	s.buf.left, s.lastWrite = nil, time.Now()
	s.buf.release()
}

// addKeepAlive puts an empty frame into the buffer if nothing was written for keepAlive and nothing is to be. It returns
// when it must be called again. run calls it.
func (s *sender) addKeepAlive() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if silent := time.Since(s.lastWrite); silent < keepAlive {
		return keepAlive - silent
	}
	if len(s.buf.left) == 0 && len(s.queue) == 0 {
		s.buf.encoded = append(s.buf.encoded[:0], make([]byte, headSize)...)
		s.buf.left = s.buf.encoded
	}
	return keepAlive
}

// drop forgets the stream, and drops and reports what was not written. On the next stream it would come late, and raft
// sends again what it finds missing.
func (s *sender) drop() {
	s.mu.Lock()
	dropped := len(s.queue) > 0 || len(s.buf.left) > 0
	s.queue, s.queued, s.stream, s.direct, s.buf.left = nil, 0, nil, nil, nil
	s.mu.Unlock()
	if dropped {
		s.lost()
	}
}

// wakeRun has run look at the buffer and the queue.
func (s *sender) wakeRun() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// What a message and an entry take up in memory beside the data, in bytes.
const (
	messageOverhead = 512
	entryOverhead   = 128
)

// MessageSize is about what a message takes up in memory, in bytes. Its encoding is shorter.
func MessageSize(m *raftpb.Message) int {
	size := messageOverhead
	for _, e := range m.GetEntries() {
		size += len(e.GetData()) + entryOverhead
	}
	return size
}
