package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"go.uber.org/zap"
)

// errNoEndpoints says that no member is known, or that all of them have failed
// a moment ago.
var errNoEndpoints = errors.New("httpproxy: zero endpoints currently available")

// errClientBody says that the client did not send the whole body.
var errClientBody = errors.New("httpproxy: the request's body can't be read")

// errUnsendable says that the request can't be written to any member.
var errUnsendable = errors.New("httpproxy: the request can't be passed on")

// errShortage says that this process can't open a connection to any member.
var errShortage = errors.New("httpproxy: the proxy can't open another connection")

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
		a := &attempt{body: &countedBody{from: r.Body}}
		resp, err := a.send(f.next, r, endpoint)
		if err == nil {
			return resp, nil
		}
		if broken := a.body.broken.Load(); broken != nil { // which ends the request's context, too
			return nil, fmt.Errorf("%w: %w", errClientBody, *broken)
		}
		if r.Context().Err() != nil {
			return nil, r.Context().Err() // the client has gone: nobody's fault
		}
		if err := f.judge(a, endpoint); err != nil {
			return nil, err
		}
		all.tried++
		all.reasons = append(all.reasons, err)
		if !a.repeatable(r.Method) {
			all.doubt = a.sent()
			return nil, all
		}
	}
	return nil, all
}

// judge finds out whose fault a failed attempt was, and keeps requests away from
// a member that failed. It returns an error if another member would not help.
func (f *failover) judge(a *attempt, endpoint string) error {
	switch {
	case a.memberFailed():
		f.endpoints.fail(endpoint)
		f.failed()
		f.log.Warn("member fails, it gets no requests for a while", zap.String("endpoint", endpoint), zap.Error(a.err))
	case a.conn != nil && a.conn.late.Load() && a.body.underway():
		return fmt.Errorf("%w: it took longer than --proxy-read-timeout", errClientBody)
	case isShortage(a.err):
		return fmt.Errorf("%w: %w", errShortage, a.err)
	case a.conn == nil:
		return fmt.Errorf("%w: %w", errUnsendable, a.err) // refused before there was a connection
	default:
		f.log.Warn("no answer of a member, though its connection holds", zap.String("endpoint", endpoint), zap.Error(a.err))
	}
	return nil
}

// clientOf is the host that a request comes from.
func clientOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
