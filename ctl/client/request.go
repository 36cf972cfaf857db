package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"path"
	"strings"
)

// maxRedirects is how many redirects one request follows. The legacy client follows as many.
const maxRedirects = 10

// repetition says whether a request may go to another member after one member may have carried it out.
type repetition int

const (
	// safe: a second execution changes nothing.
	safe repetition = iota
	// unsafe: a second execution could change something, or fail because of the first.
	unsafe
)

// request is one operation, before it is known which member gets it.
type request struct {
	method      string
	path        string // below the path of the endpoint
	query       url.Values
	contentType string // empty: the request has no body
	body        string
	repetition  repetition
	// bareError: the error of a single member is returned without a ClusterError around it, as the legacy client does.
	bareError bool
	// untimed: neither the header nor the body of the answer has a time limit.
	untimed bool
	// accepted is called with the header of the answer, before the body is read. It may be nil.
	accepted func(http.Header)
}

// answer is the answer of a member.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask sends a request to one member and follows its redirects. sent is false when nothing of the request can have reached
// a member that would carry it out.
func (c *Client) ask(ctx context.Context, endpoint *url.URL, r *request) (a *answer, sent bool, err error) {
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
			return nil, false, errNoLocation // a member that redirects does not carry the request out
		}
		next, err := target.Parse(location)
		if err != nil {
			return nil, false, fmt.Errorf("location header not valid URL: %s", location)
		}
		target, sent = next, false
	}
	return nil, false, errTooManyRedirects
}

// requestURL joins the path of the endpoint and that of the request. A slash at the end stays; the rest is cleaned.
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

// roundTrip is one HTTP exchange.
func (c *Client) roundTrip(ctx context.Context, endpoint, target *url.URL, r *request) (*answer, bool, error) {
	headerLimit, bodyLimit := c.config.HeaderTimeout, c.config.BodyTimeout
	if r.untimed {
		headerLimit, bodyLimit = 0, 0
	}
	limits := startDeadline(ctx, headerLimit, &headerTimeoutError{endpoint})
	defer limits.stop()
	sent := false
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent = true }}
	req, err := c.httpRequest(httptrace.WithClientTrace(limits.ctx, trace), target, r)
	if err != nil {
		return nil, false, err
	}
	response, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, sent, named(endpoint, limits.explain(err))
	}
	response.Body = limits.body(response.Body, bodyLimit, &stalledError{endpoint, bodyLimit})
	defer response.Body.Close()
	if r.accepted != nil {
		r.accepted(response.Header)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, true, named(endpoint, err)
	}
	return &answer{response.StatusCode, response.Header, body}, true, nil
}

// httpRequest makes the HTTP request for a target, and writes it to Config.Debug.
func (c *Client) httpRequest(ctx context.Context, target *url.URL, r *request) (*http.Request, error) {
	var body io.Reader
	command := fmt.Sprintf("curl -X %s %s", r.method, target)
	if r.contentType != "" {
		body = strings.NewReader(r.body)
		if r.method != http.MethodDelete {
			command += fmt.Sprintf(" -d %q", r.body)
		}
	}
	c.Debugf("cURL Command: %s\n", command)
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), body)
	if err != nil {
		return nil, err
	}
	req.URL = target
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if c.config.User != "" {
		req.SetBasicAuth(c.config.User, c.config.Password)
	}
	return req, nil
}
