package servertest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// StartSingle starts a cluster of one member, sets the IDs of the Process, and waits until the version of the cluster is
// decided. Before that, etcd writes records of its own, and each of them increases the index.
func StartSingle(t testing.TB, start Launcher) *Process {
	t.Helper()
	m := NewMembers(t, "default")[0]
	p := start(m, t, "--initial-cluster", InitialCluster([]Member{m}))
	Await(t, "the server to publish itself", func() bool {
		p.mustBeRunning()
		return p.identify() == nil
	})
	return p
}

// Attach returns a Process for a server that the test has not started. The server must be a cluster of one member. Attach
// deletes all its keys.
func Attach(t testing.TB, clientURL string) *Process {
	t.Helper()
	p := &Process{T: t, Client: strings.TrimSuffix(clientURL, "/")}
	if err := p.identify(); err != nil {
		t.Fatalf("the server at %s: %v", clientURL, err)
	}
	var root struct {
		Node struct{ Nodes []struct{ Key string } }
	}
	if _, err := GetJSON(p.Client+"/v2/keys/", &root); err != nil {
		t.Fatal(err)
	}
	keys := []string{"/_hidden", "/_queue", "/bad\xffutf"} // written by transcripts; listings don't show these names
	for _, node := range root.Node.Nodes {
		keys = append(keys, node.Key)
	}
	for _, key := range keys {
		target := p.Client + "/v2/keys" + (&url.URL{Path: key}).EscapedPath() + "?recursive=true"
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
	return p
}

// identify sets MemberID, ClusterID and Peer. It returns an error if the server is not ready, or if its cluster has more
// than one member.
func (p *Process) identify() error {
	var version struct{ Etcdcluster string }
	if _, err := GetJSON(p.Client+"/version", &version); err != nil {
		return err
	}
	if version.Etcdcluster == "" || version.Etcdcluster == "not_decided" {
		return errors.New("the version of the cluster is not decided")
	}
	var list struct {
		Members []struct {
			ID       string
			PeerURLs []string
		}
	}
	header, err := GetJSON(p.Client+"/v2/members", &list)
	if err != nil {
		return err
	}
	if len(list.Members) != 1 || len(list.Members[0].PeerURLs) == 0 {
		return fmt.Errorf("the cluster has %d members, but the tests need one", len(list.Members))
	}
	p.MemberID, p.Peer = list.Members[0].ID, list.Members[0].PeerURLs[0]
	p.ClusterID = header.Get("X-Etcd-Cluster-Id")
	return nil
}
