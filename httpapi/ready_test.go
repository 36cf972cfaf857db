package httpapi

import (
	"strings"
	"testing"
	"time"

	"pando/tree"
)

func TestNotReady(t *testing.T) {
	f := newFixture(t, func(c *MemberConfig) { c.Service.Ready = make(chan struct{}) })
	w := f.do("GET", "/v2/keys/a", "")
	if w.Code != 500 || !strings.Contains(w.Body.String(), tree.CauseTimedOut) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := f.do("GET", "/version", ""); w.Code != 200 {
		t.Errorf("/version: %d", w.Code)
	}
	if w := f.do("GET", "/health", ""); w.Code != 503 || w.Body.String() != `{"health":"false"}`+"\n" {
		t.Errorf("/health: %d %s", w.Code, w.Body)
	}
}

// TestStopsBeforeReady checks that a request that waits for the member ends when the member stops.
func TestStopsBeforeReady(t *testing.T) {
	f := newFixture(t, func(c *MemberConfig) { c.Service.Ready, c.Service.ReadyTimeout = make(chan struct{}), time.Hour })
	time.AfterFunc(10*time.Millisecond, f.endWaitingRequests)
	if w := f.do("PUT", "/v2/keys/a", "value=1"); w.Code != 500 || !strings.Contains(w.Body.String(), tree.CauseStopped) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	f.endWaitingRequests() // a second call has no effect
}
