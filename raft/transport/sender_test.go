package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// manualPeer accepts streams but does not read from them. The test does.
type manualPeer struct {
	server *httptest.Server
	conns  chan net.Conn
}

func newManualPeer(t *testing.T) *manualPeer {
	p := &manualPeer{conns: make(chan net.Conn, 100)}
	accepting := &Transport{Config: Config{Founding: func() members.ID { return 0 }}}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := accepting.acceptStream(w)
		if err != nil {
			t.Error(err)
			return
		}
		if err := conn.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil {
			t.Error(err)
		}
		p.conns <- conn
	}))
	t.Cleanup(func() {
		p.server.Close()
		for len(p.conns) > 0 {
			_ = (<-p.conns).Close()
		}
	})
	return p
}

// stream waits for the next stream, and returns its connection.
func (p *manualPeer) stream(t *testing.T) net.Conn {
	t.Helper()
	select {
	case conn := <-p.conns:
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() }) // the test may have closed it
		return conn
	case <-time.After(patience):
		t.Fatal("no stream was opened")
		return nil
	}
}

// smallBufferClient returns a client whose connections have small buffers. Its writes time out after timeout instead of
// StreamTimeout.
func smallBufferClient(t *testing.T, timeout time.Duration) *http.Client {
	client := NewClient(nil)
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		short := &shortTimeoutConn{conn.(*net.TCPConn), timeout}
		return &stallConn{short}, short.SetWriteBuffer(32 << 10)
	}
	return client
}

// shortTimeoutConn replaces write deadlines by earlier ones.
type shortTimeoutConn struct {
	*net.TCPConn
	timeout time.Duration
}

func (c *shortTimeoutConn) SetWriteDeadline(at time.Time) error {
	if !at.IsZero() {
		at = time.Now().Add(c.timeout)
	}
	return c.TCPConn.SetWriteDeadline(at)
}

// unwritten reports whether messages or bytes are still to be written.
func (s *sender) unwritten() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue) > 0 || s.writing || len(s.buf.left) > 0
}

// idle reports whether a stream is open and everything is written.
func (s *sender) idle() bool {
	s.mu.Lock()
	up := s.stream != nil
	s.mu.Unlock()
	return up && !s.unwritten()
}

// TestPeerThatDoesNotRead fills the connection to a peer. Send must not block, and all messages must arrive in order after
// the peer begins to read.
func TestPeerThatDoesNotRead(t *testing.T) {
	peer := newManualPeer(t)
	a := newEndpoint(t, 1, func(c *Config) { c.Client = smallBufferClient(t, patience) })
	a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{peer.server.URL}}})
	conn := peer.stream(t)
	sender := a.peers[0].sender
	a.await("the stream", sender.idle)
	const count, size = 60, 40 << 10 // more than the connection holds
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range uint64(count) {
			a.Send([]*raftpb.Message{message(2, i, sample(i, size)), message(3, i, nil)})
		}
	}()
	select {
	case <-sent:
	case <-time.After(patience):
		t.Fatal("Send blocks")
	}
	if !sender.unwritten() {
		t.Fatal("the connection has taken all messages")
	}
	in := newFrameReader(conn, testMessage)
	for i := range uint64(count) {
		m, err := nextMessage(in)
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if m.GetIndex() != i || !bytes.Equal(m.GetEntries()[0].GetData(), sample(i, size)) {
			t.Fatalf("message %d arrived in place of message %d, or with other data", m.GetIndex(), i)
		}
	}
	a.await("everything to be written", sender.idle)
	if n := a.lost.Load(); n > 0 {
		t.Errorf("a loss was reported %d times", n)
	}
	a.Send([]*raftpb.Message{message(2, count, []byte("again"))})
	if m, err := nextMessage(in); err != nil || m.GetIndex() != count {
		t.Errorf("the message after them: %v, %v", m, err)
	}
}

// TestPeerThatNeverReads sends to a peer that reads nothing. The sender must close the stream and open another one.
func TestPeerThatNeverReads(t *testing.T) {
	peer := newManualPeer(t)
	a := newEndpoint(t, 1, func(c *Config) { c.Client = smallBufferClient(t, 50*time.Millisecond) })
	a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{peer.server.URL}}})
	peer.stream(t)
	sender := a.peers[0].sender
	a.await("the stream", sender.idle)
	for i := range uint64(20) { // more than the connection holds
		a.Send([]*raftpb.Message{message(2, i, sample(i, 100<<10))})
	}
	a.await("the loss to be reported", func() bool { return a.lost.Load() > 0 })
	// On a busy machine the last messages may have come to the next stream, which times out, too.
	for arrived := false; !arrived; {
		conn := peer.stream(t)
		a.await("everything to be written", sender.idle)
		a.Send([]*raftpb.Message{message(2, 100, []byte("new"))})
		in := newFrameReader(conn, testMessage)
		for {
			m, err := nextMessage(in)
			if err != nil {
				break
			}
			if arrived = m.GetIndex() == 100; arrived {
				break
			}
		}
	}
}

// TestOldDeadline makes the peer's goroutine write, which sets a deadline. After that deadline has passed, Send must still be
// able to write.
func TestOldDeadline(t *testing.T) {
	// A busy machine may stop the reader for longer than the timeout.
	for try := 1; !writesAfterDeadline(t); try++ {
		if try == 5 {
			t.Fatal("a loss was reported each time")
		}
	}
}

