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

// A stream begins as an HTTP/1.1 request that asks to switch to the protocol upgradeProtocol. A request that is refused
// gets an ordinary answer.
const (
	upgradeProtocol = "pando-raft"
	switching       = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + upgradeProtocol + "\r\n"
)

// connect opens a stream to the peer. The nonblockingWriter writes to the same connection; it is nil where that is not
// possible.
func (p *peer) connect() (io.ReadWriteCloser, *nonblockingWriter, error) {
	// Once the protocol is switched, the end of the context does not close the connection.
	ctx, cancel := context.WithTimeout(p.ctx, StreamTimeout)
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
	req.Header.Set("Upgrade", upgradeProtocol)
	resp, err := p.t.Client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	stream, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		err = p.outcome(resp)
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
	p.setStream(stream, theirs)
	return stream, newNonblockingWriter(conn), nil
}

// checkUpgrade reports whether the request asks for a stream, and answers it if not.
func checkUpgrade(w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Upgrade") == upgradeProtocol {
		return true
	}
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", upgradeProtocol)
	http.Error(w, fmt.Sprintf("a stream needs the header Upgrade: %s", upgradeProtocol), http.StatusUpgradeRequired)
	return false
}

// acceptStream makes the connection of a request a stream. The caller must close the connection, and read from the
// reader: the server may have read the first frames already.
func (t *Transport) acceptStream(w http.ResponseWriter) (net.Conn, io.Reader, error) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, fmt.Sprintf("a stream needs a connection of its own: %v", err), http.StatusInternalServerError)
		return nil, nil, err
	}
	first, _ := buffered.Peek(buffered.Reader.Buffered())
	in := io.MultiReader(bytes.NewReader(bytes.Clone(first)), &idleReader{in: conn, timer: conn})
	err = conn.SetDeadline(time.Now().Add(StreamTimeout))
	if err == nil {
		err = t.writeSwitching(conn)
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, in, nil
}

// writeSwitching writes the answer behind which the connection is a stream.
func (t *Transport) writeSwitching(conn net.Conn) error {
	head := bytes.NewBufferString(switching)
	h := http.Header{}
	t.announce(h)
	_ = h.Write(head) // a bytes.Buffer returns no errors
	head.WriteString("\r\n")
	_, err := head.WriteTo(conn)
	return err
}
