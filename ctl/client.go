package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// maxRedirects is how often one request follows a Location.
const maxRedirects = 10

// repetition says when a request may go to another endpoint after it failed at one.
type repetition int

const (
	// harmless: a second execution changes nothing that the first did not.
	harmless repetition = iota
	// harmful: only when it is certain that the first was never sent.
	harmful
)

// request is what goes to one of the endpoints.
type request struct {
	method      string
	path        string // below the endpoint's own path
	query       url.Values
	contentType string // empty: no body
	body        string
	repetition  repetition
	// alone: the legacy client does not offer this request to a second endpoint, and shows its error bare.
	alone bool
	// patient: there is no limit to the wait for the answer.
	patient bool
	// began is called with the headers of the answer, before its body is read. It may be nil.
	began func(http.Header)
}

// answer is what an endpoint said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// client sends requests to the endpoints of one cluster. It is not safe for concurrent use.
type client struct {
	endpoints     []*url.URL
	pinned        int // the endpoint that answered last is tried first
	transport     *http.Transport
	user          string
	password      string
	headerTimeout time.Duration // zero: none
	bodyTimeout   time.Duration // between two pieces of an answer
	debug         io.Writer     // nil: off
}

// newClient makes a client for the endpoints that the user gave. Errors are about what the user gave.
func (p *program) newClient(c *cli.Context) (*client, error) {
	names, err := p.endpointList(c)
	if err != nil {
		return nil, err
	}
	transport, err := newTransport(c)
	if err != nil {
		return nil, err
	}
	user, password, err := p.credentials(c)
	if err != nil {
		return nil, err
	}
	endpoints, err := parseEndpoints(names)
	if err != nil {
		return nil, err
	}
	cl := &client{
		endpoints: endpoints, transport: transport,
		user: user, password: password,
		headerTimeout: c.Duration(timeoutFlag), bodyTimeout: bodyPatience,
	}
	if c.Bool(debugFlag) {
		cl.debug = p.stderr
	}
	return cl, nil
}

func (cl *client) debugf(format string, args ...any) {
	if cl.debug != nil {
		fmt.Fprintf(cl.debug, format, args...)
	}
}

// do sends the request to the endpoints in turn until one answers with anything but a 5xx. It stops early at a
// failure that might have changed something and must not happen twice, and when ctx is done.
func (cl *client) do(ctx context.Context, r *request) (*answer, error) {
	failed := &clusterError{}
	for i := range cl.endpoints {
		at := (cl.pinned + i) % len(cl.endpoints)
		endpoint := cl.endpoints[at]
		a, sent, err := cl.ask(ctx, endpoint, r)
		if err == nil && a.status/100 == 5 {
			err = serverError(endpoint, a.status)
		}
		if err == nil {
			cl.pinned = at
			return a, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		failed.errs = append(failed.errs, err)
		if sent && r.repetition == harmful {
			cl.pinned = (at + 1) % len(cl.endpoints)
			break
		}
	}
	if r.alone && len(failed.errs) == 1 {
		return nil, failed.errs[0]
	}
	return nil, failed
}

// serverError describes a 5xx answer.
func serverError(endpoint *url.URL, status int) error {
	if status == http.StatusInternalServerError || status == http.StatusServiceUnavailable {
		return fmt.Errorf("client: etcd member %s has no leader", endpoint)
	}
	return fmt.Errorf("client: etcd member %s returns server error [%s]", endpoint, http.StatusText(status))
}

// ask sends the request to one endpoint and follows its redirects. sent is false when nothing of the request can
// have reached the server.
func (cl *client) ask(ctx context.Context, endpoint *url.URL, r *request) (a *answer, sent bool, err error) {
	target := requestURL(endpoint, r)
	for range maxRedirects + 1 {
		var onTheWire bool
		a, onTheWire, err = cl.roundTrip(ctx, endpoint, target, r)
		sent = sent || onTheWire
		if err != nil {
			return nil, sent, err
		}
		if a.status/100 != 3 {
			return a, sent, nil
		}
		location := a.header.Get("Location")
		if location == "" {
			return nil, false, errNoLocation // a redirect is no execution
		}
		next, err := target.Parse(location)
		if err != nil {
			return nil, false, fmt.Errorf("location header not valid URL: %s", location)
		}
		target, sent = next, false
	}
	return nil, false, errTooManyRedirects
}

// requestURL joins the endpoint and the request's path. A slash at the end stays, all else is cleaned.
func requestURL(endpoint *url.URL, r *request) *url.URL {
	u := *endpoint
	joined := endpoint.Path + r.path
	u.Path = path.Clean("/" + joined)
	if strings.HasSuffix(joined, "/") && u.Path != "/" {
		u.Path += "/"
	}
	u.RawQuery = r.query.Encode()
	return &u
}

// headerTimeoutError says that an endpoint took too long to begin its answer.
type headerTimeoutError struct{ endpoint *url.URL }

func (e *headerTimeoutError) Error() string {
	return fmt.Sprintf("client: endpoint %s exceeded header timeout", e.endpoint)
}

// stalledError says that an endpoint began its answer and then sent nothing more.
type stalledError struct {
	endpoint *url.URL
	limit    time.Duration
}

func (e *stalledError) Error() string {
	return fmt.Sprintf("client: endpoint %s sent nothing for %s in the middle of its answer", e.endpoint, e.limit)
}

// roundTrip is one HTTP exchange. --timeout limits the time until the answer begins, however long the rest of it takes.
func (cl *client) roundTrip(ctx context.Context, endpoint, target *url.URL, r *request) (*answer, bool, error) {
	headerLimit, bodyLimit := cl.headerTimeout, cl.bodyTimeout
	if r.patient {
		headerLimit, bodyLimit = 0, 0
	}
	limits := startDeadline(ctx, headerLimit, &headerTimeoutError{endpoint})
	defer limits.stop()
	sent := false
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent = true }}
	req, err := cl.httpRequest(httptrace.WithClientTrace(limits.ctx, trace), target, r)
	if err != nil {
		return nil, false, err
	}
	response, err := cl.transport.RoundTrip(req)
	if err != nil {
		return nil, sent, named(endpoint, limits.explain(err))
	}
	response.Body = limits.body(response.Body, bodyLimit, &stalledError{endpoint, bodyLimit})
	defer response.Body.Close()
	if r.began != nil {
		r.began(response.Header)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, true, named(endpoint, err)
	}
	return &answer{response.StatusCode, response.Header, body}, true, nil
}

func (cl *client) httpRequest(ctx context.Context, target *url.URL, r *request) (*http.Request, error) {
	var body io.Reader
	command := fmt.Sprintf("curl -X %s %s", r.method, target)
	if r.contentType != "" {
		body = strings.NewReader(r.body)
		if r.method != http.MethodDelete {
			command += fmt.Sprintf(" -d %q", r.body)
		}
	}
	cl.debugf("cURL Command: %s\n", command)
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), body)
	if err != nil {
		return nil, err
	}
	req.URL = target
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if cl.user != "" {
		req.SetBasicAuth(cl.user, cl.password)
	}
	return req, nil
}

// named adds the endpoint to an error that does not say where it happened.
func named(endpoint *url.URL, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if host := endpoint.Hostname(); host != "" && strings.Contains(err.Error(), host) {
		return err
	}
	return fmt.Errorf("client: endpoint %s: %w", endpoint, err)
}
