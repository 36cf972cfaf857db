package faulttest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pando/members/servertest"
)

// TestClientsOverMove runs legacy clients while etcd is stopped, its data imported, and Pando started on the same ports with the same
// environment. The clients must see each event once, keep their lock, and go on with their refreshes.
func TestClientsOverMove(t *testing.T) {
	servertest.SkipShort(t, "it waits for clients that are not written in Go")
	t.Parallel()
	etcd, python := servertest.RequireEtcd(t), servertest.RequirePython(t, "etcd", "python3-etcd")
	s := servertest.NewMembers(t, "default")[0]
	move := &moveToPando{member: s, environment: []string{
		"ETCD_NAME=" + s.Name, "ETCD_DATA_DIR=" + s.DataDir, "ETCD_ENABLE_V2=true",
		"ETCD_LISTEN_CLIENT_URLS=" + s.ClientURL(), "ETCD_ADVERTISE_CLIENT_URLS=" + s.ClientURL(),
		"ETCD_LISTEN_PEER_URLS=" + s.PeerURL(), "ETCD_INITIAL_ADVERTISE_PEER_URLS=" + s.PeerURL(),
		"ETCD_INITIAL_CLUSTER=" + servertest.InitialCluster([]servertest.Member{s}),
	}}
	old := servertest.StartCommand(t, exec.Command(etcd), move.environment...)
	servertest.AwaitPublished(t, s.ClientURL(), 1)

	keys := servertest.NewKeyClient(t, s.ClientURL())
	first := keys.Must(t, "PUT", "/first", servertest.Form("value", "x")).EtcdIndex + 1
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	watchers := legacyWatchers(t, s.ClientURL(), first)
	for _, w := range watchers {
		clients.Go(func() { w.run(ctx) })
	}
	holder := startLockHolder(t, python, s.Client)
	holder.awaitSteps(t, "held", 2)
	contender := startLockHolder(t, python, s.Client)
	servertest.Await(t, "the second client to queue for the lock", func() bool {
		return len(keys.Must(t, "GET", "/_locks/job", nil).Node.Nodes) == 2
	})

	want := changeJobs(t, keys, nil)
	for _, w := range watchers {
		w.mustHaveSeen(t, want)
	}
	late := legacyWatchers(t, s.ClientURL(), first) // clients that were away during the move
	old.Terminate()
	holder.awaitSteps(t, "unreachable", 1)
	move.run(t)
	servertest.AwaitPublished(t, s.ClientURL(), 1)

	want = changeJobs(t, keys, want)
	for _, w := range late {
		clients.Go(func() { w.run(ctx) })
	}
	for _, w := range append(watchers, late...) {
		w.mustHaveSeen(t, want)
	}
	mustKeepLock(t, keys, holder, contender)
}

// moveToPando is the move of one member.
type moveToPando struct {
	member      servertest.Member
	environment []string // of etcd
}

// run imports the data of etcd, which has stopped, and starts Pando with the environment of etcd and another data directory.
func (m *moveToPando) run(t *testing.T) {
	t.Helper()
	environment := append(m.environment, "PANDO_DATA_DIR="+filepath.Join(t.TempDir(), "pando"))
	p := servertest.StartCommand(t, exec.Command(os.Args[0], "import-etcd", m.member.DataDir), environment...)
	if code := p.AwaitExit(); code != 0 {
		t.Fatalf("import-etcd ended with %d:\n%s", code, p.Stderr)
	}
	servertest.StartCommand(t, exec.Command(os.Args[0]), environment...).AwaitServing()
}

// changeJobs changes keys below /jobs, and returns the events, after those before.
func changeJobs(t *testing.T, keys *servertest.KeyClient, before []seenEvent) []seenEvent {
	t.Helper()
	for _, change := range []struct{ method, key, value string }{
		{"PUT", "/jobs/a", "1"},
		{"PUT", "/jobs/b", "1"},
		{"PUT", "/jobs/a", "2"},
		{"PUT", "/jobs/a?prevValue=2", "3"},
		{"PUT", "/jobs/b?prevExist=true", "2"},
	} {
		a := keys.Must(t, change.method, change.key, servertest.Form("value", change.value))
		if n := len(before); n > 0 && a.Node.ModifiedIndex <= before[n-1].index {
			t.Errorf("the index went back from %d to %d", before[n-1].index, a.Node.ModifiedIndex)
		}
		before = append(before, seenEvent{a.Node.ModifiedIndex, a.Action, a.Node.Key, a.Node.Value})
	}
	return before
}

// mustKeepLock checks that the holder has held its lock all the time and renews it, and that the contender gets it when it is released.
func mustKeepLock(t *testing.T, keys *servertest.KeyClient, holder, contender *lockHolder) {
	t.Helper()
	holder.awaitSteps(t, "held", 2)
	service := keys.Must(t, "GET", "/services/one", nil).Node
	servertest.Await(t, "a refresh after the move", func() bool {
		n := keys.Must(t, "GET", "/services/one", nil).Node
		return n.Value == "up" && n.Expiration > service.Expiration && n.CreatedIndex == service.CreatedIndex
	})
	if contender.steps("acquired") > 0 {
		t.Error("two clients hold the lock")
	}
	lock := keys.Must(t, "GET", "/_locks/job?sorted=true", nil).Node
	if !strings.Contains(holder.Stdout.String(), "acquired "+lock.Nodes[0].Key+"\n") {
		t.Errorf("the lock of the holder is not the first of %+v", lock.Nodes)
	}
	if err := holder.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	servertest.Await(t, "the next holder", func() bool { return contender.steps("acquired") > 0 })
	holder.AwaitExit()
	for _, h := range []*lockHolder{holder, contender} {
		if h.steps("lost")+h.steps("error") > 0 {
			t.Errorf("a lock holder printed\n%s", h.Stdout)
		}
	}
}