// writesAfterDeadline is one attempt of TestOldDeadline. It returns false if a loss was reported.
func writesAfterDeadline(t *testing.T) bool {
	t.Helper()
	const timeout = 500 * time.Millisecond
	peer := newManualPeer(t)
	a := newEndpoint(t, 1, func(c *Config) { c.Client = smallBufferClient(t, timeout) })
	a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{peer.server.URL}}})
	in := newFrameReader(peer.stream(t), testMessage)
	sender := a.peers[0].sender
	a.await("the stream", sender.idle)
	a.Send([]*raftpb.Message{message(2, 0, sample(0, maxFrameBytes/4)), message(2, 1, sample(1, maxFrameBytes))})
	for i := range uint64(3) {
		m, err := nextMessage(in)
		if a.lost.Load() > 0 {
			return false
		}
		if err != nil || m.GetIndex() != i {
			t.Fatalf("got %v, %v; want message %d", m, err, i)
		}
		if i == 1 {
			a.await("everything to be written", sender.idle)
			<-time.After(timeout + timeout/4) // less than keepAlive: no empty frame is due
			a.Send([]*raftpb.Message{message(2, 2, nil)})
		}
	}
	return a.lost.Load() == 0
}

// TestPartialWrites sends messages of many sizes over a connection with small buffers. Send can write the large ones only in
// part, or not at all. All must arrive unchanged.
func TestPartialWrites(t *testing.T) {
	a, b := newEndpoint(t, 1, func(c *Config) { c.Client = smallBufferClient(t, patience) }), newEndpoint(t, 2, nil)
	a.connect(b)
	a.deliver(b)
	sizes := []int{1 << 10, 300 << 10, 10, 2 * maxFrameBytes, 0, 700 << 10, 600 << 10, 100}
	parts := 0
	for i := uint64(0); i < uint64(len(sizes)); i += 2 {
		a.Send([]*raftpb.Message{message(2, i, sample(i, sizes[i])), message(2, i+1, sample(i+1, sizes[i+1]))})
		if a.peers[0].sender.unwritten() {
			parts++
		}
	}
	if parts == 0 {
		t.Error("Send has written each message completely; the test needs smaller buffers")
	}
	for i, size := range sizes {
		expect(t, b.received, uint64(i), string(sample(uint64(i), size)))
	}
}

// TestBlockingWrites sends over a connection without nonblocking writes, as with TLS.
func TestBlockingWrites(t *testing.T) {
	near, far := net.Pipe()
	var lost, sent atomic.Int64
	s := newSender(2, testQueued, func(*raftpb.Message, int) { sent.Add(1) }, func() { lost.Add(1) })
	var batch []*raftpb.Message
	const count = 3 * maxFrames
	for i := range uint64(count) {
		batch = append(batch, message(2, i, sample(i, int(i)*100)))
	}
	s.send(batch[:2]) // before the stream is open
	ended := make(chan error, 1)
	s.open(near, nil)
	go func() { ended <- s.run() }()
	s.send(batch[2:10])
	s.send(batch[10:])
	if err := far.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	in := newFrameReader(far, testMessage)
	for i := range uint64(count) {
		if m, err := nextMessage(in); err != nil || m.GetIndex() != i {
			t.Fatalf("message %d: %v, %v", i, m, err)
		}
	}
	if m, _, err := in.next(); err != nil || m != nil {
		t.Errorf("an idle stream brought %v, %v", m, err)
	}
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != errEnded {
			t.Errorf("the stream ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the stream does not end with its peer")
	}
	s.drop()
	if lost.Load() != 0 || sent.Load() != count {
		t.Errorf("%d messages were sent, and a loss was reported %d times", sent.Load(), lost.Load())
	}
	s.send(batch[:1])
	s.drop()
	if lost.Load() != 1 {
		t.Error("the loss of a queued message was not reported")
	}
}

// TestStreamEndsWhileWriting closes a stream in the middle of a message. The sender must report the loss.
func TestStreamEndsWhileWriting(t *testing.T) {
	near, far := net.Pipe()
	var lost atomic.Int64
	s := newSender(2, testQueued, func(*raftpb.Message, int) {}, func() { lost.Add(1) })
	ended := make(chan error, 1)
	s.open(near, nil)
	go func() { ended <- s.run() }()
	s.send([]*raftpb.Message{message(2, 1, sample(1, 1000))})
	if _, err := io.ReadFull(far, make([]byte, 500)); err != nil {
		t.Fatal(err)
	}
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("the stream ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the stream does not end with its peer")
	}
	s.drop()
	if lost.Load() != 1 {
		t.Errorf("the loss of a message that was written in part was reported %d times", lost.Load())
	}
}

// TestIdleStreamEnds closes the receiving end of an idle stream. The sender must report the end at once.
func TestIdleStreamEnds(t *testing.T) {
	peer := newManualPeer(t)
	a := newEndpoint(t, 1, nil)
	a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{peer.server.URL}}})
	fastest := patience
	for range 3 {
		conn := peer.stream(t)
		before := a.lost.Load()
		ended := time.Now()
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		a.await("the loss to be reported", func() bool { return a.lost.Load() > before })
		fastest = min(fastest, time.Since(ended))
	}
	// A sender that finds the end only when it writes takes longer each time.
	if fastest > keepAlive {
		t.Errorf("it took %v", fastest)
	}
}
