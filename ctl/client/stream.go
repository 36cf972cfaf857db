package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"

	"pando/tree"
)

// Stream is the sequence of changes at and below a key that one member sends on one connection. Only one goroutine at a time may call
// Next. Any goroutine may call Close.
type Stream struct {
	// Position is that of the member when the stream began: the stream has every change with a larger index, except for those of hidden
	// keys and refreshed TTLs.
	Position Position

	limits  *deadline
	body    io.ReadCloser
	decoder *json.Decoder
}

// OpenStream begins a stream of the changes at and below key, from now on. HeaderTimeout limits the time until the member has accepted it.
// c must have one endpoint. The caller must call Close. A member ends the stream of a client that does not read fast enough: etcd keeps
// only 100 changes for it.
func (c *Client) OpenStream(ctx context.Context, key string) (*Stream, error) {
	return c.stream(ctx, key, url.Values{"recursive": {"true"}, "wait": {"true"}, "stream": {"true"}})
}

// OpenKeyStream is OpenStream without the values, if the member can leave them out.
func (c *Client) OpenKeyStream(ctx context.Context, key string) (*Stream, error) {
	s, err := c.stream(ctx, key, url.Values{"recursive": {"true"}, "wait": {"true"}, "stream": {"true"}, "keysOnly": {"true"}})
	if HasCode(err, tree.CodeInvalidField) { // a Pando that has keysOnly only for lists
		return c.OpenStream(ctx, key)
	}
	return s, err
}

func (c *Client) stream(ctx context.Context, key string, query url.Values) (*Stream, error) {
	endpoint := c.config.Endpoints[0]
	r := &request{method: http.MethodGet, path: keyPath(key), query: query}
	limits := startDeadline(ctx, c.config.HeaderTimeout, &headerTimeoutError{endpoint})
	response, err := c.openStream(limits, endpoint, r)
	if err != nil {
		limits.stop()
		return nil, err
	}
	body := limits.limitBody(response.Body, 0, nil)
	return &Stream{
		Position: positionOf(response.Header), limits: limits, body: body, decoder: json.NewDecoder(body),
	}, nil
}

func (c *Client) openStream(limits *deadline, endpoint *url.URL, r *request) (*http.Response, error) {
	req, err := c.httpRequest(limits.ctx, requestURL(endpoint, r), r)
	if err != nil {
		return nil, err
	}
	response, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, withEndpoint(endpoint, ExplainTLS(limits.explain(err), c.config.TLS))
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return nil, withEndpoint(endpoint, err)
	case response.StatusCode/100 == 5:
		return nil, serverError(endpoint, response.StatusCode)
	case refusesPlainHTTP(response.StatusCode, body):
		return nil, withEndpoint(endpoint, errPlainHTTP)
	}
	return nil, parseAPIError(response.StatusCode, body)
}

// Next waits for the next change. It returns io.EOF if the member has ended the stream.
func (s *Stream) Next() (*Event, error) {
	e := &Event{Index: s.Position.Index, ClusterID: s.Position.ClusterID}
	var refusal APIError
	if err := s.decoder.Decode(&struct {
		*Event
		*APIError
	}{e, &refusal}); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		return nil, s.limits.explain(err)
	}
	switch {
	case refusal.Code != 0: // the user of the stream has lost the permission
		return nil, &refusal
	case e.Node == nil:
		return nil, errInvalidJSON
	}
	return e, nil
}

// Close ends the stream and its connection. A call of Next that waits returns an error.
func (s *Stream) Close() {
	s.limits.stop()
	_ = s.body.Close() // it is not read any more
}
