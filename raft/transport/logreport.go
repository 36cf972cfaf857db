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
	// EntryTerm is the term of the requested entry. It is zero if the member does not have this entry in memory.
	EntryTerm uint64 `json:"entryTerm"`
	// Match is the index of the last entry that the asking member has acknowledged. It is set by a leader only.
	Match uint64 `json:"match"`
}

const (
	headerIndex  = "X-Pando-Index" // the index of the requested entry
	maxLogReport = 4 << 10         // the largest response, in bytes
)

var errNoPeer = errors.New("transport: no such peer")

// RequestLogReport requests a report about a member's log and about the entry with that index. Any process that can reach
// the peer port can open a stream and send messages; the report is requested at the member's own URL.
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
		if err := p.checkResponse(resp); err != nil {
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
		http.Error(w, "the header "+headerIndex+" is missing or not a number", http.StatusBadRequest)
		return
	}
	report, err := t.LogReport(r.Context(), peer.from, index)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_ = json.NewEncoder(w).Encode(report) // fails only if the client is gone
}
