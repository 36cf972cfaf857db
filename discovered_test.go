package main

import (
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestDiscoveredCluster(t *testing.T) {
	service := launch(t, t.TempDir())
	token := newToken(t, service.client, "one", 3)
	all := seats(t, "a", "b", "c", "late", "later")
	var running []*process
	for _, s := range all[:3] {
		running = append(running, s.spawn(t, "--discovery", token))
	}
	for _, p := range running {
		p.awaitServing()
	}
	cluster, list := awaitPublished(t, running[0].client, 3)
	if wantID, wantList := wantCluster(t, token, all[:3]); cluster != wantID || !slices.Equal(list, wantList) {
		t.Errorf("got cluster %s of %q, want %s of %q", cluster, list, wantID, wantList)
	}
	sees(t, running[1].client, running[2].client)

	t.Run("one too many is a proxy, and stays one", func(t *testing.T) {
		late := all[3].spawn(t, "--discovery", token)
		late.awaitServing()
		await(t, "the proxy to find the members", func() bool { return strings.Count(late.get("/v2/config/local/proxy"), "http://") == 3 })
		sees(t, late.client, running[0].client)
		late.terminate()
		late = all[3].spawn(t, "--discovery", "http://127.0.0.1:1/v2/keys/gone")
		late.awaitServing()
		await(t, "the proxy to find the members again", func() bool { return strings.Count(late.get("/v2/config/local/proxy"), "http://") == 3 })
	})
	t.Run("or ends", func(t *testing.T) {
		later := all[4].spawn(t, "--discovery", token, "--discovery-fallback", "exit")
		if code := later.awaitExit(); code != exitMember || !strings.Contains(later.stderr.String(), "the discovered cluster is full") {
			t.Errorf("exit code %d\n%s", code, later.stderr)
		}
	})
	t.Run("a restart needs no discovery", func(t *testing.T) {
		service.kill()
		running[0].terminate()
		p := all[0].spawn(t, "--discovery", token)
		p.awaitServing()
		sees(t, p.client, running[1].client)
	})
}

// TestReferenceDiscovers has three servers of the reference find each other under
// a key of Pando's.
func TestReferenceDiscovers(t *testing.T) {
	reference := requireProgram(t, "etcd", "etcd-server")
	service := launch(t, t.TempDir())
	token := newToken(t, service.client, "two", 3)
	all := seats(t, "a", "b", "c")
	for _, s := range all {
		start(t, s.dataDir, exec.Command(reference, s.flags("--enable-v2", "--discovery", token)...))
	}
	cluster, list := awaitPublished(t, all[0].clientURL(), 3)
	if wantID, wantList := wantCluster(t, token, all); cluster != wantID || !slices.Equal(list, wantList) {
		t.Errorf("got cluster %s of %q, want %s of %q", cluster, list, wantID, wantList)
	}
}

// TestJoinsByIncompleteList starts a member that was added with a list which leaves one of the others out: it learns of
// that from the one that it knows. The reference refuses.
func TestJoinsByIncompleteList(t *testing.T) {
	all := seats(t, "a", "b", "c")
	running := launchCluster(t, all[:2])
	mustRequest(t, http.MethodPost, running[0].client+"/v2/members", `{"peerURLs":["`+all[2].peerURL()+`"]}`, http.StatusCreated)
	joined := all[2].spawn(t, "--initial-cluster", initialClusterOf([]seat{all[0], all[2]}), "--initial-cluster-state", "existing")
	joined.awaitServing()
	awaitPublished(t, joined.client, 3)
	sees(t, running[1].client, joined.client)
}
