package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"pando/members"
)

const patience = 20 * time.Second

// The bounds of the transports under test.
const (
	testMessage = 64 << 20
	testWaiting = 32 << 20
)

// end is one member's transport with its server, and what came to it.
type end struct {
	*Transport
	t        testing.TB
	server   *httptest.Server
	received chan *raftpb.Message
	sent     chan error // how sending a snapshot ended
	lost     atomic.Int64
	refused  atomic.Int64
	// strangers counts those who were refused, dropped has the messages that were.
	strangers atomic.Int64
	dropped   chan error
	founding  atomic.Uint64
	level     atomic.Uint64 // of the cluster
	content   []byte        // of the snapshot that it sends

	mu        sync.Mutex
	streams   []net.Conn // that it was asked for
	snapshots [][]byte   // that it got
	refuse    error      // what it says to the next
	gone      map[members.ID]bool
	came      members.ID // one more that is a member
}

func newEnd(t testing.TB, self members.ID, tune func(*Config)) *end {
	e := &end{t: t, received: make(chan *raftpb.Message, 10_000), sent: make(chan error, 100), dropped: make(chan error, 10_000), gone: map[members.ID]bool{}}
	cfg := Config{
		Self: self, Cluster: 7, Client: NewClient(nil), Logger: zap.NewNop(),
		Standing: func(id members.ID) Standing {
			e.mu.Lock()
			defer e.mu.Unlock()
			return e.standing(id)
		},
		Stranger: func(members.ID) { e.strangers.Add(1) },
		Refuse:   func(_ members.ID, reason error) { e.dropped <- reason }, // few enough in a test to have room
		Receive: func(messages []*raftpb.Message) {
			for _, m := range messages {
				e.received <- m
			}
		},
		ReceiveSnapshot: e.receiveSnapshot,
		Snapshot: func(*raftpb.Message) (io.ReadCloser, int64, error) {
			return io.NopCloser(bytes.NewReader(e.content)), int64(len(e.content)), nil
		},
		Unreachable:  func(members.ID) { e.lost.Add(1) },
		Lost:         func(members.ID) {},
		SnapshotSent: func(_ members.ID, err error) { e.sent <- err },
		Refused:      func() { e.refused.Add(1) },
		MaxMessage:   testMessage,
		MaxWaiting:   testWaiting,
		Sent:         func(*raftpb.Message, int) {},
		Received:     func(*raftpb.Message, int) {},
		Founding:     func() members.ID { return members.ID(e.founding.Load()) },
		ClusterLevel: e.level.Load,
		Report: func(_ context.Context, _ members.ID, index uint64) (LogReport, error) {
			return LogReport{EntryTerm: index + 1}, nil
		},
	}
	if tune != nil {
		tune(&cfg)
	}
	e.Transport = New(cfg)
	mux := http.NewServeMux()
	e.Register(func(pattern string, h http.HandlerFunc) { mux.HandleFunc(pattern, h) })
	e.server = httptest.NewUnstartedServer(mux)
	e.server.Config.ConnState = e.noteStream
	e.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	e.server.Start()
	t.Cleanup(func() {
		e.Close()
		e.server.CloseClientConnections()
		e.server.Close()
	})
	return e
}

// newAnsweringServer answers every request in the same way, and gives its URL.
func newAnsweringServer(t *testing.T, answer func(w http.ResponseWriter)) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
	t.Cleanup(server.Close)
	return server.URL
}

// noteStream remembers connections that have left the server.
func (e *end) noteStream(conn net.Conn, state http.ConnState) {
	if state == http.StateHijacked {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.streams = append(e.streams, conn)
	}
}

// breakStreams breaks the connections by which others talk to this one.
func (e *end) breakStreams() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, conn := range e.streams {
		_ = conn.Close() // it may be closed already
	}
	e.streams = nil
}

func (e *end) receiveSnapshot(_ *raftpb.Message, content io.Reader, size int64) error {
	data, err := io.ReadAll(io.LimitReader(content, size))
	e.mu.Lock()
	defer e.mu.Unlock()
	e.snapshots = append(e.snapshots, data)
	return errors.Join(err, e.refuse)
}

func (e *end) remove(id members.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gone[id] = true
}

// standing is that of a test's members: from 1 on, and a few at most. Callers must hold mu.
func (e *end) standing(id members.ID) Standing {
	switch {
	case e.gone[id]:
		return Removed
	case id < 10, id == e.came:
		return Current
	}
	return Unknown
}

// know makes the transport talk to these others.
func (e *end) know(others ...*end) {
	var list []members.Member
	for _, o := range others {
		list = append(list, members.Member{ID: o.Self, PeerURLs: []string{o.server.URL}})
	}
	e.SetPeers(list)
}

