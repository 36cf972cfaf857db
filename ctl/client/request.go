package client

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"path"
	"slices"
	"strings"
)

// maxRedirects is the number of redirects that one request follows, as in the legacy client.
const maxRedirects = 10

// repetition says whether a request may be sent to another member after a member may have executed it.
type repetition int

const (
	// repeatable: a second execution changes nothing.
	repeatable repetition = iota
	// unrepeatable: a second execution could change something, or fail because of the first.
	unrepeatable
)

// request is one operation. The same request can be sent to several members.
type request struct {
	method      string
	path        string // relative to the path of the endpoint
	query       url.Values
	contentType string // empty: the request has no body
	token       string // of the v3 API, sent in place of the name and password; empty: none
	body        string
	shownBody   string // printed by Config.Debug in place of a body that contains a password; empty: Debug prints body
	repetition  repetition
	// bareError makes send return the error of a single member without a ClusterError around it, as the legacy client does.
	bareError bool
	// detailed adds the message in the body of a response with status 5xx to its error.
	detailed bool
	// untimed removes the time limits of the header and the body.
	untimed bool
	// onConnection is called with the connection on which the request will be sent. No other request is sent on it. It may be nil.
	onConnection func(net.Conn)
	// onHeader is called with the header of the response, before the body is read. It may be nil.
	onHeader func(http.Header)
}

// answer is the response of a member, with its whole body.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// sendTo sends a request to one member and follows its redirects. sent is false if no member can have executed the request.
func (c *Client) sendTo(ctx context.Context, endpoint *url.URL, r *request) (a *answer, sent bool, err error) {
	target := requestURL(endpoint, r)
	for range maxRedirects + 1 {
		var onTheWire bool
		a, onTheWire, err = c.roundTrip(ctx, endpoint, target, r)
		sent = sent || onTheWire
		if err != nil {
			return nil, sent, err
		}
		if a.status/100 != 3 {
			return a, sent, nil
		}
		location := a.header.Get("Location")
		if location == "" {
			return nil, false, errNoLocation // a member that redirects does not execute the request
		}
		next, err := target.Parse(location)
		if err != nil {
			return nil, false, fmt.Errorf("location header not valid URL: %s", location)
		}
		if target.Scheme == "https" && next.Scheme == "http" {
			return nil, false, fmt.Errorf("client: endpoint %s redirects to %s, which has no TLS", endpoint, next.Redacted())
		}
		target, sent = next, false
	}
	return nil, false, errTooManyRedirects
}

// requestURL joins the path of the endpoint and the path of the request. It cleans the path, but keeps a slash at its end.
func requestURL(endpoint *url.URL, r *request) *url.URL {
	u := dialable(endpoint)
	joined := u.Path + r.path
	u.Path = path.Clean("/" + joined)
	if strings.HasSuffix(joined, "/") && u.Path != "/" {
		u.Path += "/"
	}
	u.RawQuery = r.query.Encode()
	return u
}

// roundTrip sends one HTTP request and reads the response. sent is false if no connection was established.
func (c *Client) roundTrip(ctx context.Context, endpoint, target *url.URL, r *request) (a *answer, sent bool, err error) {
	headerLimit, bodyLimit := c.config.HeaderTimeout, c.config.BodyTimeout
	if r.untimed {
		headerLimit, bodyLimit = 0, 0
	}
	limits := startDeadline(ctx, headerLimit, &headerTimeoutError{endpoint})
	defer limits.stop()
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		sent = true
		if r.onConnection != nil {
			r.onConnection(info.Conn)
		}
	}}
	req, err := c.httpRequest(httptrace.WithClientTrace(limits.ctx, trace), target, r)
	if err != nil {
		return nil, false, err
	}
	response, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, sent, withEndpoint(endpoint, ExplainTLS(limits.explain(err), c.config.TLS))
	}
	response.Body = limits.limitBody(response.Body, bodyLimit, &stalledError{endpoint, bodyLimit})
	defer response.Body.Close()
	if r.onHeader != nil {
		r.onHeader(response.Header)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, true, withEndpoint(endpoint, err)
	}
	return &answer{response.StatusCode, response.Header, body}, true, nil
}

// httpRequest returns the HTTP request for a target. It also writes the request to Config.Debug.
func (c *Client) httpRequest(ctx context.Context, target *url.URL, r *request) (*http.Request, error) {
	var body io.Reader
	command := fmt.Sprintf("curl -X %s %s", r.method, target)
	socket, isSocket := socketOf(target.Hostname())
	if isSocket {
		shown := *target
		shown.Host = socketHost
		command = fmt.Sprintf("curl --unix-socket %s -X %s %s", socket, r.method, &shown)
	}
	if r.contentType != "" {
		body = strings.NewReader(r.body)
		if r.method != http.MethodDelete {
			command += fmt.Sprintf(" -d %q", cmp.Or(r.shownBody, r.body))
		}
	}
	c.Debugf("cURL Command: %s\n", command)
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), body)
	if err != nil {
		return nil, err
	}
	req.URL = target
	req.Close = r.onConnection != nil
	if isSocket {
		req.Host = socketHost
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	switch {
	case r.token != "":
		req.Header.Set("Authorization", r.token)
	case c.config.User != "":
		req.SetBasicAuth(c.config.User, c.config.Password)
	}
	return req, nil
}

// decode decodes the body into value if the status is wanted. value is nil if there is no body. Any other status is an
// error. If the status is one of explained, the error is the message in the body.
func (a *answer) decode(wanted int, value any, explained ...int) error {
	switch {
	case a.status == wanted && value == nil:
		return nil
	case a.status == wanted:
		return json.Unmarshal(a.body, value)
	case !slices.Contains(explained, a.status):
		return &StatusError{Status: a.status, text: fmt.Sprintf("unexpected status code %d", a.status)}
	}
	return a.refusal()
}

// refusal returns the message in the body as an error.
func (a *answer) refusal() error {
	var body struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		return err
	}
	return &StatusError{Status: a.status, text: body.Message}
}
