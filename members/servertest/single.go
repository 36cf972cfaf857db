package servertest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// StartSingle starts a cluster of one and waits until the server has written its own records: etcd publishes its name
// and then the version of the cluster, and each of these moves the index.
func StartSingle(t testing.TB, start Launcher) *Process {
	t.Helper()
	m := NewMembers(t, "default")[0]
	p := start(m, t, "--initial-cluster", InitialCluster([]Member{m}))
	Await(t, "the server to publish itself", func() bool {
		p.mustRun()
		return p.identify() == nil
	})
	return p
}

// Attach returns a server of one member that runs already, and deletes its keys.
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
	keys := []string{"/_hidden", "/_queue", "/bad\xffutf"} // transcripts write these, and no list shows their names
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

// identify sets the IDs and the peer URL of a server that is ready.
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