func (e *end) await(what string, done func() bool) {
	e.t.Helper()
	for deadline := time.Now().Add(patience); !done(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			e.t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

func message(to members.ID, index uint64, data []byte) *raftpb.Message {
	return &raftpb.Message{
		Type: raftpb.MsgApp.Enum(), To: (*uint64)(&to), From: new(uint64(1)),
		Term: new(uint64(1)), Index: &index, LogTerm: new(min(index, 1)),
		Entries: []*raftpb.Entry{{Index: new(index + 1), Term: new(uint64(1)), Data: data}},
	}
}

// snapshotMessage is the message in front of a snapshot.
func snapshotMessage(to members.ID) *raftpb.Message {
	return &raftpb.Message{
		Type: raftpb.MsgSnap.Enum(), To: (*uint64)(&to), From: new(uint64(1)), Term: new(uint64(1)), Snapshot: &raftpb.Snapshot{},
	}
}

// pass sends until a message gets through: those before the stream is open are
// lost, as they may be.
func (e *end) pass(to *end) {
	e.t.Helper()
	e.await("a message to get through", func() bool {
		m := message(to.Self, 0, nil)
		m.From = (*uint64)(&e.Self)
		e.Send([]*raftpb.Message{m})
		select {
		case <-to.received:
			return true
		default:
			return false
		}
	})
	for drained := false; !drained; {
		select {
		case <-to.received:
		case <-time.After(50 * time.Millisecond):
			drained = true
		}
	}
}

func TestMessagesComeInOrder(t *testing.T) {
	a, b := newEnd(t, 1, nil), newEnd(t, 2, nil)
	a.know(b)
	a.pass(b)
	const count = 2000
	for i := range uint64(count) {
		a.Send([]*raftpb.Message{message(2, i+1, bytes.Repeat([]byte{byte(i)}, int(i)))})
	}
	for i := range uint64(count) {
		select {
		case m := <-b.received:
			if m.GetIndex() != i+1 || !bytes.Equal(m.GetEntries()[0].GetData(), bytes.Repeat([]byte{byte(i)}, int(i))) {
				t.Fatalf("message %d came as message %d", m.GetIndex(), i+1)
			}
		case <-time.After(patience):
			t.Fatalf("message %d did not come", i+1)
		}
	}
	if b.Heard(1).IsZero() {
		t.Error("the sender was not heard")
	}
}

// TestRefusals wants everybody who is refused to be told, although a stream has
// no end.
func TestRefusals(t *testing.T) {
	b := newEnd(t, 2, nil)
	b.remove(9)
	for name, test := range map[string]struct {
		method, from, to, cluster, protocol string
		want                                int
	}{
		"method":   {"GET", "1", "2", "7", "2", http.StatusMethodNotAllowed},
		"protocol": {"POST", "1", "2", "7", "0", http.StatusPreconditionFailed},
		"cluster":  {"POST", "1", "2", "8", "2", http.StatusPreconditionFailed},
		"member":   {"POST", "1", "3", "7", "2", http.StatusPreconditionFailed},
		"nobody":   {"POST", "", "2", "7", "2", http.StatusBadRequest},
		"itself":   {"POST", "2", "2", "7", "2", http.StatusBadRequest},
		"removed":  {"POST", "9", "2", "7", "2", http.StatusGone},
		"stranger": {"POST", "99", "2", "7", "2", http.StatusForbidden},
	} {
		for _, path := range []string{streamPath, snapshotPath} {
			t.Run(name+path, func(t *testing.T) {
				endless, w := io.Pipe()
				defer w.Close()
				req, err := http.NewRequestWithContext(t.Context(), test.method, b.server.URL+path, endless)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set(headerFrom, test.from)
				req.Header.Set(headerTo, test.to)
				req.Header.Set(headerCluster, test.cluster)
				req.Header.Set(headerProtocol, test.protocol)
				answer := make(chan int, 1)
				// Unlike NewClient's, this one keeps its connections.
				client := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
				defer client.CloseIdleConnections()
				go func() {
					resp, err := client.Do(req)
					if err != nil {
						t.Error(err)
						answer <- 0
						return
					}
					_ = resp.Body.Close()
					answer <- resp.StatusCode
				}()
				select {
				case got := <-answer:
					if got != test.want {
						t.Errorf("status %d, want %d", got, test.want)
					}
				case <-time.After(Silence / 2):
					t.Error("no answer while the request goes on")
				}
			})
		}
	}
}

func TestRemovedSenderIsTold(t *testing.T) {
	t.Run("when it comes", func(t *testing.T) {
		a, b := newEnd(t, 1, nil), newEnd(t, 2, nil)
		b.remove(1)
		a.know(b)
		a.await("the removed member to be told", func() bool { return a.refused.Load() > 0 })
	})
	t.Run("while it talks", func(t *testing.T) {
		a, b := newEnd(t, 1, nil), newEnd(t, 2, nil)
		a.know(b)
		a.pass(b)
		b.remove(1)
		a.await("the removed member to be told", func() bool { return a.refused.Load() > 0 })
	})
	t.Run("not one of another cluster", func(t *testing.T) {
		a, b := newEnd(t, 1, func(c *Config) { c.Cluster = 8 }), newEnd(t, 2, nil)
		b.remove(1)
		a.know(b)
		a.await("some attempts", func() bool { return a.lost.Load() > 3 })
		if a.refused.Load() > 0 {
			t.Error("a member of another cluster takes itself for removed")
		}
	})
}

func TestReconnect(t *testing.T) {
	a, b := newEnd(t, 1, nil), newEnd(t, 2, nil)
	a.know(b)
	a.pass(b)
	for range 5 {
		b.breakStreams()
		a.pass(b)
	}
	if a.lost.Load() < 5 {
		t.Errorf("raft was told of %d broken streams, of 5", a.lost.Load())
	}
}

// TestCallBack lets a member that waits to try again hear from its peer: it must
// not wait any longer.
func TestCallBack(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	a, b := newEnd(t, 1, nil), newEnd(t, 2, nil)
	a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{"http://" + address}}})
	// From now on an attempt follows another after lastPause/2 at the earliest.
	a.await("the pauses to grow", func() bool { return a.lost.Load() >= 8 })
	b.know(a)
	b.pass(a)
	for range 10 {
		before := a.lost.Load()
		a.await("the next attempt", func() bool { return a.lost.Load() > before })
		start := time.Now()
		conn, _ := net.Pipe()
		a.callBack(announcement{from: 2}, conn)
		a.await("the next attempt", func() bool { return a.lost.Load() > before+1 })
		if time.Since(start) < lastPause/2 {
			return
		}
	}
	t.Error("a call never made the next attempt come sooner")
}

