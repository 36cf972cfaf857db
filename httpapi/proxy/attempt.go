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

// attempt is one request to one member, and what can be told of it when it
// fails: whose fault that was, and whether the member may have got any of it.
type attempt struct {
	body *countedBody
	err  error

	// The transport uses one connection after the other until one serves. Its
	// trace is called by the goroutine of RoundTrip alone.
	conn      *memberConn // nil before there is one
	sentBegin uint64      // conn.sent when the attempt got it
	sentOther bool        // something was sent on a connection before
}

// send sends the request to a member. The request's body stays open.
func (a *attempt) send(next http.RoundTripper, r *http.Request, endpoint string) (*http.Response, error) {
	member, err := url.Parse(endpoint)
	if err != nil {
		a.err = err
		return nil, err
	}
	out := r.Clone(httptrace.WithClientTrace(untraced{r.Context()}, &httptrace.ClientTrace{GotConn: a.gotConn}))
	out.URL.Scheme, out.URL.Host = member.Scheme, member.Host
	out.Trailer = nil // the API has none, and the transport refuses some that the server takes
	switch {
	case isRead(r.Method): // no member looks at its body, and without one it can be sent again
		out.Body, out.ContentLength, out.TransferEncoding = nil, 0, nil
	case r.Body != nil && r.Body != http.NoBody:
		out.Body = a.body
	}
	resp, err := next.RoundTrip(out)
	a.err = err
	return resp, err
}

// untraced is a context without the trace of httputil.ReverseProxy, which passes interim
// answers on, and with the 100 of a member the headers that are meant for the answer. A client that
// asks before it sends gets its 100 from this server, when its body is first read.
type untraced struct{ context.Context }

// Value gives what the context has under key.
func (c untraced) Value(key any) any {
	v := c.Context.Value(key)
	if _, ok := v.(*httptrace.ClientTrace); ok {
		return nil
	}
	return v
}

func (a *attempt) gotConn(info httptrace.GotConnInfo) {
	a.sentOther = a.sent()
	a.conn, _ = info.Conn.(*memberConn)
	if a.conn != nil {
		a.sentBegin = a.conn.sent.Load()
	}
}

// sent reports whether any byte of the request has left for a member.
func (a *attempt) sent() bool {
	return a.sentOther || a.conn != nil && a.conn.sent.Load() > a.sentBegin
}

// memberFailed reports whether the attempt failed by an I/O error to the member.
// Anything else, a request that the transport refuses or an answer that is no
// HTTP, does not tell that the member is down. Neither does a member that says nothing
// while the client is still sending.
func (a *attempt) memberFailed() bool {
	if a.conn != nil {
		return a.conn.broken.Load() || a.conn.late.Load() && !a.body.underway()
	}
	return isDial(a.err) && !isShortage(a.err)
}

// repeatable reports whether the request can go to another member. A read always
// can. A write can't once anything of it was sent, for nobody could say whether
// it would happen twice, or once its body was read, for the rest would be half.
func (a *attempt) repeatable(method string) bool {
	return isRead(method) || !a.sent() && !a.body.read.Load()
}

// isRead reports whether a request changes nothing.
func isRead(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// isDial reports whether the error came before a connection was there.
func isDial(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// isShortage reports whether this host has no means for another connection, which
// says nothing about the member.
func isShortage(err error) bool {
	for _, own := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}

// countedBody knows whether anything was read of the body, and whether that
// failed, and leaves it open for the next attempt.
type countedBody struct {
	from   io.Reader
	read   atomic.Bool
	ended  atomic.Bool
	broken atomic.Pointer[error] // why the client's side can't be read on
}

// Read reads on; it says so first, for an error leaves the rest unknown.
func (b *countedBody) Read(p []byte) (int, error) {
	b.read.Store(true)
	n, err := b.from.Read(p)
	if err != nil && err != io.EOF {
		b.broken.Store(&err)
	}
	if err == io.EOF {
		b.ended.Store(true)
	}
	return n, err
}

// underway reports whether a part of the body was read, and not yet all.
func (b *countedBody) underway() bool { return b.read.Load() && !b.ended.Load() }

// Close does nothing.
func (b *countedBody) Close() error { return nil }
