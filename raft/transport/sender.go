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
// Two goroutines write. The raft core calls send, which must not block: it writes as many bytes as the kernel takes at
// once, so that most messages need no other goroutine. The peer's own goroutine calls run, which may block: it writes the
// rest.
//
// mu guards all fields except the buffer. Only open and drop change stream and direct, and only the peer's goroutine calls
// them. The buffer has one owner at a time:
//
//	         send: something is left          run: begins to write
//	  idle ──────────────────────► pending ─────────────────────► writing
//	   ▲                              ▲                              │
//	   │                              └──── run: more is queued ─────┤
//	   └──────────────────────────── run: everything is written ─────┘
//
//	idle     The queue and the buffer are empty. The holder of mu owns the buffer.
//	pending  The queue or the buffer is not empty, and run was woken. The holder of mu owns the buffer.
//	writing  The field writing is set, and run owns the buffer without holding mu. send only adds to the queue.
//
// The buffer is written before the queue is encoded, so messages keep their order. While the buffer is not empty, send only
// adds to the queue. Without a stream, the sender stays pending until drop empties it.
type sender struct {
	to         members.ID
	limit      int                                // largest value of queued, unless the queue holds one message
	countSent  func(m *raftpb.Message, bytes int) // see Config.Sent
	reportLoss func()                             // called after messages were dropped
	wake       chan struct{}                      // wakes run; capacity 1

	mu        sync.Mutex
	queue     []*raftpb.Message // messages that are not encoded yet
	queued    int               // size of the queue in bytes; see MessageSize
	stream    io.ReadWriteCloser
	direct    *nonblockingWriter // writes to stream; nil if stream supports only blocking writes
	err       error              // the error that ended the stream
	lastWrite time.Time
	writing   bool

	buf buffer
}

// buffer holds messages on their way from the queue to the stream.
type buffer struct {
	messages []*raftpb.Message // to be encoded
	encoded  []byte
	left     []byte // the part of encoded that is not written yet
}

// Bounds of the messages that are encoded and written at a time. They keep calls of send short, and the buffer small.
const (
	maxFrames     = 64
	maxFrameBytes = 1 << 20
)

// keepAlive is the interval at which an idle stream carries an empty frame.
const keepAlive = time.Second

// errEnded is returned if the peer has closed the stream.
var errEnded = errors.New("transport: the peer ended the stream")

func newSender(to members.ID, limit int, sent func(*raftpb.Message, int), lost func()) *sender {
	return &sender{to: to, limit: limit, countSent: sent, reportLoss: lost, wake: make(chan struct{}, 1)}
}

// send sends the messages whose To is the peer, except snapshots. It writes them at once if the stream is open and the
// sender idle. Otherwise it queues them. It drops those that do not fit into the queue. It never blocks.
func (s *sender) send(messages []*raftpb.Message) {
	if !s.enqueueAndWrite(messages) {
		s.reportLoss()
	}
}

// enqueueAndWrite reports whether all messages for the peer fitted into the queue. It unlocks by defer, so that the raft core
// can still close the transport after a panic.
func (s *sender) enqueueAndWrite(messages []*raftpb.Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.enqueue(messages)
	if len(s.queue) > 0 && s.stream != nil && !s.writing { // while writing is set, run checks the queue after its write
		s.writeDirectly()
	}
	return all
}

// enqueue appends the messages for the peer to the queue, and reports whether all of them fitted. A message of any size fits
// into an empty queue. Callers must hold mu.
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

// writeDirectly encodes the queue and writes as many bytes as the kernel takes at once. It leaves the rest to run. Callers
// must hold mu, and writing must not be set.
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

// tryWrite writes as many bytes of the buffer as the kernel takes at once. Callers must hold mu.
func (s *sender) tryWrite() {
	n, err := s.direct.write(s.buf.left)
	s.buf.left, s.err = s.buf.left[n:], err
	if n > 0 {
		s.lastWrite = time.Now()
	}
	s.buf.release()
}

// dequeue moves up to maxFrames messages of up to maxFrameBytes from the queue to the buffer, which must be empty. Callers
// must hold mu.
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
		s.countSent(m, size)
	}
	clear(b.messages)
	b.left = b.encoded
	return nil
}

// release frees the memory of an empty buffer that is larger than maxKeptBuffer. Few messages need such a buffer.
func (b *buffer) release() {
	if len(b.left) == 0 && cap(b.encoded) > maxKeptBuffer {
		b.encoded, b.left = nil, nil
	}
}

// open sets the stream to the peer. direct is nil if conn supports only blocking writes. run must be called next.
func (s *sender) open(conn io.ReadWriteCloser, direct *nonblockingWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream, s.direct = conn, direct
	s.err, s.lastWrite, s.buf.left = nil, time.Now(), nil
}

// isOpen reports whether there is a stream to the peer. open is called after peer.setStream.
func (s *sender) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stream != nil
}

// run writes what send has left, and empty frames to an idle stream, until the stream ends. It closes the stream and returns
// the error that ended it. drop must be called next.
func (s *sender) run() error {
	var watching sync.WaitGroup
	watching.Go(s.awaitEnd)
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

// awaitEnd waits for the end of the stream, and makes run return. The peer sends nothing on the stream, so a read returns
// only at its end.
func (s *sender) awaitEnd() {
	_, err := s.stream.Read(make([]byte, 1))
	if err == nil || err == io.EOF {
		err = errEnded
	}
	s.setError(err)
	_ = s.stream.Close() // makes a blocked write fail
	s.wakeRun()
}

// setError records the error that ended the stream. Only the first error counts.
func (s *sender) setError(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// writeAll writes the buffer and the queue, and blocks until both are empty. It returns the error that ended the stream, or
// nil.
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

// acquireBuffer makes run the owner of the buffer and returns true, if there is something to write.
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

// returnBuffer ends run's ownership of the buffer. After an error it leaves the buffer as it is, so that drop reports the
// loss.
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

// addKeepAlive puts an empty frame into the buffer if nothing was written for keepAlive and nothing is pending. It returns
// the time after which run must call it again.
func (s *sender) addKeepAlive() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if silent := time.Since(s.lastWrite); silent < keepAlive {
		return keepAlive - silent
	}
	if len(s.buf.left) == 0 && len(s.queue) == 0 {
		s.buf.encoded = append(s.buf.encoded[:0], make([]byte, headerSize)...)
		s.buf.left = s.buf.encoded
	}
	return keepAlive
}

// drop removes the stream, the queue and the buffer, and reports a loss if messages were not written. They are not kept for
// the next stream: raft sends the missing entries again.
func (s *sender) drop() {
	s.mu.Lock()
	dropped := len(s.queue) > 0 || len(s.buf.left) > 0
	s.queue, s.queued, s.stream, s.direct, s.buf.left = nil, 0, nil, nil, nil
	s.mu.Unlock()
	if dropped {
		s.reportLoss()
	}
}

// wakeRun makes run check the buffer and the queue.
func (s *sender) wakeRun() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// The memory of a message and of an entry without the data, in bytes.
const (
	messageOverhead = 512
	entryOverhead   = 128
)

// MessageSize estimates the memory that a message uses, in bytes. The encoded message is shorter.
func MessageSize(m *raftpb.Message) int {
	size := messageOverhead
	for _, e := range m.GetEntries() {
		size += len(e.GetData()) + entryOverhead
	}
	return size
}
