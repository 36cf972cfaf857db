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

// attempt is one request to one member. After a failure it reports whether the member failed, and whether a part of the request was
// sent.
type attempt struct {
	body *trackedBody
	err  error

	// The transport may use several connections in turn. It calls gotConn from the goroutine of RoundTrip only.
	conn              *memberConn // the last connection; nil before the first
	bytesBefore       uint64      // conn.sent when this attempt got the connection
	sentOnEarlierConn bool        // a part of the request was sent on an earlier connection
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
	case isRead(r.Method): // members ignore the body of a read, and without a body a read can be repeated
		out.Body, out.ContentLength, out.TransferEncoding = nil, 0, nil
	case r.Body != nil && r.Body != http.NoBody:
		out.Body = a.body
	}
	resp, err := next.RoundTrip(out)
	a.err = err
	return resp, err
}

// untracedContext is a context without the trace of httputil.ReverseProxy. That trace passes the interim responses of a member
// on to the client, together with the headers that belong to the final response. A client that sends Expect: 100-continue gets its
// 100 from net/http in this process, at the first read of the body.
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
	a.sentOnEarlierConn = a.sent()
	a.conn, _ = info.Conn.(*memberConn)
	if a.conn != nil {
		a.bytesBefore = a.conn.sent.Load()
	}
}

// sent reports whether any byte of the request was written to a connection, or may have been: the transport gives up a connection
// while another goroutine writes to it.
func (a *attempt) sent() bool {
	return a.sentOnEarlierConn || a.conn != nil && (a.conn.writing.Load() || a.conn.sent.Load() > a.bytesBefore)
}

// memberFailed reports whether the attempt failed by an I/O error on a connection to the member, or because no connection could be
// opened. Other errors do not show that the member is down: the transport refuses the request, the response is not HTTP, or the member
// sends nothing while the client is still sending the body.
func (a *attempt) memberFailed() bool {
	if a.conn != nil {
		return a.conn.failed.Load() || a.conn.readTimedOut.Load() && !a.body.partlyRead()
	}
	return (isDial(a.err) || errors.Is(a.err, errHandshake)) && !isLocalShortage(a.err)
}

// repeatable reports whether the request can be sent to another member. A read always can. A write can't after a part of it was sent,
// because it might be applied twice, nor after a part of its body was read, because that part is lost.
func (a *attempt) repeatable(method string) bool {
	return isRead(method) || !a.sent() && !a.body.read.Load()
}

// isRead reports whether requests with a method change nothing.
func isRead(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// isDial reports whether an error means that no connection could be opened.
func isDial(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// isLocalShortage reports whether an error means that this host has no descriptors, ports or memory for another connection. Such an
// error is no failure of the member.
func isLocalShortage(err error) bool {
	for _, shortage := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, shortage) {
			return true
		}
	}
	return false
}

// trackedBody is a request's body that records whether it was read, and to its end. Close has no effect: the next attempt may need
// the body.
type trackedBody struct {
	from    io.Reader
	read    atomic.Bool           // Read was called
	ended   atomic.Bool           // the body was read to its end
	readErr atomic.Pointer[error] // the error of reading from the client; nil if there was none
}

// Read reads from the client. It sets read before the result is known: after an error any number of bytes may be lost.
func (b *trackedBody) Read(p []byte) (int, error) {
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
func (b *trackedBody) partlyRead() bool { return b.read.Load() && !b.ended.Load() }

// Close has no effect.
func (b *trackedBody) Close() error { return nil }
