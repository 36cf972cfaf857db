package conformance

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"strings"
	"syscall"
	"time"

	"pando/members/servertest"
)

// The client of the transcripts writes to a connection itself. net/http would clean paths, refuse bad escapes and change the
// case of header names, all of which must be compared.

// transcriptTimeout is how long the client waits for anything that must arrive.
const transcriptTimeout = servertest.Timeout

// wireHeader is one header line exactly as the server sent it.
type wireHeader struct{ name, value string }

// wireResponse is a response whose head was read. Its body is read on demand: that of a watch arrives later.
type wireResponse struct {
	conn    net.Conn
	status  string // the status line
	headers []wireHeader
	isHead  bool // the response to a HEAD has no body
	chunked bool
	raw     *bufio.Reader // of the connection
	body    io.Reader     // of this response, without its framing
}

// dialWire opens a connection.
func dialWire(addr string) (net.Conn, error) { return net.DialTimeout("tcp", addr, transcriptTimeout) }

// sendWire sends a request on a new connection and reads the head of the response.
func sendWire(addr string, request *transcriptRequest) (*wireResponse, error) {
	return sendWireOver(dialWire, addr, request)
}

// sendWireOver is sendWire on a connection of dial.
func sendWireOver(dial func(string) (net.Conn, error), addr string, request *transcriptRequest) (*wireResponse, error) {
	conn, err := dial(addr)
	if err != nil {
		return nil, err
	}
	reader := bufio.NewReader(conn)
	response, err := exchangeWire(conn, reader, request)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return response, nil
}

// exchangeWire sends a request on an open connection and reads the head of the response. It does so even after a failed write: a
// server that refuses a large body responds without reading all of it.
func exchangeWire(conn net.Conn, reader *bufio.Reader, request *transcriptRequest) (*wireResponse, error) {
	if err := conn.SetDeadline(time.Now().Add(transcriptTimeout)); err != nil {
		return nil, err
	}
	_, writeErr := io.WriteString(conn, request.wire(conn.RemoteAddr().String()))
	response := &wireResponse{conn: conn, isHead: request.method == "HEAD", raw: reader}
	for {
		err := response.readHead()
		if err != nil {
			return nil, errors.Join(err, writeErr)
		}
		if !strings.Contains(response.status, " 100 ") {
			break
		}
	}
	return response, response.prepareBody()
}

// droppedChange reports whether the reference has dropped a change of the membership, which must then be repeated. It drops a
// change that arrives before its raft has applied the previous one, and responds with a 500 some seconds later.
func droppedChange(request *transcriptRequest, status string) bool {
	return request.method != "GET" && strings.HasPrefix(request.target, "/v2/members") && strings.Contains(" "+status, " 500 ")
}

// wire returns the bytes of the request.
func (r *transcriptRequest) wire(host string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\r\n", r.method, r.target, r.proto)
	chunked := false
	if !r.hasHeader("Host") {
		fmt.Fprintf(&b, "Host: %s\r\n", host)
	}
	for _, h := range r.headers {
		b.WriteString(h + "\r\n")
		chunked = chunked || strings.EqualFold(h, "Transfer-Encoding: chunked")
	}
	switch {
	case chunked:
		fmt.Fprintf(&b, "\r\n%x\r\n%s\r\n0\r\n\r\n", len(r.body), r.body)
	case r.hasBody:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(r.body), r.body)
	default:
		b.WriteString("\r\n")
	}
	return b.String()
}

func (r *transcriptRequest) hasHeader(name string) bool {
	for _, h := range r.headers {
		if n, _, _ := strings.Cut(h, ":"); strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

func (w *wireResponse) readHead() error {
	w.headers = nil
	for first := true; ; first = false {
		line, err := w.raw.ReadString('\n')
		if err != nil {
			return fmt.Errorf("reading the head of the answer: %w", err)
		}
		line = strings.TrimRight(line, "\r\n")
		switch {
		case first:
			w.status = line
		case line == "":
			return nil
		default:
			name, value, _ := strings.Cut(line, ":")
			w.headers = append(w.headers, wireHeader{name, strings.TrimSpace(value)})
		}
	}
}

// prepareBody sets body according to the framing in the headers.
func (w *wireResponse) prepareBody() error {
	length := w.header("Content-Length")
	switch {
	case w.isHead || strings.Contains(w.status, " 204 ") || strings.Contains(w.status, " 304 "):
		w.body = strings.NewReader("")
	case w.header("Transfer-Encoding") == "chunked":
		w.chunked = true
		w.body = httputil.NewChunkedReader(w.raw)
	case length != "":
		n, err := strconv.ParseInt(length, 10, 64)
		if err != nil {
			return fmt.Errorf("Content-Length %q: %w", length, err)
		}
		w.body = io.LimitReader(w.raw, n)
	default:
		w.body = w.raw
	}
	return nil
}

// header returns the value of a header. Upper and lower case do not matter.
func (w *wireResponse) header(name string) string {
	for _, h := range w.headers {
		if strings.EqualFold(h.name, name) {
			return h.value
		}
	}
	return ""
}

// readAll reads the rest of the body, and the CRLF after a chunked one, so that the connection can be used again.
func (w *wireResponse) readAll() (string, error) {
	body, err := io.ReadAll(w.body)
	switch {
	case errors.Is(err, syscall.ECONNRESET) && w.header("Connection") == "close":
		err = nil // the server closed the connection before it had read the whole request
	case err == nil && w.chunked:
		_, err = w.raw.ReadString('\n')
	}
	return string(body), err
}
