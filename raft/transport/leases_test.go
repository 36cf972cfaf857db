package transport

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"testing"

	"pando/members"
)

// TestAskLeases asks a peer about leases, one that does not lead, a member that is no peer, and servers that are no members.
func TestAskLeases(t *testing.T) {
	a, b := newEndpoint(t, 1, nil), newEndpoint(t, 2, nil)
	refusing := newEndpoint(t, 3, func(cfg *Config) {
		cfg.Leases = func(context.Context, []LeaseRequest) ([]LeaseAnswer, error) { return nil, errors.New("does not lead") }
	})
	a.connect(b, refusing)
	t.Run("answers", func(t *testing.T) {
		got, err := a.AskLeases(t.Context(), 2, []LeaseRequest{{ID: 9, Renew: true}, {ID: math.MinInt64}})
		if want := []LeaseAnswer{{TTL: 9}, {TTL: math.MinInt64, Missing: true}}; err != nil || !slices.Equal(got, want) {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("the most requests", func(t *testing.T) {
		most := slices.Repeat([]LeaseRequest{{ID: math.MinInt64, Renew: true}}, MaxLeaseRequests)
		if got, err := a.AskLeases(t.Context(), 2, most); err != nil || len(got) != len(most) {
			t.Errorf("%d answers, %v", len(got), err)
		}
		if got, err := a.AskLeases(t.Context(), 2, append(most, LeaseRequest{})); err == nil {
			t.Errorf("%d answers to too many requests", len(got))
		}
		if got, err := a.AskLeases(t.Context(), 2, nil); err == nil {
			t.Errorf("answers %v to no request", got)
		}
	})
	t.Run("refused", func(t *testing.T) {
		for _, id := range []members.ID{3, 4} {
			if got, err := a.AskLeases(t.Context(), id, []LeaseRequest{{ID: 1}}); err == nil {
				t.Errorf("member %s answers %v", id, got)
			}
		}
	})
	t.Run("other servers", func(t *testing.T) {
		for _, body := range []string{`[{"ttl":1}]`, "", "[]"} {
			other := newAnsweringServer(t, func(w http.ResponseWriter) { _, _ = w.Write([]byte(body)) })
			a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{other}}})
			if got, err := a.AskLeases(t.Context(), 2, []LeaseRequest{{ID: 1}}); err == nil {
				t.Errorf("the body %q is taken as %v", body, got)
			}
		}
	})
}
