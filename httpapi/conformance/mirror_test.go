package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pando/members/servertest"
	"pando/tree"
)

// TestMirror uses a cluster of three that follows an etcd by pando migrate.
func TestMirror(t *testing.T) {
	servertest.SkipShort(t, "the packages inside httpapi have tests with an etcd that is a function")
	c := newMirroredCluster(t, "", func(etcd string) {
		for _, form := range []string{"value=1", "value=2"} {
			mustAs(t, "", "PUT", etcd+"/v2/keys/app/one", form)
		}
	}, "x", "y", "z")
	t.Run("refused", c.checkRefused)
	migrate := c.follow()
	t.Run("forwarded", c.checkForwarded)
	t.Run("watch", c.checkWatch)
	t.Run("no answer", c.checkNoAnswer)
	t.Run("switch", c.checkSwitch)
	if code := migrate.AwaitExit(); code != 0 {
		t.Errorf("pando migrate ended with %d:\n%s%s", code, migrate.Stdout, migrate.Stderr)
	}
}

// TestMirrorRights uses a member that follows an etcd with users. The etcd hashes a password at each request, so there are few.
func TestMirrorRights(t *testing.T) {
	servertest.SkipShort(t, "package service has a test with an etcd that is a function")
	c := newMirroredCluster(t, asRoot, func(etcd string) { makeUsers(t, etcd) }, "one")
	c.follow()
	c.checkRights(t)
}

// checkRefused checks that a cluster that does not forward takes no writes.
func (c *mirroredCluster) checkRefused(t *testing.T) {
	for _, m := range c.members {
		if got := mustAs(t, "", "GET", m.Client+"/v2/keys/app/one", ""); !strings.Contains(got, `"value":"2"`) {
			t.Errorf("got %s", got)
		}
		got := expectAs(t, 503, "", "PUT", m.Client+"/v2/keys/app/one", "value=3")
		if !strings.Contains(got.body, `"errorCode":300`) || !strings.Contains(got.body, "takes no writes until `pando migrate switch`") {
			t.Errorf("got %s", got.body)
		}
		expectAs(t, 503, "", "PUT", m.Client+"/v2/auth/users/bob", `{"user":"bob","password":"`+alicePassword+`"}`)
	}
}

