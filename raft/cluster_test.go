package raft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"pando/members"
	"pando/raft/transport"
	"pando/storage"
)

const (
	clusterTick          = 20 * time.Millisecond
	clusterElectionTicks = 15
	clusterTimeout       = 3 * time.Second // of a proposal or a read
)

// cluster is a cluster of members in this process, which connect over real HTTP, through links that the test can
// disturb.
type cluster struct {
	t       testing.TB
	id      members.ID
	links   *links
	members []*replica // in the order in which they were added; removed ones stay
	loads   []*load
	tune    func(*Config)
}

// replica is one member: what survives its end, and its node while it is up.
type replica struct {
	c      *cluster
	id     members.ID
	name   string
	dir    string
	server *httptest.Server
	peer   atomic.Pointer[http.Handler] // nil while the member is down
	up     atomic.Pointer[Node]         // nil while the member is down
	seen   *recorder
	disk   *storage.Disk
	client *http.Client
	resume chan struct{} // closed to unpause a paused member
	named  []*replica    // the members in its flags; nil for all
}

// newCluster starts a cluster and waits until it has a leader.
func newCluster(t testing.TB, size int, tune func(*Config)) *cluster {
	c := &cluster{t: t, id: 7, links: newLinks(), tune: tune}
	t.TempDir() // the first call registers the removal of the directories, which must come after close
	t.Cleanup(c.close)
	for range size {
		c.newReplica()
	}
	founders := make([]members.Member, size)
	for i, r := range c.members {
		founders[i] = members.Member{ID: r.id, Name: r.name, PeerURLs: []string{r.server.URL}}
	}
	for _, r := range c.members {
		r.start(founders, nil)
	}
	c.electEarly()
	c.awaitServing(c.members...)
	return c
}

// steady sets an election timeout that a busy machine does not exceed by accident, for tests that need the same leader or term.
func steady(cfg *Config) { cfg.ElectionTicks = 200 }

// electEarly has the first member campaign if the election timeout is too long to wait for it.
func (c *cluster) electEarly() {
	c.t.Helper()
	first := c.members[0]
	if first.node().core.cfg.electionTimeout() <= time.Second {
		return
	}
	c.await("the first leader", func() bool {
		if first.node().Leader() != 0 {
			return true
		}
		first.inTurnOf(func(c *core) { _ = c.raw.Campaign() }) // the others may not be connected yet
		<-time.After(5 * clusterTick)
		return false
	})
}

// newReplica makes a member that is not started. Its server listens until the test ends, as a host does on which
// processes start and end.
func (c *cluster) newReplica() *replica {
	n := len(c.members) + 1
	r := &replica{
		c: c, id: members.ID(n), name: fmt.Sprintf("m%d", n),
		dir: filepath.Join(c.t.TempDir(), "data"), client: transport.NewClient(nil),
	}
	r.client.Transport = signed{r.client.Transport, r.id}
	r.server = httptest.NewServer(http.HandlerFunc(r.serve))
	c.members = append(c.members, r)
	return r
}

// signed puts the sender into each request, so that the links can tell which one applies.
type signed struct {
	http.RoundTripper
	from members.ID
}

func (s signed) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header.Get("X-Pando-From") == "" {
		req = req.Clone(req.Context())
		req.Header.Set("X-Pando-From", s.from.String())
	}
	return s.RoundTripper.RoundTrip(req)
}

func (r *replica) serve(w http.ResponseWriter, req *http.Request) {
	h := r.peer.Load()
	from, err := members.ParseID(req.Header.Get("X-Pando-From"))
	defer func() {
		if aborted := recover(); aborted != nil {
			// Otherwise the server reads the rest of the request before it closes the connection.
			_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
			panic(aborted)
		}
	}()
	if h == nil || err != nil {
		panic(http.ErrAbortHandler)
	}
	linked, ok := r.c.links.pass(from, r.id, w, req)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	(*h).ServeHTTP(linked, req)
}

// start opens the data or creates it, and starts the node: as a founder, as a member that joins peers, or again.
func (r *replica) start(founders, peers []members.Member) {
	r.c.t.Helper()
	if err := r.tryStart(founders, peers); err != nil {
		r.c.t.Fatalf("member %d: %v", r.id, err)
	}
}

func (r *replica) tryStart(founders, peers []members.Member) error {
	options := storage.Options{DataDir: r.dir, HistorySize: testHistory}
	id := storage.Identity{ClusterID: uint64(r.c.id), MemberID: uint64(r.id)}
	cfg := Config{
		Bootstrap: founders, Peers: peers, Contacts: r.contacts, PeerClient: r.client, Registry: members.NewRegistry(r.c.id),
		Name: r.name, ClientURLs: []string{"http://client." + r.name + ":2", "http://client." + r.name + ":1"},
		Tick: clusterTick, ElectionTicks: clusterElectionTicks, Timeout: clusterTimeout,
		SnapshotCount: 100_000, Logger: r.c.logger(),
	}
	exists, err := storage.Exists(options)
	if err != nil {
		return err
	}
	if exists {
		cfg.Bootstrap, cfg.Peers = nil, nil
		r.disk, cfg.Recovered, err = storage.Open(options)
	} else {
		r.disk, err = storage.Create(options, id)
		cfg.Recovered = storage.EmptyRecovered(id, testHistory)
	}
	if err != nil {
		return err
	}
	r.seen = &recorder{}
	cfg.Disk, cfg.Observer = r.disk, r.seen.hooks()
	if r.c.tune != nil {
		r.c.tune(&cfg)
	}
	node, err := Start(cfg)
	if err != nil {
		return errors.Join(err, r.disk.Close())
	}
	mux := http.NewServeMux()
	node.RegisterPeer(func(pattern string, h http.HandlerFunc) { mux.HandleFunc(pattern, h) })
	mux.HandleFunc("/members", r.serveMembers)
	var handler http.Handler = mux
	r.up.Store(node)
	r.peer.Store(&handler)
	r.c.links.setAll(r.id, mended)
	return nil
}

