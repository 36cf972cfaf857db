package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"syscall"
)

// attempt is one request to one member. After a failure it tells whether the member failed, and whether the member may have
// received a part of the request.
type attempt struct {
	body *countedBody
	err  error

	// The transport may use several connections in turn. It calls gotConn from the goroutine of RoundTrip only.
	conn        *memberConn // the last connection; nil before the first
	sentBefore  uint64      // conn.sent when this attempt got the connection
	sentEarlier bool        // a part of the request was sent on an earlier connection
}

// send sends the request to a member. It leaves the request's body open.
func (a *attempt) send(next http.RoundTripper, r *http.Request, endpoint string) (*http.Response, error) {
	member, err := url.Parse(endpoint)
	if err != nil {
		a.err = err
		return nil, err
	}
	out := r.Clone(httptrace.WithClientTrace(untracedContext{r.Context()}, &httptrace.ClientTrace{GotConn: a.gotConn}))
	out.URL.Scheme, out.URL.Host = member.Scheme, member.Host
	out.Trailer = nil // the API has none, and the transport refuses some trailers that the server accepts
	switch {
	case isRead(r.Method): // members ignore its body, and without a body it can be sent again
		out.Body, out.ContentLength, out.TransferEncoding = nil, 0, nil
	case r.Body != nil && r.Body != http.NoBody:
		out.Body = a.body
	}
	resp, err := next.RoundTrip(out)
	a.err = err
	return resp, err
}

// untracedContext is a context without the trace of httputil.ReverseProxy. That trace passes the interim responses of a member
// on to the client, together with the headers that belong to the final response. A client that sends Expect: 100-continue
// gets its 100 from this server when the body is first read.
type untracedContext struct{ context.Context }

// Value returns the value of the context for key, except a trace.
func (c untracedContext) Value(key any) any {
	v := c.Context.Value(key)
	if _, ok := v.(*httptrace.ClientTrace); ok {
		return nil
	}
	return v
}

// gotConn records the connection that the transport has chosen.
func (a *attempt) gotConn(info httptrace.GotConnInfo) {
	a.sentEarlier = a.sent()
	a.conn, _ = info.Conn.(*memberConn)
	if a.conn != nil {
		a.sentBefore = a.conn.sent.Load()
	}
}

// sent reports whether any byte of the request was written to a connection.
func (a *attempt) sent() bool {
	return a.sentEarlier || a.conn != nil && a.conn.sent.Load() > a.sentBefore
}

// memberFailed reports whether the attempt failed by an I/O error on a connection to the member, or by a failed dial. Other
// errors do not show that the member is down: a request that the transport refuses, an answer that is not HTTP, or a member
// that sends nothing while the client is still sending the body.
func (a *attempt) memberFailed() bool {
	if a.conn != nil {
		return a.conn.failed.Load() || a.conn.readTimedOut.Load() && !a.body.partlyRead()
	}
	return isDial(a.err) && !isLocalShortage(a.err)
}

// repeatable reports whether the request can be sent to another member. A read always can. A write can't if a part of it was
// sent, because it might be applied twice, nor if a part of its body was read, because the rest alone is not the request.
func (a *attempt) repeatable(method string) bool {
	return isRead(method) || !a.sent() && !a.body.read.Load()
}

// isRead reports whether a request changes nothing.
func isRead(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// isDial reports whether an error means that no connection could be opened.
func isDial(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// isLocalShortage reports whether an error means that this host has no descriptors, ports or memory for another connection.
// It tells nothing about the member.
func isLocalShortage(err error) bool {
	for _, own := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}

// countedBody is a request's body that records how far it was read. Close has no effect: the next attempt may need the body.
type countedBody struct {
	from    io.Reader
	read    atomic.Bool           // Read was called
	ended   atomic.Bool           // the body was read to its end
	readErr atomic.Pointer[error] // the error of reading from the client; nil if there was none
}

// Read reads from the client. It sets read first: after an error the number of bytes that are lost is unknown.
func (b *countedBody) Read(p []byte) (int, error) {
	b.read.Store(true)
	n, err := b.from.Read(p)
	if err != nil && err != io.EOF {
		b.readErr.Store(&err)
	}
	if err == io.EOF {
		b.ended.Store(true)
	}
	return n, err
}

// partlyRead reports whether reading the body has begun and has not reached its end.
func (b *countedBody) partlyRead() bool { return b.read.Load() && !b.ended.Load() }

// Close has no effect.
func (b *countedBody) Close() error { return nil }
