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

// A stream begins as an HTTP/1.1 request that asks to switch to the protocol upgradeProtocol. The response to a refused
// request is an ordinary HTTP response.
const (
	upgradeProtocol = "pando-raft"
	switchingHead   = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + upgradeProtocol + "\r\n"
)

// outgoingStream is a stream to a peer.
type outgoingStream struct {
	io.ReadWriter
	conn net.Conn // a *tls.Conn if the URL has the scheme https
	url  string   // the peer URL
}

// Close closes the connection of the stream. It never blocks.
func (s *outgoingStream) Close() error { return closeNow(s.conn) }

// connect opens a stream to the peer. The nonblockingWriter writes to the same connection. It is nil if the connection
// supports only blocking writes.
func (p *peer) connect() (*outgoingStream, *nonblockingWriter, error) {
	// After the switch of protocols, the end of ctx does not close the connection.
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
	body, ok := resp.Body.(io.ReadWriter)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		err = p.checkResponse(resp)
		if err == nil {
			err = fmt.Errorf("transport: %s instead of a stream", resp.Status)
		}
		return nil, nil, err
	}
	stream := &outgoingStream{body, conn, req.URL.Scheme + "://" + req.URL.Host}
	theirs := readAnnouncement(p.id, resp.Header)
	if err := p.t.checkCompatible(theirs); err != nil {
		_ = stream.Close()
		return nil, nil, err
	}
	p.setStream(stream, theirs)
	return stream, newNonblockingWriter(conn), nil
}

// checkUpgrade reports whether the request asks for a stream. If not, it responds with an error.
func checkUpgrade(w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Upgrade") == upgradeProtocol {
		return true
	}
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", upgradeProtocol)
	http.Error(w, fmt.Sprintf("a stream needs the header Upgrade: %s", upgradeProtocol), http.StatusUpgradeRequired)
	return false
}

// acceptStream turns the connection of a request into a stream. The caller must close the connection. It must read from the
// returned reader, because the server may have read the first frames already.
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

// writeSwitching writes the response with status 101. The first frame may follow it.
func (t *Transport) writeSwitching(conn net.Conn) error {
	head := bytes.NewBufferString(switchingHead)
	h := http.Header{}
	t.announce(h)
	_ = h.Write(head) // a bytes.Buffer returns no errors
	head.WriteString("\r\n")
	_, err := head.WriteTo(conn)
	return err
}
