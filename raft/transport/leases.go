package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"pando/members"
)

// LeaseRequest asks the leader about a lease.
type LeaseRequest struct {
	ID int64 `json:"id"`
	// Renew asks the leader to renew the lease. Otherwise the leader returns the remaining time.
	Renew bool `json:"renew,omitempty"`
}

// LeaseAnswer is the leader's answer to a LeaseRequest.
type LeaseAnswer struct {
	// TTL is the granted time to live if the lease was renewed, and the remaining time otherwise, in seconds. It is zero if
	// Missing or Revoking is set.
	TTL int64 `json:"ttl"`
	// Missing says that there is no such lease.
	Missing bool `json:"missing,omitempty"`
	// Revoking says that the time of the lease has ended, and that its removal is proposed and not applied. The request must
	// be repeated.
	Revoking bool `json:"revoking,omitempty"`
}

// MaxLeaseRequests is the largest number of requests that AskLeases may send.
const MaxLeaseRequests = 1024

// maxLeaseBody bounds the bodies of a request and of its response, in bytes. The longest LeaseRequest and the longest
// LeaseAnswer in JSON have less than 64 bytes.
const maxLeaseBody = 64 * MaxLeaseRequests

// AskLeases sends requests about leases to a member, which must lead, and returns the answers in the order of the requests. If
// there are no requests, or more than MaxLeaseRequests, the member refuses them.
func (t *Transport) AskLeases(ctx context.Context, id members.ID, requests []LeaseRequest) ([]LeaseAnswer, error) {
	t.mu.Lock()
	p := findPeer(t.peers, id)
	t.mu.Unlock()
	if p == nil {
		return nil, fmt.Errorf("%w: %s", errNoPeer, id)
	}
	body, err := json.Marshal(requests)
	if err != nil {
		return nil, fmt.Errorf("transport: requests about leases: %w", err)
	}
	req, err := p.request(ctx, leasePath, bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, err
	}
	resp, err := t.Client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK || !p.isFromPeer(resp) {
		if err := p.checkResponse(resp); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %s", errNoPeer, id)
	}
	defer func() { _ = resp.Body.Close() }()
	var answers []LeaseAnswer
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxLeaseBody)).Decode(&answers); err != nil {
		return nil, fmt.Errorf("transport: answers of member %s about leases: %w", id, err)
	}
	if len(answers) != len(requests) {
		return nil, fmt.Errorf("transport: member %s sent %d answers to %d requests about leases", id, len(answers), len(requests))
	}
	return answers, nil
}

// serveLeases answers AskLeases.
func (t *Transport) serveLeases(w http.ResponseWriter, r *http.Request) {
	if _, ok := t.admit(w, r); !ok {
		return
	}
	var requests []LeaseRequest
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxLeaseBody)).Decode(&requests)
	if err != nil || len(requests) == 0 || len(requests) > MaxLeaseRequests {
		http.Error(w, fmt.Sprintf("the body is not an array of 1 to %d requests about leases", MaxLeaseRequests), http.StatusBadRequest)
		return
	}
	answers, err := t.Leases(r.Context(), requests)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_ = json.NewEncoder(w).Encode(answers) // fails only if the client is gone
}
