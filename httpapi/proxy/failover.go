package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"go.uber.org/zap"
)

// errNoEndpoints means that no member is known, or that all members are excluded.
var errNoEndpoints = errors.New("httpproxy: zero endpoints currently available")

// errClientBody means that the client did not send the whole body.
var errClientBody = errors.New("httpproxy: the request's body can't be read")

// errUnsendable means that the request can't be sent to any member, because the transport refuses it.
var errUnsendable = errors.New("httpproxy: the request can't be passed on")

// errNoResources means that this host has no descriptors, ports or memory for another connection.
var errNoResources = errors.New("httpproxy: the proxy can't open another connection")

// failedError means that no member answered the request.
type failedError struct {
	tried   int     // how many members were tried
	inDoubt bool    // a write was sent to a member and may be applied
	reasons []error // one for each member
}

func (e *failedError) Error() string {
	text := fmt.Sprintf("httpproxy: unable to get response from %d endpoint(s)", e.tried)
	if e.inDoubt {
		text += "; the request was sent and may have been carried out: read before you repeat it"
	}
	return text
}

func (e *failedError) Unwrap() []error { return e.reasons }

// failover is an http.RoundTripper. It sends each request to the first member in the order of its client, and to others if that
// member fails.
type failover struct {
	next      http.RoundTripper
	endpoints *endpoints
	onFailure func() // called after each failure of a member
	log       *zap.Logger
}

// RoundTrip is send for httputil.ReverseProxy.
func (f *failover) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, _, err := f.send(r, clientOf(r))
	return resp, err
}

// send sends the request to the members in the order of a client until one responds. It stops after a failure that would repeat on any
// other member, and when a write might be applied twice. After an error, inDoubt says that the request is a write, and that a part of it
// was sent: it may be applied.
func (f *failover) send(r *http.Request, client string) (resp *http.Response, inDoubt bool, err error) {
	defer func() {
		if r.Body != nil {
			_ = r.Body.Close() // attempts leave it open
		}
	}()
	list := f.endpoints.inOrder(client)
	if len(list) == 0 {
		return nil, false, errNoEndpoints
	}
	failed := &failedError{}
	for _, endpoint := range list {
		a := &attempt{body: &trackedBody{from: r.Body}}
		resp, err := a.send(f.next, r, endpoint)
		if err == nil {
			return resp, false, nil
		}
		inDoubt := !isRead(r.Method) && a.sent()
		if readErr := a.body.readErr.Load(); readErr != nil { // checked first: net/http then cancels the context, too
			return nil, inDoubt, fmt.Errorf("%w: %w", errClientBody, *readErr)
		}
		if r.Context().Err() != nil {
			return nil, inDoubt, r.Context().Err() // the client is gone, or the time of the request has ended
		}
		if err := f.handleFailure(a, endpoint); err != nil {
			return nil, inDoubt, err
		}
		failed.tried++
		failed.reasons = append(failed.reasons, err)
		if !a.repeatable(r.Method) {
			failed.inDoubt = inDoubt
			return nil, inDoubt, failed
		}
	}
	return nil, false, failed
}

// handleFailure finds the cause of a failed attempt. If the member caused it, handleFailure excludes the member. It returns an error
// if the request would fail on any other member, too.
func (f *failover) handleFailure(a *attempt, endpoint string) error {
	switch {
	case a.memberFailed():
		f.endpoints.fail(endpoint)
		f.onFailure()
		f.log.Warn("a member failed and gets no requests for a while", zap.String("endpoint", endpoint), zap.Error(a.err))
	case a.conn != nil && a.conn.readTimedOut.Load() && a.body.partlyRead():
		return fmt.Errorf("%w: it took longer than --proxy-read-timeout", errClientBody)
	case isLocalShortage(a.err):
		return fmt.Errorf("%w: %w", errNoResources, a.err)
	case a.conn == nil:
		return fmt.Errorf("%w: %w", errUnsendable, a.err) // the transport refused the request before it chose a connection
	default:
		f.log.Warn("a member gave no valid answer on a working connection", zap.String("endpoint", endpoint), zap.Error(a.err))
	}
	return nil
}

// clientOf returns the host that a request came from.
func clientOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