// TestBoundedQueue talks to a member that takes nothing: sending must not block,
// and what does not fit is reported.
func TestBoundedQueue(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and reads nothing
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	a := newEnd(t, 1, nil)
	a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{"http://" + listener.Addr().String()}}})
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range uint64(3 * testWaiting / (32 << 10)) {
			a.Send([]*raftpb.Message{message(2, i, make([]byte, 32<<10))})
		}
	}()
	select {
	case <-sent:
	case <-time.After(patience):
		t.Fatal("Send blocks")
	}
	if a.lost.Load() == 0 {
		t.Error("messages were dropped and nobody was told")
	}
	outbox := a.peers[0].outbox
	outbox.mu.Lock() // the peer goes on trying
	defer outbox.mu.Unlock()
	if outbox.bytes > testWaiting {
		t.Errorf("%d bytes wait", outbox.bytes)
	}
}

// TestLargeMessage wants a message that is larger than all that may wait to reach its peer.
func TestLargeMessage(t *testing.T) {
	a, b := newEnd(t, 1, func(cfg *Config) { cfg.MaxWaiting = 1 << 20 }), newEnd(t, 2, nil)
	a.know(b)
	large := bytes.Repeat([]byte("x"), 3<<20)
	a.Send([]*raftpb.Message{message(2, 1, large)})
	expect(t, b.received, 1, string(large))
	if a.lost.Load() != 0 {
		t.Error("a message was dropped though none waited")
	}
}

func TestSnapshots(t *testing.T) {
	a, b := newEnd(t, 1, nil), newEnd(t, 2, nil)
	a.content = bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	a.know(b)
	a.pass(b)
	snap := func() error {
		t.Helper()
		a.Send([]*raftpb.Message{snapshotMessage(2)})
		select {
		case err := <-a.sent:
			return err
		case <-time.After(patience):
			return errors.New("nothing is told of the snapshot")
		}
	}
	if err := snap(); err != nil {
		t.Fatal(err)
	}
	if len(b.snapshots) != 1 || !bytes.Equal(b.snapshots[0], a.content) {
		t.Errorf("%d snapshots came", len(b.snapshots))
	}
	b.refuse = errors.New("no room")
	if err := snap(); err == nil {
		t.Error("a snapshot that was not taken counts as sent")
	}
	b.Close()
	b.server.CloseClientConnections()
	b.server.Close()
	if err := snap(); err == nil {
		t.Error("a snapshot to nobody counts as sent")
	}
}

// TestCloseEndsEverything closes a transport in the middle of its work, with
// peers that are there, that are not, and that hang.
func TestCloseEndsEverything(t *testing.T) {
	for round := range 5 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			a, b := newEnd(t, 1, nil), newEnd(t, 2, nil)
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
