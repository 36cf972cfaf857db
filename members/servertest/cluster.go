package servertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"
)

// LaunchCluster starts Pando as each of the members, with --initial-cluster and the flags, and waits until they have published their
// client URLs.
func LaunchCluster(t testing.TB, all []Member, flags ...string) []*Process {
	t.Helper()
	var running []*Process
	for _, m := range all {
		running = append(running, m.StartPando(t, append(flags, "--initial-cluster", InitialCluster(all))...))
	}
	for _, p := range running {
		p.AwaitServing()
	}
	AwaitPublished(t, running[0].Client, len(all))
	return running
}

// AwaitPublished waits until the server at the client URL lists count members with client URLs. It returns the ID of the
// cluster, and the members as "ID name", sorted by ID.
func AwaitPublished(t testing.TB, client string, count int) (clusterID string, list []string) {
	t.Helper()
	short := http.Client{Timeout: 5 * time.Second} // a server that can't start may accept connections and never respond
	Await(t, fmt.Sprintf("%d members at %s", count, client), func() bool {
		resp, err := short.Get(client + "/v2/members")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var body struct {
			Members []struct {
				ID, Name   string
				ClientURLs []string
			}
		}
		if json.NewDecoder(resp.Body).Decode(&body) != nil {
			return false
		}
		list = nil
		for _, m := range body.Members {
			if len(m.ClientURLs) > 0 {
				list = append(list, m.ID+" "+m.Name)
			}
		}
		slices.Sort(list)
		clusterID = resp.Header.Get("X-Etcd-Cluster-Id")
		return len(list) == count
	})
	return clusterID, list
}

// AwaitReplicated writes a value at the client URL writeTo, and waits until the server at the client URL readFrom returns
// it.
func AwaitReplicated(t testing.TB, writeTo, readFrom string) {
	t.Helper()
	NewKeyClient(t, writeTo).Must(t, http.MethodPut, "/replicated", Form("value", writeTo))
	Await(t, "the value at "+readFrom, func() bool {
		answer, err := NewKeyClient(t, readFrom).Do(http.MethodGet, "/replicated", nil)
		return err == nil && answer.Node != nil && answer.Node.Value == writeTo
	})
}

// AwaitCluster waits until running members of Pando serve as one cluster: all have published their client URLs, and a
// write at the first is read at the last.
func AwaitCluster(t testing.TB, running []*Process) {
	t.Helper()
	for _, p := range running {
		p.AwaitServing()
	}
	AwaitPublished(t, running[0].Client, len(running))
	AwaitReplicated(t, running[0].Client, running[len(running)-1].Client)
}

// NewDiscoveryURL makes a discovery URL for a cluster of size members, under the keys of the server at the client URL.
func NewDiscoveryURL(t testing.TB, client, name string, size int) string {
	t.Helper()
	NewKeyClient(t, client).Must(t, http.MethodPut, "/discovery/"+name+"/_config/size", Form("value", Itoa(size)))
	return client + "/v2/keys/discovery/" + name
}
