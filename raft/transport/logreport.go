package transport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"pando/members"
)

// LogReport describes a member's log to another member.
type LogReport struct {
	// Leads says that the member is the leader of Term.
	Leads bool   `json:"leads"`
	Term  uint64 `json:"term"`
	// Committed and Last are the indexes of its last committed and of its last entry.
	Committed uint64 `json:"committed"`
	Last      uint64 `json:"last"`
	// EntryTerm is the term of the entry in question; zero if the member does not have the entry, or not in memory.
	EntryTerm uint64 `json:"entryTerm"`
	// Match is the index up to which the asking member has acknowledged entries to this one, if this one leads.
	Match uint64 `json:"match"`
}

const (
	headerIndex  = "X-Pando-Index" // of the entry in question
	maxLogReport = 4 << 10         // bytes of an answer
)

var errNoPeer = errors.New("transport: no such peer")

// RequestLogReport asks a member about its log and the entry with that index. The request goes to the member's own URL.
// A message on a stream may come from anybody who can reach the peer port; this answer comes from the server at that URL.
func (t *Transport) RequestLogReport(ctx context.Context, id members.ID, index uint64) (LogReport, error) {
	var report LogReport
	t.mu.Lock()
	p := findPeer(t.peers, id)
	t.mu.Unlock()
	if p == nil {
		return report, fmt.Errorf("%w: %s", errNoPeer, id)
	}
	req, err := p.request(ctx, logPath, nil, 0)
	if err != nil {
		return report, err
	}
	req.Header.Set(headerIndex, strconv.FormatUint(index, 10))
	resp, err := t.Client.Do(req)
	if err != nil {
		return report, err
	}
	if resp.StatusCode != http.StatusOK || !p.isFromPeer(resp) {
		if err := p.outcome(resp); err != nil {
			return report, err
		}
		return report, fmt.Errorf("%w: %s", errNoPeer, id)
	}
	defer func() { _ = resp.Body.Close() }()
	err = json.NewDecoder(io.LimitReader(resp.Body, maxLogReport)).Decode(&report)
	return report, err
}

// serveLogReport answers RequestLogReport.
func (t *Transport) serveLogReport(w http.ResponseWriter, r *http.Request) {
	peer, ok := t.admit(w, r)
	if !ok {
		return
	}
	index, err := strconv.ParseUint(r.Header.Get(headerIndex), 10, 64)
	if err != nil {
		http.Error(w, "the request does not say which entry it is about", http.StatusBadRequest)
		return
	}
	report, err := t.LogReport(r.Context(), peer.from, index)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_ = json.NewEncoder(w).Encode(report) // an error says that the client has gone
}
