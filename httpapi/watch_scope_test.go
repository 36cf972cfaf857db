package httpapi

import (
	"bufio"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"pando/tree"
)

// TestHistoryScope checks that a client of a quiet key gets all its changes although others have pushed them out of the history.
func TestHistoryScope(t *testing.T) {
	f := newFixture(t, func(c *MemberConfig) {
		c.Service.Tree = tree.New(10)
		c.Service.Tree.SetHistoryLimits(tree.HistoryLimits{ScopeBytes: 1 << 20})
		c.Service.Log.(*instantLog).tree = c.Service.Tree
	})
	server := serveFixture(t, f, (*httptest.Server).Start)
	set := func(key string, n int) {
		for range n {
			f.do("PUT", "/v2/keys"+key+"?prevExist=false", "value=1")
			f.do("PUT", "/v2/keys/noise", "value=1")
		}
	}
	set("/noise", 30) // 2 to 32: the key can be created once
	f.do("GET", "/v2/keys/quiet?wait=true&recursive=true&waitTimeout=0", "")
	set("/quiet/a", 1) // 33, 34
	set("/noise", 30)  // 35 to 64
	t.Run("long poll", func(t *testing.T) {
		w := f.do("GET", "/v2/keys/quiet?wait=true&recursive=true&waitIndex=25&keysOnly=true", "")
		if w.Code != 200 || !strings.HasPrefix(w.Body.String(), `{"action":"create","node":{"key":"/quiet/a","modifiedIndex":33`) ||
			w.Header().Get("X-Pando-Oldest-Index") != "23" {
			t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
		}
	})
	t.Run("server-sent events", func(t *testing.T) {
		target := "/v2/keys/quiet?wait=true&recursive=true"
		resp := startWatch(t, server, target, "Accept", eventsType, "Last-Event-ID", "32")
		in := bufio.NewReader(resp.Body)
		if opening, e := readSSE(t, in), readSSE(t, in); opening.id != "32" || e.id != "33" || e.name != "" {
			t.Errorf("got %+v, %+v", opening, e)
		}
	})
	for _, target := range []string{"/quiet?wait=true&recursive=true&waitIndex=22", "/other?wait=true&waitIndex=32"} {
		t.Run("cleared "+target, func(t *testing.T) {
			w := f.do("GET", "/v2/keys"+target+"&keysOnly=true", "")
			oldest := w.Header().Get("X-Pando-Oldest-Index")
			if w.Code != 400 || !strings.Contains(w.Body.String(), `"errorCode":401`) || oldest != fmt.Sprint(f.log.tree.View().OldestEvent()) {
				t.Errorf("%d %s, the oldest index is %s", w.Code, w.Body, oldest)
			}
		})
	}
}
