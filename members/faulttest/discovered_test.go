package faulttest

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"pando/ctl/program"
	"pando/members"
	"pando/members/servertest"
)

func TestDiscoveredCluster(t *testing.T) {
	t.Parallel()
	service := servertest.Launch(t, t.TempDir())
	token := servertest.NewDiscoveryURL(t, service.Client, "one", 3)
	all := servertest.NewMembers(t, "a", "b", "c", "late", "later")
	var running []*servertest.Process
	for _, s := range all[:3] {
		running = append(running, s.StartPando(t, "--discovery", token))
	}
	for _, p := range running {
		p.AwaitServing()
	}
	cluster, list := servertest.AwaitPublished(t, running[0].Client, 3)
	if wantID, wantList := wantCluster(t, token, all[:3]); cluster != wantID || !slices.Equal(list, wantList) {
		t.Errorf("got cluster %s of %q, want %s of %q", cluster, list, wantID, wantList)
	}
	servertest.AwaitReplicated(t, running[1].Client, running[2].Client)

	t.Run("one too many is a proxy, and stays one", func(t *testing.T) {
		late := all[3].StartPando(t, "--discovery", token)
		late.AwaitServing()
		awaitEndpoints(t, late, 3)
		servertest.AwaitReplicated(t, late.Client, running[0].Client)
		late.Terminate()
		late = all[3].StartPando(t, "--discovery", "http://127.0.0.1:1/v2/keys/gone")
		late.AwaitServing()
		awaitEndpoints(t, late, 3)
	})
	t.Run("or ends", func(t *testing.T) {
		later := all[4].StartPando(t, "--discovery", token, "--discovery-fallback", "exit")
		if code := later.AwaitExit(); code != program.ExitMember || !strings.Contains(later.Stderr.String(), "the discovered cluster is full") {
			t.Errorf("exit code %d\n%s", code, later.Stderr)
		}
	})
	t.Run("a restart needs no discovery", func(t *testing.T) {
		service.Kill()
		running[0].Terminate()
		p := all[0].StartPando(t, "--discovery", token)
		p.AwaitServing()
		servertest.AwaitReplicated(t, p.Client, running[1].Client)
	})
}

// TestReferenceDiscovers starts three servers of etcd that find each other under a key of Pando.
func TestReferenceDiscovers(t *testing.T) {
	servertest.SkipShort(t, "the members are etcd's")
	t.Parallel()
	servertest.RequireEtcd(t)
	service := servertest.Launch(t, t.TempDir())
	token := servertest.NewDiscoveryURL(t, service.Client, "two", 3)
	all := servertest.NewMembers(t, "a", "b", "c")
	for _, s := range all {
		s.StartEtcd(t, "--discovery", token)
	}
	cluster, list := servertest.AwaitPublished(t, all[0].ClientURL(), 3)
	if wantID, wantList := wantCluster(t, token, all); cluster != wantID || !slices.Equal(list, wantList) {
		t.Errorf("got cluster %s of %q, want %s of %q", cluster, list, wantID, wantList)
	}
}

// TestJoinsByIncompleteList starts an added member with an --initial-cluster that lacks one of the members. The member
// asks the listed one for the rest. etcd refuses such a list.
func TestJoinsByIncompleteList(t *testing.T) {
	t.Parallel()
	all := servertest.NewMembers(t, "a", "b", "c")
	running := servertest.LaunchCluster(t, all[:2])
	mustRequest(t, http.MethodPost, running[0].Client+"/v2/members", `{"peerURLs":["`+all[2].PeerURL()+`"]}`, http.StatusCreated)
	incomplete := servertest.InitialCluster([]servertest.Member{all[0], all[2]})
	joined := all[2].StartPando(t, "--initial-cluster", incomplete, "--initial-cluster-state", "existing")
	joined.AwaitServing()
	servertest.AwaitPublished(t, joined.Client, 3)
	servertest.AwaitReplicated(t, running[1].Client, joined.Client)
}

// wantCluster computes the cluster ID and the members that a bootstrap must lead to.
func wantCluster(t testing.TB, token string, all []servertest.Member) (cluster string, list []string) {
	t.Helper()
	c, err := members.Static{
		Name: all[0].Name, PeerURLs: []string{all[0].PeerURL()}, InitialCluster: servertest.InitialCluster(all), Token: token,
	}.Cluster()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range c.Members {
		list = append(list, m.ID.String()+" "+m.Name)
	}
	slices.Sort(list)
	return c.ID.String(), list
}