// serveMembers serves the list of members as httpapi does on the peer port.
func (r *replica) serveMembers(w http.ResponseWriter, _ *http.Request) {
	type item struct {
		ID       uint64   `json:"id"`
		PeerURLs []string `json:"peerURLs"`
	}
	list := []item{}
	if node := r.up.Load(); node != nil {
		for _, m := range node.Members().List() {
			list = append(list, item{uint64(m.ID), m.PeerURLs})
		}
	}
	w.Header().Set("X-Etcd-Cluster-Id", r.c.id.String())
	if err := json.NewEncoder(w).Encode(list); err != nil {
		r.c.t.Log(err)
	}
}

// contacts returns the peer URLs in a member's flags.
func (r *replica) contacts(context.Context) []string {
	var urls []string
	named := r.c.members
	if r.named != nil {
		named = r.named
	}
	for _, other := range named {
		if other != r {
			urls = append(urls, other.server.URL)
		}
	}
	return urls
}

// logger writes nothing unless the test is verbose and asks for it.
func (c *cluster) logger() *zap.Logger {
	if *clusterLog {
		return zaptest.NewLogger(c.t)
	}
	return zap.NewNop()
}

// node is the running node; the test fails if there is none.
func (r *replica) node() *Node {
	r.c.t.Helper()
	n := r.up.Load()
	if n == nil {
		r.c.t.Fatalf("member %d is down", r.id)
	}
	return n
}

// stop ends the member as a shutdown does.
func (r *replica) stop() {
	r.c.t.Helper()
	node := r.up.Swap(nil)
	if node == nil {
		return
	}
	node.Stop()
	r.shut()
}

// kill ends the member as a crash does: at one moment it loses its peers and its disk.
func (r *replica) kill() {
	r.c.t.Helper()
	node := r.up.Swap(nil)
	if node == nil {
		return
	}
	r.c.links.setAll(r.id, cut)
	r.peer.Store(nil)
	if err := r.disk.Close(); err != nil {
		r.c.t.Error(err)
	}
	node.Stop()
	r.shut()
}

// shut closes the connections and the disk, as the kernel does when a process ends.
func (r *replica) shut() {
	r.peer.Store(nil)
	r.c.links.setAll(r.id, cut)
	if err := r.disk.Close(); err != nil {
		r.c.t.Error(err)
	}
}

// restart starts a stopped or killed member again.
func (r *replica) restart() {
	r.c.t.Helper()
	r.start(nil, nil)
}

// pause stops the member's core: no goroutine can take the turn.
func (r *replica) pause() {
	r.c.t.Helper()
	resume, paused := make(chan struct{}), make(chan struct{})
	r.resume = resume
	go r.node().core.takeTurn(func() { close(paused); <-resume })
	<-paused
}

func (c *cluster) close() {
	c.links.heal()
	for _, r := range c.members {
		r.unpause()
	}
	for _, r := range c.members {
		r.kill()
		r.server.CloseClientConnections()
		r.server.Close()
	}
}

// running returns the members that are up.
func (c *cluster) running() []*replica {
	var up []*replica
	for _, r := range c.members {
		if r.up.Load() != nil {
			up = append(up, r)
		}
	}
	return up
}

// others returns the running members without this one.
func (c *cluster) others(but *replica) []*replica {
	var list []*replica
	for _, r := range c.running() {
		if r != but {
			list = append(list, r)
		}
	}
	return list
}

// await polls until done, and fails the test when that takes too long.
func (c *cluster) await(what string, done func() bool) {
	c.t.Helper()
	if !poll(done) {
		c.t.Fatalf("waited %v for %s; %s", testTimeout, what, c.describe())
	}
}

func (c *cluster) describe() string {
	var b strings.Builder
	for _, r := range c.running() {
		s := r.node().Status()
		fmt.Fprintf(&b, "[member %d: leader %d term %d committed %d applied %d tree %d members %d",
			r.id, s.Leader, s.Term, s.Committed, s.Applied, r.node().Tree().View().Index(), len(r.node().Members().List()))
		if closed(r.node().Done()) {
			fmt.Fprintf(&b, " ended: %v", r.node().Err())
		}
		b.WriteString("] ")
	}
	return b.String()
}

func (c *cluster) awaitServing(list ...*replica) {
	c.t.Helper()
	for _, r := range list {
		c.await(fmt.Sprintf("member %d to serve", r.id), func() bool { return closed(r.node().Ready()) })
		if self, _ := r.node().Members().Get(r.id); len(self.ClientURLs) == 0 {
			c.t.Errorf("member %d serves before its members' list has its client URLs", r.id)
		}
	}
}

// unpause lets a paused member continue.
func (r *replica) unpause() {
	if r.resume != nil {
		close(r.resume)
		r.resume = nil
	}
}
