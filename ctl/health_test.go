package ctl

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pando/ctl/client"
)

// startHealthCluster starts a cluster with one member for each body, which is the answer of that member to /health.
func startHealthCluster(t *testing.T, bodies ...string) string {
	t.Helper()
	var list struct {
		Members []client.Member `json:"members"`
	}
	for i, body := range bodies {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/v2/members":
				json.NewEncoder(w).Encode(list)
			case "/health":
				fmt.Fprint(w, body)
			default:
				fmt.Fprint(w, `{"id":"1"}`)
			}
		}))
		t.Cleanup(s.Close)
		list.Members = append(list.Members, client.Member{ID: fmt.Sprint(i), Name: "m", ClientURLs: []string{s.URL}})
	}
	return list.Members[0].ClientURLs[0]
}

// TestHealthVerdict: the answers of the members decide the verdict and the exit code of both commands.
func TestHealthVerdict(t *testing.T) {
	const old, good, bad = `{"health":"true"}`, `{"health":true}`, `{"health":"false"}`
	for _, test := range []struct {
		name    string
		bodies  []string
		verdict string
		code    int
	}{
		{"all healthy", []string{good, old, good}, "cluster is healthy\n", exitOK},
		{"one is not", []string{good, bad, good}, "cluster is degraded\n", exitUnhealthy},
		{"none is", []string{bad, `{"health":false}`, `{}`}, "cluster is unavailable\n", exitUnhealthy},
		{"one answer is no JSON", []string{good, "<html>"}, "cluster is degraded\n", exitUnhealthy},
	} {
		t.Run(test.name, func(t *testing.T) {
			url := startHealthCluster(t, test.bodies...)
			stdout, stderr, code := run(t, "--endpoints", url, "cluster-health")
			if code != test.code || !strings.HasSuffix(stdout, "\n"+test.verdict) || stderr != "" {
				t.Errorf("cluster-health: exit code %d, %q, %q", code, stdout, stderr)
			}
			stdout, _, code = run(t, "--endpoints", url, "endpoint", "health")
			if (code == exitOK) != (test.code == exitOK) {
				t.Errorf("endpoint health: exit code %d, %q", code, stdout)
			}
			unwell := strings.Count(stdout, "it answers, but is not healthy")
			if want := strings.Count(strings.Join(test.bodies, ""), "false") + strings.Count(strings.Join(test.bodies, ""), "{}"); unwell != want {
				t.Errorf("endpoint health explains %d members, want %d: %s", unwell, want, stdout)
			}
		})
	}
}
