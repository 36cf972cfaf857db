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

// founded answers for a deaf peer.
var founded = &Transport{Config: Config{Founding: func() members.ID { return 0 }}}

// deafPeer takes streams, and reads from each only when it is told to.
type deafPeer struct {
	server *httptest.Server
	conns  chan net.Conn
}

func newDeafPeer(t *testing.T) *deafPeer {
	p := &deafPeer{conns: make(chan net.Conn, 100)}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := founded.accept(w)
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

// stream is the next stream that the peer was asked for.
func (p *deafPeer) stream(t *testing.T) net.Conn {
	t.Helper()
	select {
	case conn := <-p.conns:
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() }) // the test may have closed it
		return conn
	case <-time.After(patience):
		t.Fatal("no stream was asked for")
		return nil
	}
}

// narrowClient is a client whose connections hold little, and give up after so long.
func narrowClient(t *testing.T, silence time.Duration) *http.Client {
	client := NewClient(nil)
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		narrow := &hastyConn{conn.(*net.TCPConn), silence}
		return &impatientConn{narrow}, narrow.SetWriteBuffer(32 << 10)
	}
	return client
}

// hastyConn takes Silence for something shorter.
type hastyConn struct {
	*net.TCPConn
	silence time.Duration
}

func (c *hastyConn) SetWriteDeadline(at time.Time) error {
	if !at.IsZero() {
		at = time.Now().Add(c.silence)
	}
	return c.TCPConn.SetWriteDeadline(at)
}

// left reports whether something was not written yet.
func (o *outbox) left() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.waiting) > 0 || o.stream != nil && (o.stream.busy || len(o.stream.rest) > 0)
}

// idle reports whether a stream is up, and nothing is left to write.
func (o *outbox) idle() bool {
	o.mu.Lock()
	up := o.stream != nil
	o.mu.Unlock()
	return up && !o.left()
}

// TestPeerThatDoesNotRead fills the connection to a peer: sending goes on, and all
// comes, in order, once the peer reads.
func TestPeerThatDoesNotRead(t *testing.T) {
	peer := newDeafPeer(t)
	a := newEnd(t, 1, func(c *Config) { c.Client = narrowClient(t, patience) })
	a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{peer.server.URL}}})
	conn := peer.stream(t)
	outbox := a.peers[0].outbox
	a.await("the stream", outbox.idle)
	const count, size = 60, 40 << 10 // more than the connection takes
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
	if !outbox.left() {
		t.Fatal("the connection took it all")
	}
	in := newFrameReader(conn, testMessage)
	for i := range uint64(count) {
		m, err := nextMessage(in)
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if m.GetIndex() != i || !bytes.Equal(m.GetEntries()[0].GetData(), sample(i, size)) {
			t.Fatalf("message %d came as message %d, or changed", m.GetIndex(), i)
		}
	}
	a.await("nothing to be left", outbox.idle)
	if n := a.lost.Load(); n > 0 {
		t.Errorf("a loss was reported %d times", n)
	}
	a.Send([]*raftpb.Message{message(2, count, []byte("again"))})
	if m, err := nextMessage(in); err != nil || m.GetIndex() != count {
		t.Errorf("the message after them: %v, %v", m, err)
	}
}

// TestPeerThatStaysDeaf gives up on a peer that takes nothing, and tries again.
func TestPeerThatStaysDeaf(t *testing.T) {
	peer := newDeafPeer(t)
	a := newEnd(t, 1, func(c *Config) { c.Client = narrowClient(t, 50*time.Millisecond) })
	a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{peer.server.URL}}})
	peer.stream(t)
	outbox := a.peers[0].outbox
	a.await("the stream", outbox.idle)
	for i := range uint64(20) { // more than the connection takes
		a.Send([]*raftpb.Message{message(2, i, sample(i, 100<<10))})
	}
	a.await("the loss to be reported", func() bool { return a.lost.Load() > 0 })
	conn := peer.stream(t)
	a.await("nothing to be left", outbox.idle)
	a.Send([]*raftpb.Message{message(2, 7, []byte("news"))})
	if m, err := nextMessage(newFrameReader(conn, testMessage)); err != nil || m.GetIndex() != 7 {
		t.Errorf("on the next stream came %v, %v", m, err)
	}
}

