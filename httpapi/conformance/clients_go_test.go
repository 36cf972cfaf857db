package conformance

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pando/stats"

	etcdclient "go.etcd.io/etcd/client/v2"

	"pando/members/servertest"
)

// These tests use the Go client of the v2 API, which most old Go programs were built with.

func goClient(t *testing.T, endpoints ...string) etcdclient.Client {
	t.Helper()
	client, err := etcdclient.New(
		etcdclient.Config{Endpoints: endpoints, Transport: &http.Transport{}, HeaderTimeoutPerRequest: servertest.Timeout},
	)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// mustNode returns a function that returns a response, and fails the test unless the response has a node.
func mustNode(t *testing.T) func(*etcdclient.Response, error) *etcdclient.Response {
	return func(r *etcdclient.Response, err error) *etcdclient.Response {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if r.Node == nil || r.ClusterID == "" || r.Index == 0 {
			t.Fatalf("incomplete response %+v", r)
		}
		return r
	}
}

func codeOf(err error) int {
	if e, ok := errors.AsType[etcdclient.Error](err); ok {
		return e.Code
	}
	return 0
}

// TestClientGoKeys calls every method of KeysAPI.
func TestClientGoKeys(t *testing.T) {
	keys := etcdclient.NewKeysAPI(goClient(t, launchAdvertised(t).Client))
	must, ctx := mustNode(t), t.Context()

	created := must(keys.Create(ctx, "/a", "one"))
	if created.Action != "create" || created.PrevNode != nil || created.Node.CreatedIndex != created.Node.ModifiedIndex {
		t.Errorf("Create: %+v", created)
	}
	if _, err := keys.Create(ctx, "/a", "two"); codeOf(err) != etcdclient.ErrorCodeNodeExist {
		t.Errorf("Create again: %v", err)
	}
	if r := must(keys.Get(ctx, "/a", nil)); r.Node.Value != "one" || r.Node.ModifiedIndex != created.Node.ModifiedIndex {
		t.Errorf("Get: %+v", r.Node)
	}
	if _, err := keys.Get(ctx, "/none", nil); !etcdclient.IsKeyNotFound(err) {
		t.Errorf("Get of nothing: %v", err)
	}
	if r := must(keys.Update(ctx, "/a", "two")); r.Action != "update" || r.PrevNode.Value != "one" {
		t.Errorf("Update: %+v", r)
	}
	goClientSets(t, keys)
	if r := must(keys.CreateInOrder(ctx, "/q", "job", &etcdclient.CreateInOrderOptions{TTL: time.Hour})); r.Action != "create" ||
		r.Node.TTLDuration() != time.Hour {
		t.Errorf("CreateInOrder: %+v", r.Node)
	}
	must(keys.CreateInOrder(ctx, "/q", "job", nil))
	listed := must(keys.Get(ctx, "/q", &etcdclient.GetOptions{Recursive: true, Sort: true, Quorum: true}))
	if len(listed.Node.Nodes) != 2 ||
		!slices.IsSortedFunc(listed.Node.Nodes, func(a, b *etcdclient.Node) int { return strings.Compare(a.Key, b.Key) }) {
		t.Errorf("Get, sorted: %+v", listed.Node.Nodes)
	}
	if _, err := keys.Delete(ctx, "/a", &etcdclient.DeleteOptions{PrevValue: "other"}); codeOf(err) != etcdclient.ErrorCodeTestFailed {
		t.Errorf("Delete of another value: %v", err)
	}
	if r := must(keys.Delete(ctx, "/a", nil)); r.Action != "delete" || r.PrevNode == nil {
		t.Errorf("Delete: %+v", r)
	}
	if _, err := keys.Delete(ctx, "/q", &etcdclient.DeleteOptions{Dir: true}); codeOf(err) != etcdclient.ErrorCodeDirNotEmpty {
		t.Errorf("Delete of a directory that is not empty: %v", err)
	}
	must(keys.Delete(ctx, "/q", &etcdclient.DeleteOptions{Recursive: true}))
}

// goClientSets calls Set with each of its options.
func goClientSets(t *testing.T, keys etcdclient.KeysAPI) {
	t.Helper()
	must, ctx := mustNode(t), t.Context()
	last := must(keys.Set(ctx, "/a", "three", nil))
	if last.Action != "set" || last.PrevNode == nil {
		t.Errorf("Set: %+v", last)
	}
	last = must(keys.Set(ctx, "/a", "four", &etcdclient.SetOptions{PrevValue: "three", PrevIndex: last.Node.ModifiedIndex}))
	if last.Action != "compareAndSwap" {
		t.Errorf("Set with PrevValue and PrevIndex: %+v", last)
	}
	if _, err := keys.Set(ctx, "/a", "five", &etcdclient.SetOptions{PrevIndex: 1}); codeOf(err) != etcdclient.ErrorCodeTestFailed {
		t.Errorf("Set with a wrong PrevIndex: %v", err)
	}
	if _, err := keys.Set(ctx, "/none", "x", &etcdclient.SetOptions{PrevExist: etcdclient.PrevExist}); !etcdclient.IsKeyNotFound(err) {
		t.Errorf("Set of what must exist: %v", err)
	}
	_, err := keys.Set(ctx, "/a", "x", &etcdclient.SetOptions{PrevExist: etcdclient.PrevNoExist})
	if codeOf(err) != etcdclient.ErrorCodeNodeExist {
		t.Errorf("Set of what must not exist: %v", err)
	}
	if r := must(keys.Set(ctx, "/dir", "", &etcdclient.SetOptions{Dir: true, TTL: time.Hour})); !r.Node.Dir || r.Node.TTL != 3600 ||
		r.Node.Expiration == nil {
		t.Errorf("Set of a directory: %+v", r.Node)
	}
	must(keys.Set(ctx, "/ttl", "kept", &etcdclient.SetOptions{TTL: time.Hour}))
	refresh := &etcdclient.SetOptions{TTL: 2 * time.Hour, Refresh: true, PrevExist: etcdclient.PrevExist}
	if r := must(keys.Set(ctx, "/ttl", "", refresh)); r.Node.Value != "kept" || r.Node.TTL != 7200 {
		t.Errorf("Set with Refresh: %+v", r.Node)
	}
	r, err := keys.Set(ctx, "/quiet", "x", &etcdclient.SetOptions{NoValueOnSuccess: true})
	if err != nil || r.Action != "set" || r.Node != nil {
		t.Errorf("Set with NoValueOnSuccess: %+v, error %v", r, err)
	}
}

// TestClientGoMembers calls every method of MembersAPI.
func TestClientGoMembers(t *testing.T) {
	p := launchAdvertised(t)
	client := goClient(t, p.Client)
	members, ctx := etcdclient.NewMembersAPI(client), t.Context()

	list, err := members.List(ctx)
	if err != nil || len(list) != 1 || list[0].Name != "default" || !slices.Equal(list[0].ClientURLs, []string{p.Client}) {
		t.Fatalf("List: %+v, error %v", list, err)
	}
	if leader, err := members.Leader(ctx); err != nil || leader.ID != list[0].ID {
		t.Errorf("Leader: %+v, error %v", leader, err)
	}
	const url, other = "http://127.0.0.1:1", "http://127.0.0.1:2"
	added, err := members.Add(ctx, url)
	if err != nil || added.ID == "" || !slices.Equal(added.PeerURLs, []string{url}) {
		t.Fatalf("Add: %+v, error %v", added, err)
	}
	if _, err := members.Add(ctx, url); err == nil {
		t.Error("Add of a URL that is taken: no error")
	}
	if err := members.Update(ctx, added.ID, []string{other}); err != nil {
		t.Errorf("Update: %v", err)
	}
	if list, err := members.List(ctx); err != nil || len(list) != 2 ||
		!slices.ContainsFunc(list, func(m etcdclient.Member) bool { return slices.Contains(m.PeerURLs, other) }) {
		t.Errorf("List after Update: %+v, error %v", list, err)
	}
	if err := members.Remove(ctx, added.ID); err != nil {
		t.Errorf("Remove: %v", err)
	}
	if err := members.Remove(ctx, added.ID); err != nil { // the client treats 410 as success
		t.Errorf("Remove again: %v", err)
	}
	if err := members.Remove(ctx, "ffff"); err == nil {
		t.Error("Remove of an unknown member: no error")
	}
	if err := client.Sync(ctx); err != nil || !slices.Equal(client.Endpoints(), []string{p.Client}) {
		t.Errorf("Sync: %q, error %v", client.Endpoints(), err)
	}
	if v, err := client.GetVersion(ctx); err != nil || v.Server != stats.APILevel {
		t.Errorf("GetVersion: %+v, error %v", v, err)
	}
}

// TestClientGoWatch checks that watchers see every change although the server is killed and restarted.
func TestClientGoWatch(t *testing.T) {
	place := servertest.NewMembers(t, "default")[0]
	begin := func() *servertest.Process {
		p := place.StartPando(t)
		p.AwaitServing()
		return p
	}
	p := begin()
	keys := etcdclient.NewKeysAPI(goClient(t, place.ClientURL()))
	must := mustNode(t)
	from := must(keys.Set(t.Context(), "/w/start", "x", nil)).Node.ModifiedIndex
	watchers := []etcdclient.Watcher{
		keys.Watcher("/w", &etcdclient.WatcherOptions{Recursive: true, AfterIndex: from}),
		keys.Watcher("/w/a", &etcdclient.WatcherOptions{AfterIndex: from}),
	}
	for round := range 3 {
		value := servertest.Itoa(round)
		for i, w := range watchers {
			first := round == 0
			if r := nextEvent(t, w, func() {
				if i == 0 {
					setUntilDone(t, keys, value)
				}
			}); r.Node.Key != "/w/a" || r.Node.Value != value || first && r.Node.ModifiedIndex != from+1 {
				t.Fatalf("round %d, watcher %d: %+v", round, i, r.Node)
			}
		}
		p.Kill()
		p = begin()
	}
	must(keys.Delete(t.Context(), "/w", &etcdclient.DeleteOptions{Recursive: true, Dir: true}))
	for i, w := range watchers {
		if r := nextEvent(t, w, func() {}); r.Action != "delete" || r.Node.Key != "/w" || !r.Node.Dir {
			t.Errorf("watcher %d: %+v", i, r)
		}
	}
}

// setUntilDone repeats a write until it succeeds: after a restart the client may still use a broken connection.
func setUntilDone(t *testing.T, keys etcdclient.KeysAPI, value string) {
	t.Helper()
	servertest.Await(t, "a write to succeed", func() bool {
		_, err := keys.Set(t.Context(), "/w/a", value, nil)
		return err == nil
	})
}

// nextEvent calls happen while a watcher waits, and returns the event. It repeats a wait that a restart has broken, as
// programs do.
func nextEvent(t *testing.T, w etcdclient.Watcher, happen func()) *etcdclient.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), servertest.Timeout)
	defer cancel()
	seen := make(chan *etcdclient.Response, 1)
	go func() {
		defer close(seen)
		for ctx.Err() == nil {
			if r, err := w.Next(ctx); err == nil {
				seen <- r
				return
			}
		}
	}()
	happen()
	r := <-seen
	if r == nil {
		t.Fatal("a watcher got no event")
	}
	return r
}
