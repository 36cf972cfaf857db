package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"

	"go.uber.org/zap"
)

// errNoEndpoints says that no member is known, or that all of them have failed
// a moment ago.
var errNoEndpoints = errors.New("httpproxy: zero endpoints currently available")

// errClientBody says that the client did not send the whole body.
var errClientBody = errors.New("httpproxy: the request's body can't be read")

// allFailedError says that members were tried in vain.
type allFailedError struct {
	tried   int
	doubt   bool // whether a write was sent, and may happen
	reasons []error
}

func (e *allFailedError) Error() string {
	text := fmt.Sprintf("httpproxy: unable to get response from %d endpoint(s)", e.tried)
	if e.doubt {
		text += "; the request was sent and may have been carried out: read before you repeat it"
	}
	return text
}

func (e *allFailedError) Unwrap() []error { return e.reasons }

// failover is the transport that finds a member for each request.
type failover struct {
	next      http.RoundTripper
	endpoints *endpoints
	failed    func() // is told of each failure
	log       *zap.Logger
}

func newFailover(cfg Config, e *endpoints, failed func()) *failover {
	return &failover{next: newTransport(cfg), endpoints: e, failed: failed, log: cfg.Logger}
}

// RoundTrip sends the request to the client's member, or the next that can be
// had.
func (f *failover) RoundTrip(r *http.Request) (*http.Response, error) {
	defer func() {
		if r.Body != nil {
			_ = r.Body.Close() // the attempts leave it open
		}
	}()
	list := f.endpoints.inOrder(clientOf(r))
	if len(list) == 0 {
		return nil, errNoEndpoints
	}
	all := &allFailedError{}
	for _, endpoint := range list {
		body := &countedBody{from: r.Body}
		resp, err := f.try(r, endpoint, body)
		if err == nil {
			return resp, nil
		}
		if r.Context().Err() != nil {
			return nil, r.Context().Err() // the client has gone: nobody's fault
		}
		if broken := body.broken.Load(); broken != nil {
			return nil, fmt.Errorf("%w: %w", errClientBody, *broken)
		}
		f.endpoints.fail(endpoint)
		f.failed()
		f.log.Warn("member fails, it gets no requests for a while", zap.String("endpoint", endpoint), zap.Error(err))
		all.tried++
		all.reasons = append(all.reasons, err)
		if !isRead(r.Method) && (!neverSent(err) || body.read.Load()) {
			all.doubt = true
			return nil, all
		}
	}
	return nil, all
}

// try sends the request to one member. The body stays open.
func (f *failover) try(r *http.Request, endpoint string, body *countedBody) (*http.Response, error) {
	member, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host = member.Scheme, member.Host
	switch {
	case isRead(r.Method): // no member looks at its body, and without one it can be sent again
		out.Body, out.ContentLength = nil, 0
	case r.Body != nil && r.Body != http.NoBody:
		out.Body = body
	}
	return f.next.RoundTrip(out)
}

// isRead reports whether a request changes nothing.
func isRead(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// neverSent reports whether the error came before a connection was there.
func neverSent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// clientOf is the host that a request comes from.
func clientOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// countedBody knows whether anything was read of the body, and whether that
// failed, and leaves it open for the next attempt.
type countedBody struct {
	from   io.Reader
	read   atomic.Bool
	broken atomic.Pointer[error] // why the client's side can't be read on
}

// Read reads on; it says so first, for an error leaves the rest unknown.
func (b *countedBody) Read(p []byte) (int, error) {
	b.read.Store(true)
	n, err := b.from.Read(p)
	if err != nil && err != io.EOF {
		b.broken.Store(&err)
	}
	return n, err
}

// Close does nothing.
func (b *countedBody) Close() error { return nil }
