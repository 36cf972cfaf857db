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

// LogReport is what a member says of its log when another one asks.
type LogReport struct {
	// Leads says that it leads, in Term.
	Leads bool   `json:"leads"`
	Term  uint64 `json:"term"`
	// Committed and Last are the indexes of its last committed and its last entry.
	Committed uint64 `json:"committed"`
	Last      uint64 `json:"last"`
	// EntryTerm is the term of the entry that it was asked for; zero when it can't say.
	EntryTerm uint64 `json:"entryTerm"`
	// Match is the index up to which the one who asks has acknowledged entries to it.
	Match uint64 `json:"match"`
}

const (
	headerIndex = "X-Pando-Index"
	maxReport   = 4 << 10 // bytes of an answer
)

var errNoPeer = errors.New("transport: no such peer")

// AskLog asks a member at its own URL what it knows of the entry with that index. Unlike
// what comes over a stream, the answer is from whoever listens at the member's URL.
func (t *Transport) AskLog(ctx context.Context, id members.ID, index uint64) (LogReport, error) {
	var report LogReport
	t.mu.Lock()
	p := find(t.peers, id)
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
	if resp.StatusCode != http.StatusOK || !p.answered(resp) {
		if err := p.verdict(resp); err != nil {
			return report, err
		}
		return report, fmt.Errorf("%w: %s", errNoPeer, id)
	}
	defer func() { _ = resp.Body.Close() }()
	err = json.NewDecoder(io.LimitReader(resp.Body, maxReport)).Decode(&report)
	return report, err
}

// serveLog answers what AskLog asks.
func (t *Transport) serveLog(w http.ResponseWriter, r *http.Request) {
	peer, ok := t.admit(w, r)
	if !ok {
		return
	}
	index, err := strconv.ParseUint(r.Header.Get(headerIndex), 10, 64)
	if err != nil {
		http.Error(w, "the request does not say which entry it is about", http.StatusBadRequest)
		return
	}
	report, err := t.Report(r.Context(), peer.from, index)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	// An error is that of a client that has gone.
	_ = json.NewEncoder(w).Encode(report)
}
