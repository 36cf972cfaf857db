package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Status is the status of one member, as JSON in the output of "endpoint status". A field is empty if the member does not
// report it.
type Status struct {
	Endpoint  string  `json:"endpoint"` // the client URL, set by the caller
	ID        string  `json:"id,omitempty"`
	Name      string  `json:"name,omitempty"`
	Version   string  `json:"version,omitempty"`
	Healthy   bool    `json:"healthy"`
	Leader    bool    `json:"leader"`
	LeaderID  string  `json:"leaderID,omitempty"`
	Term      uint64  `json:"raftTerm,omitempty"`
	RaftIndex uint64  `json:"raftIndex,omitempty"`
	Index     uint64  `json:"index,omitempty"`         // the index of the store
	Nodes     *uint64 `json:"nodes,omitempty"`         // number of keys and directories
	Bytes     *uint64 `json:"bytes,omitempty"`         // total length of their paths and values
	LatencyMS float64 `json:"latencyMillis,omitempty"` // time of one request on an open connection
	Error     string  `json:"error,omitempty"`         // why Healthy is false
	Metrics   Metrics `json:"-"`                       // nil if the member does not serve /metrics here
}

// Status sends requests to the member at s.Endpoint, and sets the other fields of s.
func (c *Client) Status(ctx context.Context, s *Status) {
	if err := c.fillStatus(ctx, s); err != nil {
		s.Healthy, s.Error = false, err.Error()
	}
}

func (c *Client) fillStatus(ctx context.Context, s *Status) error {
	endpoint, err := ParseEndpoint(s.Endpoint)
	if err != nil {
		return err
	}
	one := c.WithEndpoints(endpoint)
	self, err := one.Self(ctx)
	if err != nil {
		return err
	}
	s.ID, s.Name, s.Leader, s.LeaderID = self.ID, self.Name, self.Leads(), self.LeaderInfo.Leader
	var version struct{ EtcdServer, Pando string }
	if err := one.getJSON(ctx, "/version", &version); err != nil {
		return err
	}
	s.Version = version.EtcdServer
	if version.Pando != "" {
		s.Version = "Pando " + version.Pando
	}
	if err := one.fillPosition(ctx, s); err != nil {
		return err
	}
	one.fillSize(ctx, s)
	began := time.Now()
	s.Healthy, err = one.Health(ctx, strings.TrimSuffix(endpoint.String(), "/"))
	s.LatencyMS = float64(time.Since(began).Microseconds()) / 1000
	if err == nil && !s.Healthy {
		s.Error = "it answers, but is not healthy: most likely it has no leader"
	}
	return err
}

// Self is the response of a member at /v2/stats/self.
type Self struct {
	ID, Name, State string
	LeaderInfo      struct{ Leader string }
}

// Leads reports whether the member is the leader.
func (s *Self) Leads() bool { return s.State == "StateLeader" }

// Self requests /v2/stats/self.
func (c *Client) Self(ctx context.Context) (*Self, error) {
	self := &Self{}
	return self, c.getJSON(ctx, "/v2/stats/self", self)
}

// getJSON requests a JSON object and decodes it. c must have one endpoint.
func (c *Client) getJSON(ctx context.Context, path string, value any) error {
	a, err := c.send(ctx, &request{method: http.MethodGet, path: path, bareError: true})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(a.body, value); a.status != http.StatusOK || err != nil {
		return fmt.Errorf("%s%s: status code %d, and the body is not that of a member: is this a member?",
			c.config.Endpoints[0], path, a.status)
	}
	return nil
}

// fillPosition sets Index, Term and RaftIndex from the header of a response. They stay zero if the member requires
// credentials and the client has none.
func (c *Client) fillPosition(ctx context.Context, s *Status) error {
	a, err := c.send(ctx, &request{method: http.MethodHead, path: "/v2/keys/", bareError: true})
	if err != nil {
		return err
	}
	number := func(name string) uint64 {
		n, _ := strconv.ParseUint(a.header.Get(name), 10, 64) // zero if the header is missing
		return n
	}
	s.Index, s.Term, s.RaftIndex = number(indexHeader), number("X-Raft-Term"), number("X-Raft-Index")
	return nil
}

// fillSize sets Metrics, and Nodes and Bytes from them. Other servers than Pando don't have these two.
func (c *Client) fillSize(ctx context.Context, s *Status) {
	metrics, err := c.Metrics(ctx)
	if err != nil {
		return
	}
	s.Metrics = metrics
	for name, field := range map[string]**uint64{"pando_tree_nodes": &s.Nodes, "pando_tree_bytes": &s.Bytes} {
		if value, ok := metrics[name]; ok {
			n := uint64(value)
			*field = &n
		}
	}
}

// Health requests /health from the member at a client URL. The member is healthy if it responds {"health":"true"} or
// {"health":true}.
func (c *Client) Health(ctx context.Context, clientURL string) (bool, error) {
	target := clientURL + "/health"
	if endpoint, err := ParseEndpoint(clientURL); err == nil && SocketPath(endpoint) != "" {
		target = dialable(endpoint).String() + "/health"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return false, err
	}
	if _, isSocket := socketOf(req.URL.Hostname()); isSocket {
		req.Host = socketHost
	}
	h := http.Client{Transport: c.transport, Timeout: c.config.HeaderTimeout}
	response, err := h.Do(req)
	if e, ok := errors.AsType[*url.Error](err); ok {
		e.URL = clientURL + "/health"
	}
	if err != nil {
		return false, ExplainTLS(err, c.config.TLS)
	}
	defer response.Body.Close()
	var body struct {
		Health any `json:"health"`
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		return false, err
	}
	return body.Health == true || body.Health == "true", nil
}
