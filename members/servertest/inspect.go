package servertest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// URLHost returns the host and port of a URL. If rawURL is not a URL, it returns rawURL.
func URLHost(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return rawURL
	}
	return u.Host
}

// Addr returns the host and port of the client URL.
func (p *Process) Addr() string { return URLHost(p.Client) }

// Get requests a path below the client URL on a new connection, and returns the body of the response.
func (p *Process) Get(path string) string {
	p.T.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: Timeout}
	answer, err := client.Get(p.Client + path)
	if err != nil {
		p.T.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		p.T.Fatal(err)
	}
	return string(body)
}

// GetJSON requests a URL, decodes the JSON body and returns the header. It returns an error if the status is not 200.
func GetJSON(url string, into any) (http.Header, error) {
	client := http.Client{Timeout: Timeout}
	defer client.CloseIdleConnections()
	response, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", url, response.Status)
	}
	return response.Header, json.NewDecoder(response.Body).Decode(into)
}

// RaftState is the part of /v2/stats/self that concerns raft.
type RaftState struct {
	State      string
	LeaderInfo struct{ Leader string }
}

// raftStateTimeout bounds the request of RaftState: the member may not respond.
const raftStateTimeout = 1500 * time.Millisecond

// RaftState returns the role of the member and the ID of its leader. The result is zero if the member does not respond.
func (p *Process) RaftState() (state RaftState) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: raftStateTimeout}
	response, err := client.Get(p.Client + "/v2/stats/self")
	if err != nil {
		return state
	}
	defer response.Body.Close()
	if json.NewDecoder(response.Body).Decode(&state) != nil {
		return RaftState{}
	}
	return state
}

// Watchers returns the number of watchers in /v2/stats/store.
func (p *Process) Watchers() int {
	p.T.Helper()
	var counts struct{ Watchers int }
	if err := json.Unmarshal([]byte(p.Get("/v2/stats/store")), &counts); err != nil {
		p.T.Fatal(err)
	}
	return counts.Watchers
}

// Memory returns the resident memory of the process in bytes.
func (p *Process) Memory() int64 {
	status, err := os.ReadFile(filepath.Join("/proc", Itoa(p.Cmd.Process.Pid), "status"))
	if err != nil {
		p.T.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	text, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return Atoi(p.T, text) << 10
}

// Descriptors returns the number of open file descriptors of the process.
func (p *Process) Descriptors() int {
	files, err := os.ReadDir(filepath.Join("/proc", Itoa(p.Cmd.Process.Pid), "fd"))
	if err != nil {
		p.T.Fatal(err)
	}
	return len(files)
}

// Goroutines returns the number of goroutines of a server that was started with --enable-pprof.
func (p *Process) Goroutines() int {
	p.T.Helper()
	profile := p.Get("/debug/pprof/goroutine?debug=1")
	_, rest, _ := strings.Cut(profile, "total ")
	text, _, _ := strings.Cut(rest, "\n")
	return int(Atoi(p.T, text))
}

// Footprint is the number of goroutines and file descriptors of a server.
type Footprint struct {
	Goroutines, Descriptors int
}

// Footprint returns the current footprint of a server that was started with --enable-pprof.
func (p *Process) Footprint() Footprint {
	p.Get("/version") // the first request starts goroutines that stay
	return Footprint{p.Goroutines(), p.Descriptors()}
}

// AwaitFootprint waits until the footprint of the server is at most limit. One goroutine and one descriptor more are
// allowed, for an idle connection.
func (p *Process) AwaitFootprint(t *testing.T, limit Footprint) {
	t.Helper()
	Await(t, "the server to release goroutines and descriptors", func() bool {
		return p.Goroutines() <= limit.Goroutines+1 && p.Descriptors() <= limit.Descriptors+1
	})
}
