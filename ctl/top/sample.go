package top

import (
	"context"
	"sync"
	"time"

	"pando/ctl/client"
)

// Sample is what all members have responded at about one moment.
type Sample struct {
	Time    time.Time
	Members []*MemberSample
}

// MemberSample is what one member has responded. Its counters are nil if the member does not have them.
type MemberSample struct {
	client.Status                    // its Metrics are nil for other servers than Pando
	Store         map[string]float64 // /v2/stats/store, if Metrics is nil
}

// Sampler asks the members of a cluster.
type Sampler struct {
	client *client.Client
	fixed  bool            // ask the endpoints, not the members that they list
	limit  time.Duration   // of the requests to one member
	known  []client.Member // from the last list
}

// NewSampler returns a Sampler. With fixed it asks only the endpoints of the client. limit bounds the time of a sample.
func NewSampler(c *client.Client, fixed bool, limit time.Duration) *Sampler {
	return &Sampler{client: c, fixed: fixed, limit: limit}
}

// Sample asks all members at the same time. A member that does not respond has an Error.
func (s *Sampler) Sample(ctx context.Context) *Sample {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	sample := &Sample{Time: time.Now(), Members: s.list(ctx)}
	var all sync.WaitGroup
	for _, m := range sample.Members {
		if m.Endpoint == "" {
			m.Error = "no client URL: it was added, but never started, or it has no TLS"
			continue
		}
		all.Go(func() { s.ask(ctx, m) })
	}
	all.Wait()
	return sample
}

// list returns the members, without what they respond. If no member lists them, it returns those of the last list, or the endpoints.
func (s *Sampler) list(ctx context.Context) []*MemberSample {
	if !s.fixed {
		half, cancel := context.WithTimeout(ctx, s.limit/2)
		defer cancel()
		if members, err := s.client.Members(half); err == nil {
			s.known = members
		}
	}
	var list []*MemberSample
	for _, m := range s.known {
		list = append(list, &MemberSample{Status: client.Status{ID: m.ID, Name: m.Name, Endpoint: s.client.UsableURL(m.ClientURLs)}})
	}
	if len(list) == 0 {
		for _, endpoint := range s.client.Endpoints() {
			list = append(list, &MemberSample{Status: client.Status{Endpoint: endpoint}})
		}
	}
	return list
}

// ask asks one member.
func (s *Sampler) ask(ctx context.Context, m *MemberSample) {
	s.client.Status(ctx, &m.Status)
	if !m.Responds() {
		return
	}
	if _, isPando := m.Metrics["pando_tree_nodes"]; isPando {
		return
	}
	m.Metrics = nil
	endpoint, err := client.ParseEndpoint(m.Endpoint)
	if err != nil {
		return
	}
	if store, err := s.client.WithEndpoints(endpoint).StoreStats(ctx); err == nil {
		m.Store = store
	}
}

// Responds reports whether the member has responded, healthy or not.
func (m *MemberSample) Responds() bool { return m.Version != "" }
