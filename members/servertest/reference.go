package servertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Target is a running member of one, of either kind.
type Target struct {
	Client, Peer string // URLs
	MemberID     string
	ClusterID    string
	process      *exec.Cmd // nil for a server that was running already
	exited       chan struct{}
	Output       *bytes.Buffer // not to be read before exited is closed
}

// URLHost returns the host and port of a URL of the server.
func URLHost(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return rawURL
	}
	return u.Host
}

// StartTarget starts a binary that takes the reference's flags, the test binary as
// Pando, on ports found free. Somebody else may take one of them before the server does,
// which then exits: that is worth another try.
func StartTarget(t *testing.T, binary string) *Target {
	t.Helper()
	const tries = 5
	var problem error
	for range tries {
		server, err := launchTranscriptServer(t, binary)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			server.Stop()
			if text := server.Output.String(); strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic:") {
				t.Errorf("the server said\n%s", text)
			}
		})
		if problem = server.awaitReady(); problem == nil {
			return server
		}
		server.Stop()
		if !strings.Contains(server.Output.String(), "address already in use") {
			break
		}
	}
	t.Fatalf("%s did not start: %v", binary, problem)
	return nil
}

func launchTranscriptServer(t *testing.T, binary string) (*Target, error) {
	s := &Target{
		Client: "http://" + KeptAddr(t),
		Peer:   "http://" + KeptAddr(t),
		Output: new(bytes.Buffer),
		exited: make(chan struct{}),
	}
	s.process = exec.Command(binary, "--enable-v2", "--name", "default",
		"--data-dir", filepath.Join(t.TempDir(), "default.data"),
		"--listen-client-urls", s.Client, "--advertise-client-urls", s.Client,
		"--listen-peer-urls", s.Peer, "--initial-advertise-peer-urls", s.Peer,
		"--initial-cluster", "default="+s.Peer)
	s.process.Stdout, s.process.Stderr = s.Output, s.Output
	s.process.Env = append(Environment(), asServer+"=1")
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	go func() {
		// Its exit status says nothing: the tests end it by a signal.
		_ = s.process.Wait()
		close(s.exited)
	}()
	return s, nil
}

// Environment leaves out what would configure the server.
func Environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ETCD_") && !strings.HasPrefix(v, "PANDO_") {
			env = append(env, v)
		}
	}
	return env
}

// awaitReady waits until the server has written its own records: the reference
// publishes its name and then the cluster version, each of which moves the index.
func (s *Target) awaitReady() error {
	deadline := time.Now().Add(30 * time.Second)
	var problem error
	for time.Now().Before(deadline) {
		select {
		case <-s.exited:
			return fmt.Errorf("it exited:\n%s", s.Output.String())
		case <-time.After(20 * time.Millisecond):
		}
		if problem = s.identify(); problem == nil {
			return nil
		}
	}
	return fmt.Errorf("not ready in time: %w", problem)
}

// identify learns the IDs of a server that is ready.
func (s *Target) identify() error {
	var version struct{ Etcdcluster string }
	if _, err := GetJSON(s.Client+"/version", &version); err != nil {
		return err
	}
	if version.Etcdcluster == "" || version.Etcdcluster == "not_decided" {
		return errors.New("the cluster version is not decided")
	}
	var list struct {
		Members []struct {
			ID       string
			PeerURLs []string
		}
	}
	header, err := GetJSON(s.Client+"/v2/members", &list)
	if err != nil {
		return err
	}
	if len(list.Members) != 1 || len(list.Members[0].PeerURLs) == 0 {
		return fmt.Errorf("the transcripts need a cluster of one, this has %d members", len(list.Members))
	}
	s.MemberID, s.Peer = list.Members[0].ID, list.Members[0].PeerURLs[0]
	s.ClusterID = header.Get("X-Etcd-Cluster-Id")
	return nil
}

// DecimalID is the member's ID as the peer port writes it.
func (s *Target) DecimalID() string {
	id, err := strconv.ParseUint(s.MemberID, 16, 64)
	if err != nil {
		return s.MemberID
	}
	return strconv.FormatUint(id, 10)
}

func GetJSON(target string, into any) (http.Header, error) {
	client := http.Client{Timeout: Patience}
	defer client.CloseIdleConnections()
	response, err := client.Get(target)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", target, response.Status)
	}
	return response.Header, json.NewDecoder(response.Body).Decode(into)
}

// AttachTarget uses a server that runs already, emptied first.
func AttachTarget(t *testing.T, clientURL string) *Target {
	t.Helper()
	s := &Target{Client: strings.TrimSuffix(clientURL, "/")}
	if err := s.identify(); err != nil {
		t.Fatalf("the reference at %s: %v", clientURL, err)
	}
	var root struct {
		Node struct{ Nodes []struct{ Key string } }
	}
	if _, err := GetJSON(s.Client+"/v2/keys/", &root); err != nil {
		t.Fatal(err)
	}
	keys := []string{"/_hidden", "/_queue", "/bad\xffutf"} // transcripts leave these, and no list names them right
	for _, node := range root.Node.Nodes {
		keys = append(keys, node.Key)
	}
	for _, key := range keys {
		target := s.Client + "/v2/keys" + (&url.URL{Path: key}).EscapedPath() + "?recursive=true"
		request, err := http.NewRequest(http.MethodDelete, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	return s
}

// Terminate asks the server to shut down cleanly.
func (s *Target) Terminate() error {
	if s.process == nil {
		return errors.New("this transcript shuts its server down: it cannot be played to a shared one")
	}
	return s.process.Process.Signal(syscall.SIGTERM)
}

// Stop ends the server at once.
func (s *Target) Stop() {
	if s.process == nil {
		return
	}
	// It may be gone already; then there is nothing to do.
	_ = s.process.Process.Kill()
	<-s.exited
}
