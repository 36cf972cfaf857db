package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Status is what one member reports about itself, as JSON in the output of "endpoint status". What a member does not
// report stays empty.
type Status struct {
	Endpoint  string  `json:"endpoint"` // the URL that is asked
	ID        string  `json:"id,omitempty"`
	Name      string  `json:"name,omitempty"`
	Version   string  `json:"version,omitempty"`
	Healthy   bool    `json:"healthy"`
	Leader    bool    `json:"leader"`
	LeaderID  string  `json:"leaderID,omitempty"`
	Term      uint64  `json:"raftTerm,omitempty"`
	RaftIndex uint64  `json:"raftIndex,omitempty"`
	Index     uint64  `json:"index,omitempty"`         // of the store
	Nodes     *uint64 `json:"nodes,omitempty"`         // keys and directories; nil: the server does not report it
	Bytes     *uint64 `json:"bytes,omitempty"`         // of their paths and values
	LatencyMS float64 `json:"latencyMillis,omitempty"` // of one request on an open connection
	Error     string  `json:"error,omitempty"`         // why the member is not healthy
}

// Status asks the member at s.Endpoint, and no other one, and fills in s.
func (c *Client) Status(ctx context.Context, s *Status) {
	if err := c.status(ctx, s); err != nil {
		s.Healthy, s.Error = false, err.Error()
	}
}

func (c *Client) status(ctx context.Context, s *Status) error {
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
	if err := one.position(ctx, s); err != nil {
		return err
	}
	one.size(ctx, s)
	began := time.Now()
	s.Healthy, err = one.Health(ctx, strings.TrimSuffix(endpoint.String(), "/"))
	s.LatencyMS = float64(time.Since(began).Microseconds()) / 1000
	if err == nil && !s.Healthy {
		s.Error = "it answers, but is not healthy: most likely it has no leader"
	}
	return err
}

// Self is what a member reports at /v2/stats/self.
type Self struct {
	ID, Name, State string
	LeaderInfo      struct{ Leader string }
}

// Leads reports whether the member is the leader.
func (s *Self) Leads() bool { return s.State == "StateLeader" }

// Self asks a member for what it reports about itself.
func (c *Client) Self(ctx context.Context) (*Self, error) {
	self := &Self{}
	return self, c.getJSON(ctx, "/v2/stats/self", self)
}

// getJSON reads a JSON object from the only endpoint.
func (c *Client) getJSON(ctx context.Context, path string, value any) error {
	a, err := c.send(ctx, &request{method: http.MethodGet, path: path, bareError: true})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(a.body, value); a.status != http.StatusOK || err != nil {
		return fmt.Errorf("%s%s: status code %d, and the body is not what a member sends; is this a member?",
			c.config.Endpoints[0], path, a.status)
	}
	return nil
}

// position reads how far the member is. Without credentials, the header may be missing where they are required.
func (c *Client) position(ctx context.Context, s *Status) error {
	a, err := c.send(ctx, &request{method: http.MethodHead, path: "/v2/keys/", bareError: true})
	if err != nil {
		return err
	}
	number := func(name string) uint64 {
		n, _ := strconv.ParseUint(a.header.Get(name), 10, 64) // 0 stands for unknown
		return n
	}
	s.Index, s.Term, s.RaftIndex = number("X-Etcd-Index"), number("X-Raft-Term"), number("X-Raft-Index")
	return nil
}

// size reads the metrics of Pando. Other servers have none with these names.
func (c *Client) size(ctx context.Context, s *Status) {
	a, err := c.send(ctx, &request{method: http.MethodGet, path: "/metrics"})
	if err != nil || a.status != http.StatusOK {
		return
	}
	lines := bufio.NewScanner(bytes.NewReader(a.body))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		n := uint64(number)
		switch name {
		case "pando_tree_nodes":
			s.Nodes = &n
		case "pando_tree_bytes":
			s.Bytes = &n
		}
	}
}

// Health asks the member at a client URL whether it is healthy. {"health":"true"} and {"health":true} both mean yes.
func (c *Client) Health(ctx context.Context, clientURL string) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, clientURL+"/health", nil)
	if err != nil {
		return false, err
	}
	h := http.Client{Transport: c.transport, Timeout: c.config.HeaderTimeout}
	response, err := h.Do(req)
	if err != nil {
		return false, err
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
