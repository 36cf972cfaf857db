package members

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAsk(t *testing.T) {
	for _, test := range []struct {
		name, cluster, body string
		status              int
		want                string // of the error; empty for none
	}{
		{"a list", "cdf818194e3a8c32", `[` +
			`{"id":10276657743932975437,"peerURLs":["http://b:1","http://a:1"],"name":"default","clientURLs":["http://c:2"]},` +
			`{"id":1,"peerURLs":["http://d:1"],"isLearner":true}]`, 200, ""},
		{"an error", "cdf818194e3a8c32", "no", 404, "is this the peer URL of a member?"},
		{"no list", "cdf818194e3a8c32", "<html>", 200, "the list of members"},
		{"no cluster", "", "[]", 200, "the cluster ID"},
		{"a list without an end", "cdf818194e3a8c32", "[" + strings.Repeat(" ", maxAnswer) + "]", 200, "the list of members"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/members" {
					t.Errorf("asked for %s", r.URL)
				}
				w.Header().Set("X-Etcd-Cluster-Id", test.cluster)
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}))
			defer s.Close()
			remote, err := Ask(within(t), s.Client(), s.URL)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %s", err, test.want)
				}
				return
			}
			if err != nil || remote.ClusterID.String() != test.cluster || len(remote.Members) != 2 {
				t.Fatalf("%+v, %v", remote, err)
			}
			if m := remote.Members[0]; m.ID.String() != "8e9e05c52164694d" || m.PeerURLs[0] != "http://a:1" || m.Name != "default" || m.Learner {
				t.Errorf("first member %+v", m)
			}
			if m := remote.Members[1]; !m.Learner || m.Started() {
				t.Errorf("second member %+v", m)
			}
		})
	}
}

// TestAskAll asks a member that answers, servers whose certificate or client certificate is not accepted, and one that is closed.
func TestAskAll(t *testing.T) {
	list := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Etcd-Cluster-Id", "1")
		_, _ = io.WriteString(w, "[]") // an error fails the request
	})
	start := func(change func(s *httptest.Server)) *httptest.Server {
		s := httptest.NewUnstartedServer(list)
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		change(s)
		t.Cleanup(s.Close)
		return s
	}
	trusted := start((*httptest.Server).StartTLS)
	closed := start((*httptest.Server).Start)
	closed.Close()
	requiring := start(func(s *httptest.Server) {
		s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
		s.StartTLS()
	})
	for _, test := range []struct {
		name       string
		url        string
		client     *http.Client
		answered   bool
		unverified bool
	}{
		{"answers", trusted.URL, trusted.Client(), true, false},
		{"its certificate is not trusted", trusted.URL, &http.Client{Transport: &http.Transport{}}, false, true},
		{"it requires a certificate", requiring.URL, requiring.Client(), false, true},
		{"closed", closed.URL, closed.Client(), false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			answers, err := AskAll(within(t), test.client, []string{test.url})
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := answers.Remotes[test.url]; ok != test.answered {
				t.Errorf("the answers are %v", answers)
			}
			if err := answers.Unverified[test.url]; (err != nil) != test.unverified {
				t.Errorf("not verified: %v", err)
			}
		})
	}
}
