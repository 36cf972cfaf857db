package faulttest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

var (
	clusterKills  = flag.Int("cluster.kills", 2, "number of times that the leader is killed")
	clusterPauses = flag.Int("cluster.pauses", 2, "number of times that the leader is stopped and goes on")
	clusterCuts   = flag.Int("cluster.cuts", 1, "number of times that the members are cut off from each other")
)

// defaultElectionTimeout is that of a cluster without other flags.
const defaultElectionTimeout = time.Second

// cluster is three members, each in a process of its own.
type cluster struct {
	t       *testing.T
	members []servertest.Member
	running []*servertest.Process
	spawn   func(s servertest.Member) *servertest.Process
}

// launchLoadedCluster starts three members on loopback, and a load on them. prepare prepares the members.
func launchLoadedCluster(t *testing.T, prepare preparation) (*cluster, *clusterLoad) {
	t.Helper()
	c := &cluster{t: t, members: servertest.NewMembers(t, "a", "b", "c")}
	prepare(t, c.members)
	c.spawn = func(s servertest.Member) *servertest.Process {
		return s.StartPando(t, loadedFlags(servertest.InitialCluster(c.members))...)
	}
	c.start()
	return c, c.load()
}

// loadedFlags returns the flags of a member whose history is long enough for a load.
func loadedFlags(initialCluster string) []string {
	return []string{
		"--initial-cluster", initialCluster, "--history-size", servertest.Itoa(clusterHistory),
		"--snapshot-count", "2000", "--consistency-check-interval", "1000",
	}
}

// load starts a load on the cluster.
func (c *cluster) load() *clusterLoad {
	c.t.Helper()
	l := startClusterLoad(c.t, c.clients(-1)...)
	l.restored(l.bases...)
	return l
}

// shortened returns a number of rounds or keys, or half of it with -short.
func shortened(n int) int {
	if testing.Short() {
		return (n + 1) / 2
	}
	return n
}

// start starts all members.
func (c *cluster) start() {
	c.t.Helper()
	for _, s := range c.members {
		c.running = append(c.running, c.spawn(s))
	}
	for _, p := range c.running {
		p.AwaitServing()
	}
}

// clients returns the client URLs of all members except one. With -1 it returns all.
func (c *cluster) clients(but int) []string {
	var list []string
	for i, p := range c.running {
		if i != but {
			list = append(list, p.Client)
		}
	}
	return list
}

// leader waits until a member reports that it leads, and returns its number. It skips the member with the number but, which may be
// -1.
func (c *cluster) leader(but int) int {
	c.t.Helper()
	leader := -1
	servertest.Await(c.t, "a leader", func() bool {
		for i, p := range c.running {
			if i != but && p.RaftState().State == "StateLeader" {
				leader = i
			}
		}
		return leader >= 0
	})
	return leader
}

// restart starts a member that has ended, and waits until it has applied what another member has applied. It returns how long
// that took.
func (c *cluster) restart(i int) time.Duration {
	c.t.Helper()
	begin := time.Now()
	c.running[i] = c.spawn(c.members[i])
	c.running[i].AwaitServing()
	c.awaitIndex(i, (i+1)%len(c.running))
	return time.Since(begin)
}

// awaitIndex waits until a member has applied the index that another member has applied at the time of the call.
func (c *cluster) awaitIndex(i, other int) {
	c.t.Helper()
	want := servertest.NewKeyClient(c.t, c.running[other].Client).Must(c.t, http.MethodGet, "/", nil).EtcdIndex
	client := servertest.NewKeyClient(c.t, c.running[i].Client)
	client.HTTP.Timeout = writerTimeout
	servertest.Await(c.t, fmt.Sprintf("index %d at %s", want, c.members[i].Name), func() bool {
		answer, err := client.Do(http.MethodGet, "/", nil)
		return err == nil && answer.EtcdIndex >= want
	})
}

// mustAgree waits until the members have compared their data, and fails the test if they found a difference.
func (c *cluster) mustAgree() {
	c.t.Helper()
	servertest.Await(c.t, "all members to have been compared", func() bool {
		return strings.Contains(c.running[0].Get("/metrics"), fmt.Sprintf("\npando_consistency_checked_members %d\n", len(c.running)))
	})
	for _, p := range c.running {
		if text := p.Stderr.String(); strings.Contains(text, "data differs") {
			c.t.Errorf("member %s says\n%s", p.Client, text)
		}
	}
}

// distribution returns the median, the 95th percentile and the maximum.
func distribution(of []time.Duration) string {
	if len(of) == 0 {
		return "none"
	}
	sorted := slices.Sorted(slices.Values(of))
	at := func(percent int) time.Duration {
		return sorted[(len(sorted)-1)*percent/100].Round(time.Millisecond)
	}
	return fmt.Sprintf("median %v, p95 %v, max %v", at(50), at(95), at(100))
}

// TestLeaderKilled kills the leader under load several times.
func TestLeaderKilled(t *testing.T) {
	t.Parallel()
	plainAndTLS(t, leaderKilled)
}

func leaderKilled(t *testing.T, prepare preparation) {
	c, l := launchLoadedCluster(t, prepare)
	var gaps, returns []time.Duration
	for round := range shortened(*clusterKills) {
		leader := c.leader(-1)
		<-time.After(time.Duration(100+rand.IntN(300)) * time.Millisecond)
		killed := time.Now()
		c.running[leader].Kill()
		gap := l.restored(c.clients(leader)...).Sub(killed)
		back := c.restart(leader)
		gaps, returns = append(gaps, gap), append(returns, back)
		if testing.Verbose() {
			t.Logf("round %d: %s killed, service after %v, back and caught up after %v", round, c.members[leader].Name, gap, back)
		}
		if t.Failed() {
			break
		}
	}
	l.settle()
	c.mustAgree()
	t.Logf("%d leaders killed: writes again after %s; caught up after %s", len(gaps), distribution(gaps), distribution(returns))
	checkGaps(t, gaps)
}

// checkGaps fails the test if the members did not serve for more than two election timeouts. A short run on a busy
// machine has five times as long.
func checkGaps(t *testing.T, gaps []time.Duration) {
	t.Helper()
	limit := 2 * defaultElectionTimeout
	if len(gaps) < 30 {
		limit *= 5
	}
	if slowest := slices.Max(gaps); slowest > limit {
		t.Errorf("the members did not serve for %v, more than %v", slowest, limit)
	}
}