// TestOldDeadline has the stream's goroutine write something, which has a deadline, and
// then Send, when that has passed.
func TestOldDeadline(t *testing.T) {
	const silence = 500 * time.Millisecond
	peer := newDeafPeer(t)
	a := newEnd(t, 1, func(c *Config) { c.Client = narrowClient(t, silence) })
	a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{peer.server.URL}}})
	in := newFrameReader(peer.stream(t), testMessage)
	outbox := a.peers[0].outbox
	a.await("the stream", outbox.idle)
	a.Send([]*raftpb.Message{message(2, 0, sample(0, maxFrameBytes/4)), message(2, 1, sample(1, maxFrameBytes))})
	for i := range uint64(3) {
		m, err := nextMessage(in)
		if err != nil || m.GetIndex() != i {
			t.Fatalf("as message %d came %v, %v", i, m, err)
		}
		if i == 1 {
			a.await("nothing to be left", outbox.idle)
			<-time.After(silence + silence/4) // in which no empty frame is due
			a.Send([]*raftpb.Message{message(2, 2, nil)})
		}
	}
	if n := a.lost.Load(); n > 0 {
		t.Errorf("a loss was reported %d times", n)
	}
}

// TestPartialWrites sends messages of all sizes over a connection that never takes one
// whole, some together, some too large to be written by Send.
func TestPartialWrites(t *testing.T) {
	a, b := newEnd(t, 1, func(c *Config) { c.Client = narrowClient(t, patience) }), newEnd(t, 2, nil)
	a.know(b)
	a.pass(b)
	sizes := []int{1 << 10, 300 << 10, 10, 2 * maxFrameBytes, 0, 700 << 10, 600 << 10, 100}
	parts := 0
	for i := uint64(0); i < uint64(len(sizes)); i += 2 {
		a.Send([]*raftpb.Message{message(2, i, sample(i, sizes[i])), message(2, i+1, sample(i+1, sizes[i+1]))})
		if a.peers[0].outbox.left() {
			parts++
		}
	}
	if parts == 0 {
		t.Error("the connection took all at once")
	}
	for i, size := range sizes {
		expect(t, b.received, uint64(i), string(sample(uint64(i), size)))
	}
}

// TestStreamWithoutDirect runs a stream on a connection where each write may wait, as
// with TLS.
func TestStreamWithoutDirect(t *testing.T) {
	near, far := net.Pipe()
	var lost, sent atomic.Int64
	o := newOutbox(2, testWaiting, func(*raftpb.Message, int) { sent.Add(1) }, func() { lost.Add(1) })
	var batch []*raftpb.Message
	const count = 3 * maxFrames
	for i := range uint64(count) {
		batch = append(batch, message(2, i, sample(i, int(i)*100)))
	}
	o.add(batch[:2]) // before there is a stream
	ended := make(chan error, 1)
	go func() { ended <- o.open(near, nil).run() }()
	o.add(batch[2:10])
	o.add(batch[10:])
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
		t.Fatal("the stream outlives its peer")
	}
	o.drop()
	if lost.Load() != 0 || sent.Load() != count {
		t.Errorf("%d messages were sent, a loss reported %d times", sent.Load(), lost.Load())
	}
	o.add(batch[:1])
	o.drop()
	if lost.Load() != 1 {
		t.Error("the loss of what waited was not reported")
	}
}

// TestStreamEndsWhileWriting ends a stream whose peer reads only half of what it gets.
func TestStreamEndsWhileWriting(t *testing.T) {
	near, far := net.Pipe()
	var lost atomic.Int64
	o := newOutbox(2, testWaiting, func(*raftpb.Message, int) {}, func() { lost.Add(1) })
	ended := make(chan error, 1)
	go func() { ended <- o.open(near, nil).run() }()
	o.add([]*raftpb.Message{message(2, 1, sample(1, 1000))})
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
		t.Fatal("the stream outlives its peer")
	}
	o.drop()
	if lost.Load() != 1 {
		t.Errorf("a message that was written by half was reported %d times", lost.Load())
	}
}

// TestEndOfReceiverEndsStream wants a sender that has nothing to say to know at once
// that its peer has gone.
func TestEndOfReceiverEndsStream(t *testing.T) {
	peer := newDeafPeer(t)
	a := newEnd(t, 1, nil)
	a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{peer.server.URL}}})
	for range 3 {
		conn := peer.stream(t)
		before := a.lost.Load()
		ended := time.Now()
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		a.await("the loss to be reported", func() bool { return a.lost.Load() > before })
		if took := time.Since(ended); took > keepAlive {
			t.Errorf("it took %v", took)
		}
	}
}
