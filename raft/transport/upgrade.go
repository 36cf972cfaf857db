package transport

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"time"
)

// A stream begins as a request of HTTP/1.1 that asks for another protocol on its
// connection. Who is refused gets an ordinary answer.
const (
	upgrade   = "pando-raft"
	switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + upgrade + "\r\n"
)

// connect asks the peer for a stream. What it gives is the connection, and what
// writes to it without waiting, if that can be done.
func (p *peer) connect() (io.ReadWriteCloser, *direct, error) {
	// The end of the context does not concern a connection that has switched.
	ctx, cancel := context.WithTimeout(p.ctx, Silence)
	defer cancel()
	var conn net.Conn
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) { conn = got.Conn },
	})
	req, err := p.request(ctx, streamPath, nil, 0)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", upgrade)
	resp, err := p.t.Client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	stream, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		err = p.verdict(resp)
		if err == nil {
			err = fmt.Errorf("transport: %s instead of a stream", resp.Status)
		}
		return nil, nil, err
	}
	theirs := readAnnouncement(p.id, resp.Header)
	if err := p.t.checkCompatible(theirs); err != nil {
		_ = stream.Close()
		return nil, nil, err
	}
	p.connected(stream, theirs)
	return stream, newDirect(conn), nil
}

// asksForStream checks that the request can become a stream, and answers one that
// can't.
func asksForStream(w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Upgrade") == upgrade {
		return true
	}
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", upgrade)
	http.Error(w, fmt.Sprintf("a stream needs the header Upgrade: %s", upgrade), http.StatusUpgradeRequired)
	return false
}

// accept makes the request's connection a stream, to be closed by the caller. The
// reader gives what comes, and what came ahead.
func (t *Transport) accept(w http.ResponseWriter) (net.Conn, io.Reader, error) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, fmt.Sprintf("a stream needs a connection of its own: %v", err), http.StatusInternalServerError)
		return nil, nil, err
	}
	ahead, _ := buffered.Peek(buffered.Reader.Buffered())
	in := io.MultiReader(bytes.NewReader(bytes.Clone(ahead)), &livelyReader{in: conn, timer: conn})
	err = conn.SetDeadline(time.Now().Add(Silence))
	if err == nil {
		err = t.writeSwitching(conn)
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, in, nil
}

// writeSwitching writes the answer after which the connection is a stream.
func (t *Transport) writeSwitching(conn net.Conn) error {
	head := bytes.NewBufferString(switching)
	h := http.Header{}
	t.announce(h)
	_ = h.Write(head) // memory takes all
	head.WriteString("\r\n")
	_, err := head.WriteTo(conn)
	return err
}

// livelyReader gives up when nothing comes for Silence, or a little less: to move
// the deadline for each read would cost more than many a read.
type livelyReader struct {
	in    io.Reader
	timer interface{ SetReadDeadline(at time.Time) error }
	moved time.Time // when the deadline was
}

func (l *livelyReader) Read(p []byte) (int, error) {
	if now := time.Now(); now.Sub(l.moved) > keepAlive/2 {
		if err := l.timer.SetReadDeadline(now.Add(Silence)); err != nil {
			return 0, err
		}
		l.moved = now
	}
	return l.in.Read(p)
}

// steadyReader reads what has an end, and gives up when it waits longer than slowest
// for a gulp: somebody who sends a byte now and then must not hold a place that others
// wait for. A sender gives up on its side when as much is not taken; see impatientConn.
type steadyReader struct {
	in     io.Reader
	timer  interface{ SetReadDeadline(at time.Time) error }
	left   int           // of the gulp under way
	waited time.Duration // for it; what the reader does in between does not count
}

// slowest is how long a gulp may take. It is longer than for the sender, whose side
// notices first when the network is slow.
const slowest = 2 * Silence

func (s *steadyReader) Read(p []byte) (int, error) {
	if s.left <= 0 {
		s.left, s.waited = gulp, 0
	}
	start := time.Now()
	if err := s.timer.SetReadDeadline(start.Add(slowest - s.waited)); err != nil {
		return 0, err
	}
	n, err := s.in.Read(p)
	s.left -= n
	s.waited += time.Since(start)
	return n, err
}
