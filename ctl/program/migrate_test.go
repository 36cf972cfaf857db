package program

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pando/members/servertest"
)

// TestMigrate moves an etcd under load to a cluster of three. pando migrate is killed ten times, and each member of the cluster once.
func TestMigrate(t *testing.T) {
	servertest.SkipShort(t, "it starts a cluster, and moves an etcd under load")
	var start uint64
	m := startMove(t, 3, func(etcd *servertest.KeyClient) {
		etcd.Must(t, "PUT", "/load/before", servertest.Form("value", "x"))
		start = etcd.Must(t, "PUT", "/_secret/before", servertest.Form("value", "x")).EtcdIndex
	})
	follower := m.follow("--forward-writes")
	urls := []string{m.pando[0].Client, m.pando[1].Client, m.pando[2].Client}
	watcher := startWatching(t, urls, start+1)
	awaitForwarding(m)

	writers := []*writer{
		newWriter(t, "etcd", 1, 4*time.Millisecond, m.etcd.Client), newWriter(t, "one", 2, 4*time.Millisecond, urls[0]),
		newWriter(t, "all", 3, 4*time.Millisecond, urls...),
	}
	stop := []chan struct{}{make(chan struct{}), make(chan struct{}), make(chan struct{})}
	var writing sync.WaitGroup
	for i, w := range writers {
		writing.Go(func() { w.run(stop[i]) })
	}
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	for i := range 10 {
		<-time.After(time.Duration(50+random.IntN(300)) * time.Millisecond)
		follower.Kill()
		if i%3 == 1 {
			m.restart(1 + i/3%2)
		}
		follower = m.follow()
	}
	for _, p := range m.pando {
		p.AwaitServing()
	}
	<-time.After(time.Second)
	m.compare()

	close(stop[0]) // no client writes to etcd directly any more
	servertest.Await(t, "a switch", func() bool {
		out, err := pando(t, m.arguments("switch", "--watch-source", "100ms")...)
		if err != nil {
			t.Logf("switch: %v", err)
			return false
		}
		return strings.HasPrefix(out, "switched: ")
	})
	if code := follower.AwaitExit(); code != 0 || !strings.Contains(follower.Stdout.String(), "has taken over") {
		t.Errorf("pando migrate ended with %d:\n%s%s", code, follower.Stdout, follower.Stderr)
	}
	<-time.After(300 * time.Millisecond)
	close(stop[1])
	close(stop[2])
	writing.Wait()

	server := servertest.NewKeyClient(t, urls[0])
	last := server.Must(t, "PUT", "/load/end", servertest.Form("value", "x")).Node.ModifiedIndex
	var wanted []uint64
	for _, w := range writers {
		w.check(t, server)
		wanted = append(wanted, w.shown...)
		t.Logf("writer %s: %d acknowledged, %d keys with an unknown outcome", w.name, w.acked, len(w.unknown))
	}
	watcher.check(t, last, append(wanted, last))
}

// awaitForwarding waits until all members forward writes.
func awaitForwarding(m *move) {
	m.t.Helper()
	for _, p := range m.pando {
		servertest.Await(m.t, "a member to forward writes", func() bool {
			var state struct{ ForwardWrites bool }
			_, err := servertest.GetJSON(p.Client+"/v2/mirror", &state)
			return err == nil && state.ForwardWrites
		})
	}
}

// TestMigrateRefused checks what is refused, and what a follower does about lost changes and a fence that was forgotten.
func TestMigrateRefused(t *testing.T) {
	servertest.SkipShort(t, "it starts servers")
	m := startMove(t, 1, func(etcd *servertest.KeyClient) {
		for i := range 30 {
			etcd.Must(t, "PUT", "/load/"+servertest.Itoa(i), servertest.Form("value", "x", "ttl", "1000"))
		}
		etcd.Must(t, "PUT", "/_secret/a", servertest.Form("value", "x"))
		etcd.Must(t, "PUT", "/plain", servertest.Form("value", "x"))
	})
	etcd := servertest.NewKeyClient(t, m.etcd.Client)
	t.Run("a lost window", func(t *testing.T) {
		for i := range 1100 {
			etcd.Must(t, "PUT", "/many/"+servertest.Itoa(i%50), servertest.Form("value", servertest.Itoa(i)))
		}
		etcd.Must(t, "DELETE", "/load/3", nil)
		etcd.Must(t, "PUT", "/_secret/b", servertest.Form("value", "y"))
		etcd.Must(t, "PUT", "/plain?prevExist=true", servertest.Form("refresh", "true", "ttl", "500"))
		follower := m.follow()
		m.awaitEqual()
		servertest.Await(t, "the note", func() bool { return strings.Contains(follower.Stdout.String(), "reading all keys again") })
		m.compare()
		follower.Signal(syscall.SIGINT)
		if code := follower.AwaitExit(); code != ExitInterrupted {
			t.Errorf("exit code %d after CTRL+C\n%s", code, follower.Stdout)
		}
	})
	t.Run("a write to the cluster", func(t *testing.T) {
		a, err := servertest.NewKeyClient(t, m.pando[0].Client).Do("PUT", "/x", servertest.Form("value", "x"))
		if err != nil || a.ErrorCode != 300 {
			t.Errorf("got %+v, %v", a, err)
		}
	})
	t.Run("a client that still writes to etcd", func(t *testing.T) {
		stop := make(chan struct{})
		var writing sync.WaitGroup
		w := newWriter(t, "stray", 1, 2*time.Millisecond, m.etcd.Client)
		writing.Go(func() { w.run(stop) })
		_, err := pando(t, m.arguments("switch")...)
		close(stop)
		writing.Wait()
		if err == nil || !strings.Contains(err.Error(), "still changes") || !strings.Contains(err.Error(), "/load/stray") {
			t.Errorf("got %v", err)
		}
		if phase := m.phase(0); phase != "following" {
			t.Errorf("the phase is %s", phase)
		}
	})
	t.Run("users", func(t *testing.T) { refuseUsers(t, m) })
	other := servertest.StartSingle(t, servertest.Member.StartPando).Client
	t.Run("another etcd", func(t *testing.T) {
		_, err := pando(t, "migrate", "compare", "--from", other, "--to", m.pando[0].Client)
		if err == nil || !strings.Contains(err.Error(), "another cluster") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a cluster that does not follow", func(t *testing.T) {
		_, err := pando(t, "migrate", "switch", "--from", m.etcd.Client, "--to", other)
		if err == nil || !strings.Contains(err.Error(), "--follow") {
			t.Errorf("got %v", err)
		}
	})
}

// refuseUsers changes users of etcd after the import.
func refuseUsers(t *testing.T, m *move) {
	request, err := http.NewRequest(http.MethodPut, m.etcd.Client+"/v2/auth/users/extra", strings.NewReader(`{"user":"extra","password":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.Body.Close() != nil || response.StatusCode >= http.StatusBadRequest {
		t.Fatalf("%v, %v", response, err)
	}
	if _, err := pando(t, m.arguments("switch")...); err == nil || !strings.Contains(err.Error(), "user extra is missing at the target") {
		t.Errorf("got %v", err)
	}
}
