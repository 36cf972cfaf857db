package transport

import (
	"net/http"
	"testing"

	"pando/members"
)

// TestRequestLogReport requests reports from a peer, from a member that is no peer, and from another server at a peer's URL.
func TestRequestLogReport(t *testing.T) {
	a, b := newEndpoint(t, 1, nil), newEndpoint(t, 2, nil)
	a.connect(b)
	if r, err := a.RequestLogReport(t.Context(), 2, 41); err != nil || r.EntryTerm != 42 {
		t.Errorf("got %+v, %v", r, err)
	}
	if r, err := a.RequestLogReport(t.Context(), 3, 41); err == nil {
		t.Errorf("a member that is no peer reports %+v", r)
	}
	other := newAnsweringServer(t, func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"entryTerm":9}`)) })
	a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{other}}})
	if r, err := a.RequestLogReport(t.Context(), 2, 41); err == nil {
		t.Errorf("a server that is no member reports %+v", r)
	}
}
