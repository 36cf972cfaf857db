package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pando/members"
)

// seat is where one member of a test's cluster lives.
type seat struct {
	name         string
	client, peer string // host:port
	dataDir      string
}

// seats finds places for members with these names.
func seats(t testing.TB, names ...string) []seat {
	t.Helper()
	dir := t.TempDir()
	all := make([]seat, len(names))
	for i, name := range names {
		all[i] = seat{name, keptAddr(t), keptAddr(t), filepath.Join(dir, name)}
	}
	return all
}

// keptAddr finds an address that is still free when its server comes to it, or comes back to it after an absence.
func keptAddr(t testing.TB) string {
	t.Helper()
	port, err := keptPort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// keptPort finds a port in a range out of which the system gives none, and no other package's tests take one. No two
// tests of this process are given the same.
func keptPort() (int, error) {
	var err error
	for range 100 {
		port := 10_000 + int(keptPorts.Add(1)%10_000)
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("no free port found: %w", err)
}

var keptPorts = func() *atomic.Uint32 {
	var n atomic.Uint32
	n.Store(rand.Uint32N(10_000)) // another run may go on beside this one
	return &n
}()

func (s seat) clientURL() string { return "http://" + s.client }
func (s seat) peerURL() string   { return "http://" + s.peer }

// flags are those that both Pando and the reference take.
func (s seat) flags(more ...string) []string {
	return append([]string{
		"--name", s.name, "--data-dir", s.dataDir,
		"--listen-client-urls", s.clientURL(), "--advertise-client-urls", s.clientURL(),
		"--listen-peer-urls", s.peerURL(), "--initial-advertise-peer-urls", s.peerURL(),
	}, more...)
}

// spawn starts the server of this place and waits for nothing.
func (s seat) spawn(t testing.TB, more ...string) *process {
	t.Helper()
	return s.run(t, exec.Command(os.Args[0], s.flags(more...)...))
}

// run starts the command as the server of this place.
func (s seat) run(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := start(t, s.dataDir, cmd)
	p.client, p.peer = s.clientURL(), s.peerURL()
	return p
}

// initialClusterOf is the flag's value for these members.
func initialClusterOf(all []seat) string {
	var list []string
	for _, s := range all {
		list = append(list, s.name+"="+s.peerURL())
	}
	return strings.Join(list, ",")
}

// launchCluster starts members that know each other from the flags.
func launchCluster(t testing.TB, all []seat) []*process {
	t.Helper()
	var running []*process
	for _, s := range all {
		running = append(running, s.spawn(t, "--initial-cluster", initialClusterOf(all)))
	}
	for _, p := range running {
		p.awaitServing()
	}
	awaitPublished(t, running[0].client, len(all))
	return running
}

// awaitPublished waits until so many members have told their client URLs. It
// returns the ID of the cluster and the members as "ID name".
func awaitPublished(t testing.TB, client string, count int) (cluster string, list []string) {
	t.Helper()
	short := http.Client{Timeout: 5 * time.Second} // a server that can't start may have the socket already
	await(t, fmt.Sprintf("%d members at %s", count, client), func() bool {
		resp, err := short.Get(client + "/v2/members")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var body struct{ Members []members.Member }
		if json.NewDecoder(resp.Body).Decode(&body) != nil {
			return false
		}
		list = nil
		for _, m := range body.Members {
			if len(m.ClientURLs) > 0 {
				list = append(list, m.ID.String()+" "+m.Name)
			}
		}
		slices.Sort(list)
		cluster = resp.Header.Get("X-Etcd-Cluster-Id")
		return len(list) == count
	})
	return cluster, list
}

// wantCluster works out what a bootstrap of these members has to lead to.
func wantCluster(t testing.TB, token string, all []seat) (cluster string, list []string) {
	t.Helper()
	c, err := members.Static{Name: all[0].name, PeerURLs: []string{all[0].peerURL()}, InitialCluster: initialClusterOf(all), Token: token}.Cluster()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range c.Members {
		list = append(list, m.ID.String()+" "+m.Name)
	}
	slices.Sort(list)
	return c.ID.String(), list
}

// newToken makes a discovery URL at a server.
func newToken(t testing.TB, client, name string, size int) string {
	t.Helper()
	newKeyClient(t, client).must(t, http.MethodPut, "/discovery/"+name+"/_config/size", form("value", itoa(size)))
	return client + "/v2/keys/discovery/" + name
}

// sees waits until a value written through one client URL is read at another.
func sees(t testing.TB, written, read string) {
	t.Helper()
	newKeyClient(t, written).must(t, http.MethodPut, "/seen", form("value", written))
	await(t, "the value at "+read, func() bool {
		answer, err := newKeyClient(t, read).do(http.MethodGet, "/seen", nil)
		return err == nil && answer.Node != nil && answer.Node.Value == written
	})
}

// awaitCluster waits until these members serve as one cluster.
func awaitCluster(t testing.TB, running []*process) {
	t.Helper()
	for _, p := range running {
		p.awaitServing()
	}
	awaitPublished(t, running[0].client, len(running))
	sees(t, running[0].client, running[len(running)-1].client)
}