// ask sends a request without a user, and returns the response.
func ask(t *testing.T, method, target, form string) (forwardedAnswer, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	if form != "" {
		r.Header.Set("Content-Type", transcriptFormType)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return forwardedAnswer{resp.StatusCode, resp.Header.Get("X-Etcd-Index"), resp.Header.Get("Content-Type"), string(body)}, resp.Header
}

// checkForwarded sends requests of each kind, by turns to each member. The responses must be those of the etcd, and the client must
// be able to read its write from the same member.
func (c *mirroredCluster) checkForwarded(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	for i, r := range []struct {
		method, path, form string
		status             int
	}{
		{"PUT", "/f/a", "value=1", 201},
		{"PUT", "/f/a", "value=2%26%3D%2B+x%25", 200},
		{"PUT", "/f/query?value=3&ttl=1000", "", 201},
		{"PUT", "/f/%C3%A4%20b/", "value=%E2%9C%93", 201},
		{"PUT", "/f/long", "value=" + long, 201},
		{"PUT", "/f/a?prevExist=false", "value=x", 412},   // 105
		{"PUT", "/f/b?prevExist=true", "value=x", 404},    // 100
		{"PUT", "/f/new?prevExist=false", "value=x", 201}, //
		{"PUT", "/f/a?prevValue=wrong", "value=x", 412},   // 101
		{"PUT", "/f/new?prevValue=x", "value=y", 200},     //
		{"PUT", "/f/new?prevExist=true&noValueOnSuccess=1", "value=z", 200},
		{"PUT", "/f/dir", "dir=true&ttl=500", 201},
		{"PUT", "/f/dir", "value=x", 403},     // 102
		{"PUT", "/f/a/below", "value=x", 400}, // 104
		{"POST", "/f/queue", "value=job", 201},
		{"PUT", "/f/query", "refresh=true&ttl=700&prevExist=true", 200},
		{"DELETE", "/f/new?prevValue=x", "", 412}, // 101
		{"DELETE", "/f/new?prevValue=z", "", 200},
		{"DELETE", "/f/queue?dir=true", "", 403}, // 108
		{"DELETE", "/f/dir", "", 403},            // 102
		{"DELETE", "/f/dir?dir=true", "", 200},
		{"DELETE", "/f/none", "", 404}, // 100
		{"PUT", "/", "value=x", 400},   // 107
		{"GET", "/f/a?quorum=true", "", 200},
		{"GET", "/f?quorum=true&recursive=true&sorted=true", "", 200},
		{"GET", "/f/none?quorum=true", "", 404},
		{"DELETE", "/f/queue?recursive=true", "", 200},
	} {
		t.Run(fmt.Sprintf("%s %.60s", r.method, r.path), func(t *testing.T) {
			member := c.members[i%len(c.members)]
			before, late := c.front.requests.Load(), lateWrites(member)
			got, header := ask(t, r.method, member.Client+"/v2/keys"+r.path, r.form)
			want := c.front.lastResponse()
			if got != want || got.status != r.status || c.front.requests.Load() != before+1 {
				t.Errorf("got  %.300v\nwant %.300v, status %d, after %d requests", got, want, r.status, c.front.requests.Load()-before)
			}
			if header.Get("X-Etcd-Cluster-Id") == "" || got.status < 300 && header.Get("X-Raft-Term") == "" {
				t.Errorf("the headers are %v", header)
			}
			if r.method != "GET" && got.status < 300 && lateWrites(member) == late { // a loaded machine may be too slow
				c.checkReadYourWrite(t, member, r.method, got.body)
			}
		})
	}
}

// lateWrites returns the number of writes that a member has answered before it had applied them, as text.
func lateWrites(member *servertest.Process) string {
	_, rest, _ := strings.Cut(member.Get("/metrics"), `pando_mirror_forwarded_total{outcome="late"}`)
	count, _, _ := strings.Cut(rest, "\n")
	return count
}

// checkReadYourWrite reads the node of a successful write from the member that has forwarded the write, without a quorum.
func (c *mirroredCluster) checkReadYourWrite(t *testing.T, member *servertest.Process, method, body string) {
	t.Helper()
	var written, read servertest.KeyAnswer
	if err := json.Unmarshal([]byte(body), &written); err != nil || written.Node == nil {
		return // noValueOnSuccess
	}
	got, _ := ask(t, "GET", member.Client+"/v2/keys"+(&url.URL{Path: written.Node.Key}).EscapedPath(), "")
	if err := json.Unmarshal([]byte(got.body), &read); err != nil {
		t.Fatal(err)
	}
	switch {
	case method == "DELETE" && got.status == http.StatusNotFound:
	case method == "DELETE", read.Node == nil, read.Node.Value != written.Node.Value:
		t.Errorf("wrote %.200s, and read %.200s", body, got.body)
	case read.Node.ModifiedIndex != written.Node.ModifiedIndex && !strings.Contains(written.Node.Key, "query"): // refreshed
		t.Errorf("wrote %.200s, and read %.200s", body, got.body)
	}
}

// checkRights sends writes of users. Members check the rights by their own users before they forward.
func (c *mirroredCluster) checkRights(t *testing.T) {
	m, before := c.members[0], c.front.requests.Load()
	expectAs(t, 401, "", "PUT", m.Client+"/v2/keys/app/one", "value=0")
	expectAs(t, 401, "alice:wrong", "PUT", m.Client+"/v2/keys/app/one", "value=0")
	expectAs(t, 401, asAlice, "PUT", m.Client+"/v2/keys/f/a", "value=0")
	expectAs(t, 401, asAlice, "GET", m.Client+"/v2/mirror", "")
	expectAs(t, 401, "", "POST", m.Client+"/v2/mirror", `{}`)
	mustAs(t, asRoot, "PUT", c.etcd+"/v2/auth/users/carol", `{"user":"carol","password":"`+alicePassword+`"}`)
	expectAs(t, 401, "carol:"+alicePassword, "PUT", m.Client+"/v2/keys/app/one", "value=0") // the member does not have this user
	if c.front.requests.Load() != before {
		t.Error("the etcd got a request without the right")
	}
	mustAs(t, asAlice, "PUT", m.Client+"/v2/keys/app/one", "value=3")
	mustAs(t, asAlice, "GET", m.Client+"/v2/keys/app/one?quorum=true", "")
	if got := c.front.requests.Load() - before; got != 2 {
		t.Errorf("%d requests were forwarded", got)
	}
	servertest.Await(t, "the write to be applied", func() bool {
		return strings.Contains(mustAs(t, asAlice, "GET", m.Client+"/v2/keys/app/one", ""), `"value":"3"`)
	})
}

// checkWatch checks that watchers get forwarded writes with the indexes of the etcd, from the time before the import on.
func (c *mirroredCluster) checkWatch(t *testing.T) {
	written, _ := ask(t, "PUT", c.members[0].Client+"/v2/keys/app/watched", "value=w")
	for _, m := range c.members {
		got, _ := ask(t, "GET", m.Client+"/v2/keys/app/watched?wait=true&waitIndex=1", "")
		if got.body != written.body {
			t.Errorf("the watcher got %s, and the writer %s", got.body, written.body)
		}
		old, _ := ask(t, "GET", m.Client+"/v2/keys/app?wait=true&recursive=true&waitIndex=4", "")
		want, _ := ask(t, "GET", c.etcd+"/v2/keys/app?wait=true&recursive=true&waitIndex=4", "")
		if old.body != want.body {
			t.Errorf("the watcher got %s, and that of the etcd %s", old.body, want.body)
		}
	}
}

// checkNoAnswer checks what clients are told if the etcd does not answer.
func (c *mirroredCluster) checkNoAnswer(t *testing.T) {
	c.front.breaks.Store(true)
	before := c.front.requests.Load()
	got := expectAs(t, 500, "", "POST", c.members[1].Client+"/v2/keys/once", "value=1")
	c.front.breaks.Store(false)
	if !strings.Contains(got.body, "may have been carried out: read before you repeat it") || c.front.requests.Load() != before+1 {
		t.Errorf("got %s after %d requests", got.body, c.front.requests.Load()-before)
	}
	servertest.Await(t, "the POST to be carried out once", func() bool {
		return strings.Count(sendAs(t, "", "GET", c.members[1].Client+"/v2/keys/once", "").body, `"value":"1"`) == 1
	})
	c.change(tree.MirrorChange{Sources: []string{"http://" + servertest.FreeAddr(t)}})
	got = expectAs(t, 503, "", "PUT", c.members[2].Client+"/v2/keys/app/one", "value=1")
	if !strings.Contains(got.body, "did not answer; nothing was done") {
		t.Errorf("got %s", got.body)
	}
	c.change(tree.MirrorChange{Sources: []string{c.front.URL}})
}

// checkSwitch ends the mirror while clients write to each member. No acknowledged write may be lost, and none may reach the etcd after
// all members have reported the fence.
func (c *mirroredCluster) checkSwitch(t *testing.T) {
	var writers sync.WaitGroup
	var stop atomic.Bool
	acknowledged := make([]map[string]uint64, len(c.members))
	for i, m := range c.members {
		acknowledged[i] = map[string]uint64{}
		writers.Go(func() { write(t, m, i, acknowledged[i], &stop) })
	}
	servertest.Await(t, "some writes", func() bool {
		return strings.Count(sendAs(t, "", "GET", c.etcd+"/v2/keys/load", "").body, "value") > 10
	})
	c.change(tree.MirrorChange{Phase: tree.PhaseFenced})
	for _, m := range c.members {
		servertest.Await(t, "the fence of a member", func() bool {
			state := c.state(m)
			return state.Phase == tree.PhaseFenced && state.Forwarding == 0
		})
	}
	c.front.fenced.Store(true)
	newest, _ := ask(t, "GET", c.etcd+"/v2/keys/?quorum=true", "")
	servertest.Await(t, "all events of the etcd", func() bool {
		return c.state(c.members[0]).Index >= uint64(servertest.Atoi(t, newest.index))
	})
	c.change(tree.MirrorChange{Phase: tree.PhaseEnded, To: 1000})
	after := mustAs(t, "", "PUT", c.members[2].Client+"/v2/keys/app/one", "value=new")
	stop.Store(true)
	writers.Wait()
	var answer servertest.KeyAnswer
	least := uint64(servertest.Atoi(t, newest.index)) + 1000
	if err := json.Unmarshal([]byte(after), &answer); err != nil || answer.Node.ModifiedIndex <= least {
		t.Errorf("after the switch: %s", after)
	}
	for i, m := range c.members {
		for key, index := range acknowledged[i] {
			got := mustAs(t, "", "GET", m.Client+"/v2/keys"+key+"?quorum=true", "")
			if !strings.Contains(got, fmt.Sprintf(`"modifiedIndex":%d,`, index)) {
				t.Errorf("%s was acknowledged at index %d: %s", key, index, got)
			}
		}
	}
	mustAs(t, "", "PUT", c.members[1].Client+"/v2/auth/users/bob", `{"user":"bob","password":"`+alicePassword+`"}`)
}

// write makes keys through a member until stop is set. It fails the test if an index is not above those before.
func write(t *testing.T, m *servertest.Process, writer int, acknowledged map[string]uint64, stop *atomic.Bool) {
	client, last := servertest.NewKeyClient(t, m.Client), uint64(0)
	for n := 0; !stop.Load(); n++ {
		key := fmt.Sprintf("/load/%d-%d", writer, n)
		answer, err := client.Do("PUT", key, servertest.Form("value", "x"))
		if err != nil || answer.Node == nil {
			t.Errorf("a write failed: %+v, %v", answer, err)
			return
		}
		if answer.Node.ModifiedIndex <= last {
			t.Errorf("index %d after index %d", answer.Node.ModifiedIndex, last)
		}
		last = answer.Node.ModifiedIndex
		acknowledged[key] = last
	}
}
