package transport

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

func TestMessagesArriveInOrder(t *testing.T) {
	a, b := newEndpoint(t, 1, nil), newEndpoint(t, 2, nil)
	a.connect(b)
	a.deliver(b)
	const count = 2000
	for i := range uint64(count) {
		a.Send([]*raftpb.Message{message(2, i+1, bytes.Repeat([]byte{byte(i)}, int(i)))})
	}
	for i := range uint64(count) {
		select {
		case m := <-b.received:
			if m.GetIndex() != i+1 || !bytes.Equal(m.GetEntries()[0].GetData(), bytes.Repeat([]byte{byte(i)}, int(i))) {
				t.Fatalf("message %d arrived in place of message %d", m.GetIndex(), i+1)
			}
		case <-time.After(patience):
			t.Fatalf("message %d did not arrive", i+1)
		}
	}
	if b.LastReceived(1).IsZero() {
		t.Error("LastReceived is zero")
	}
}

func TestReconnect(t *testing.T) {
	a, b := newEndpoint(t, 1, nil), newEndpoint(t, 2, nil)
	a.connect(b)
	a.deliver(b)
	for range 5 {
		b.breakStreams()
		a.deliver(b)
	}
	if a.lost.Load() < 5 {
		t.Errorf("%d broken streams were reported, of 5", a.lost.Load())
	}
}

// TestIncomingStreamEndsPause opens a stream from member 2 to member 1, which can't connect to member 2 and pauses between
// its attempts. The next attempt must follow at once.
func TestIncomingStreamEndsPause(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	a, b := newEndpoint(t, 1, nil), newEndpoint(t, 2, nil)
	a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{"http://" + address}}})
	a.await("the pauses to grow", func() bool { return a.lost.Load() >= 8 })
	// Now the pause between two attempts is at least maxPause/2.
	b.connect(a)
	b.deliver(a)
	for range 10 {
		before := a.lost.Load()
		a.await("the next attempt", func() bool { return a.lost.Load() > before })
		start := time.Now()
		conn, _ := net.Pipe()
		a.addIncoming(announcement{from: 2}, conn)
		a.await("the next attempt", func() bool { return a.lost.Load() > before+1 })
		if time.Since(start) < maxPause/2 {
			return
		}
	}
	t.Error("an incoming stream never shortened the pause")
}

// TestBoundedQueue sends to a peer that reads nothing. Send must not block. It must drop and report messages that don't fit
// into the queue.
func TestBoundedQueue(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and reads nothing
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	a := newEndpoint(t, 1, nil)
	a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{"http://" + listener.Addr().String()}}})
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range uint64(3 * testQueued / (32 << 10)) {
			a.Send([]*raftpb.Message{message(2, i, make([]byte, 32<<10))})
		}
	}()
	select {
	case <-sent:
	case <-time.After(patience):
		t.Fatal("Send blocks")
	}
	if a.lost.Load() == 0 {
		t.Error("messages were dropped without a report")
	}
	sender := a.peers[0].sender
	sender.mu.Lock() // the peer's goroutine still runs
	defer sender.mu.Unlock()
	if sender.queued > testQueued {
		t.Errorf("%d bytes are queued", sender.queued)
	}
}

// TestLargeMessage sends a message that is larger than MaxQueued. It must arrive.
func TestLargeMessage(t *testing.T) {
	a, b := newEndpoint(t, 1, func(cfg *Config) { cfg.MaxQueued = 1 << 20 }), newEndpoint(t, 2, nil)
	a.connect(b)
	large := bytes.Repeat([]byte("x"), 3<<20)
	a.Send([]*raftpb.Message{message(2, 1, large)})
	expect(t, b.received, 1, string(large))
	if a.lost.Load() != 0 {
		t.Error("a message was dropped although the queue was empty")
	}
}

// TestCloseEndsEverything closes a transport while it sends to a peer that responds, to one that accepts connections and does
// not respond, and to one that refuses connections.
func TestCloseEndsEverything(t *testing.T) {
	for round := range 5 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			a, b := newEndpoint(t, 1, nil), newEndpoint(t, 2, nil)
			a.content = make([]byte, 8<<20)
			a.SetPeers([]members.Member{
				{ID: 2, PeerURLs: []string{b.server.URL}},
				{ID: 3, PeerURLs: []string{"http://" + listener.Addr().String()}},
				{ID: 4, PeerURLs: []string{"http://127.0.0.1:1"}},
			})
			for to := range members.ID(3) {
				a.Send([]*raftpb.Message{
					message(to+2, 1, make([]byte, 1<<20)),
					snapshotMessage(to + 2),
				})
			}
			closed := make(chan struct{})
			go func() { a.Close(); close(closed) }()
			select {
			case <-closed:
			case <-time.After(patience):
				t.Error("Close does not return")
			}
		})
	}
}

// TestStreamClosed ends both streams of a member. StreamClosed must be called only after the second.
func TestStreamClosed(t *testing.T) {
	var reports atomic.Int64
	b := newEndpoint(t, 2, func(c *Config) { c.StreamClosed = func(members.ID) { reports.Add(1) } })
	// open opens a stream from member 1, and returns a function that ends it.
	open := func() (end func()) {
		before := b.LastReceived(1)
		conn := b.openStream(t)
		b.await("the stream", func() bool { return b.LastReceived(1).After(before) })
		return func() {
			t.Helper()
			if err := conn.CloseWrite(); err != nil {
				t.Error(err)
			}
			// The transport closes its end after it has read everything.
			if n, err := io.Copy(io.Discard, conn); n > 0 || err != nil {
				t.Errorf("%d bytes were sent back: %v", n, err)
			}
		}
	}
	closeFirst := open()
	closeSecond := open()
	closeFirst()
	if n := reports.Load(); n != 0 || b.LastReceived(1).IsZero() {
		t.Errorf("with one stream left: %d reports, last received %v", n, b.LastReceived(1))
	}
	closeSecond()
	if n := reports.Load(); n != 1 || !b.LastReceived(1).IsZero() {
		t.Errorf("with no stream left: %d reports, last received %v", n, b.LastReceived(1))
	}
}
