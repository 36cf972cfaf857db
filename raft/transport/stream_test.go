package transport

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// dial sends a request for a stream as member 1, followed by more. It returns the connection and the response.
func (e *endpoint) dial(t *testing.T, more ...byte) (*net.TCPConn, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", e.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the test may have closed it
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: %s\r\n%s: 1\r\n%s: %s\r\n%s: %s\r\n%s: %s\r\n\r\n",
		streamPath, upgradeProtocol, headerFrom, headerTo, e.Self, headerCluster, e.Cluster, headerProtocol, "2")
	if _, err := conn.Write(append([]byte(head), more...)); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn), resp
}

// openStream opens a stream as member 1, followed by more. The test writes frames to the connection.
func (e *endpoint) openStream(t *testing.T, more ...byte) *net.TCPConn {
	t.Helper()
	conn, resp := e.dial(t, more...)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp.Status)
	}
	return conn
}

// TestPlainRequest requests a stream without the header Upgrade.
func TestPlainRequest(t *testing.T) {
	b := newEndpoint(t, 2, nil)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+streamPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	for header, value := range map[string]string{headerFrom: "1", headerTo: "2", headerCluster: "7", headerProtocol: "2"} {
		req.Header.Set(header, value)
	}
	resp, err := b.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	upgrade := resp.Header.Get("Upgrade")
	if resp.StatusCode != http.StatusUpgradeRequired || upgrade != upgradeProtocol || !strings.Contains(string(text), upgradeProtocol) {
		t.Errorf("%s, Upgrade: %q, %s", resp.Status, upgrade, text)
	}
	if !b.LastReceived(1).IsZero() {
		t.Error("a refused request counts as received")
	}
}

// TestFramesWithRequest sends the first frame and a part of the second together with the request.
func TestFramesWithRequest(t *testing.T) {
	b := newEndpoint(t, 2, nil)
	data := frames(t, message(2, 1, []byte("one")), message(2, 2, []byte("two")))
	cut := len(data) - 5
	conn := b.openStream(t, data[:cut]...)
	expect(t, b.received, 1, "one")
	if _, err := conn.Write(data[cut:]); err != nil {
		t.Fatal(err)
	}
	expect(t, b.received, 2, "two")
}

// expect waits for a message, which must have this index and data.
func expect(t *testing.T, received <-chan *raftpb.Message, index uint64, data string) {
	t.Helper()
	select {
	case m := <-received:
		if got := string(m.GetEntries()[0].GetData()); m.GetIndex() != index || got != data {
			t.Fatalf("message %d with %d bytes arrived in place of message %d with %d", m.GetIndex(), len(got), index, len(data))
		}
	case <-time.After(patience):
		t.Fatalf("message %d did not arrive", index)
	}
}

// TestCloseEndsIncoming closes a transport with incoming streams.
func TestCloseEndsIncoming(t *testing.T) {
	b := newEndpoint(t, 2, nil)
	conns := []*net.TCPConn{b.openStream(t), b.openStream(t)}
	closed := make(chan struct{})
	go func() { b.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(StreamTimeout - time.Second):
		t.Error("Close waits for the other members")
	}
	for _, conn := range conns {
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err != io.EOF {
			t.Errorf("the stream is not closed: %d bytes, %v", n, err)
		}
	}
	if _, resp := b.dial(t); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("after Close: %s", resp.Status)
	}
}

// TestInvalidFrameEndsStream sends bytes that are not a frame. The transport must close the stream.
func TestInvalidFrameEndsStream(t *testing.T) {
	b := newEndpoint(t, 2, nil)
	conn := b.openStream(t)
	if _, err := io.WriteString(conn, "5\r\nhello\r\n"); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, conn); n > 0 {
		t.Errorf("%d bytes were sent back: %v", n, err)
	}
	b.await("the stream to end", func() bool { return b.LastReceived(1).IsZero() })
}

// deadlines records the deadlines that a reader sets.
type deadlines []time.Time

func (d *deadlines) SetReadDeadline(at time.Time) error {
	*d = append(*d, at)
	return nil
}

// TestMinRateReader sends single bytes slowly. They must not move the deadline of the chunk. Then it sends the rest of the
// chunk and one byte more. The next chunk must have a new deadline.
func TestMinRateReader(t *testing.T) {
	var set deadlines
	in, out := io.Pipe()
	defer in.Close()
	go func() {
		for range 10 {
			<-time.After(5 * time.Millisecond)
			_, _ = out.Write([]byte("x")) // if this fails, the reads below fail
		}
		_, _ = out.Write(make([]byte, chunkBytes))
		_, _ = out.Write([]byte("x"))
	}()
	r := &minRateReader{in: in, timer: &set}
	for range 10 {
		if n, err := r.Read(make([]byte, 10)); n != 1 || err != nil {
			t.Fatalf("%d bytes, %v", n, err)
		}
	}
	if moved := set[9].Sub(set[0]); moved > 25*time.Millisecond {
		t.Errorf("ten bytes have moved the deadline by %v", moved)
	}
	if _, err := io.ReadFull(r, make([]byte, chunkBytes+1)); err != nil {
		t.Fatal(err)
	}
	if moved := set[len(set)-1].Sub(set[0]); moved < 25*time.Millisecond {
		t.Errorf("a whole chunk has moved the deadline by %v", moved)
	}
}
