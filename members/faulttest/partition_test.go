package faulttest

import (
	"net/http"
	"os"
	"testing"
	"time"

	"pando/members/servertest"
)

// TestPartition runs three members on three hosts. Their network drops packets and closes no connection.
func TestPartition(t *testing.T) {
	t.Parallel()
	servertest.SkipShort(t, "it waits for several election timeouts")
	plainAndTLS(t, partitioned)
}

// partitioned cuts the links between three members. prepare prepares the members.
func partitioned(t *testing.T, prepare preparation) {
	n := newNetwork(t, "a", "b", "c")
	p := &partition{cluster: &cluster{t: t, members: n.members()}, network: n}
	prepare(t, p.members)
	flags := loadedFlags(servertest.InitialCluster(p.members))
	p.spawn = func(s servertest.Member) *servertest.Process {
		for i, host := range n.hosts {
			if host == s.Name {
				return s.StartCommand(t, n.command(i, append([]string{os.Args[0]}, s.Flags(flags...)...)...))
			}
		}
		return nil
	}
	p.start()
	p.writes = p.load()
	for range *clusterCuts {
		p.cutLeader("leader cut off", n.isolate, n.rejoin)
		p.cutFollowers("follower cut off", n.isolate, n.rejoin)
		p.cutLeader("leader not heard", p.silence, p.unsilence)
		p.cutFollowers("follower not heard", p.silence, p.unsilence)
	}
	p.writes.settle()
	p.mustAgree()
	for _, name := range p.order {
		t.Logf("%s %d times: writes again after %s; rejoined after %s",
			name, len(p.gaps[name]), distribution(p.gaps[name]), distribution(p.returns[name]))
	}
}

// partition is a cluster, its network and its load.
type partition struct {
	*cluster
	network *network
	writes  *clusterLoad
	// order has the kinds of cuts; gaps and returns have the times by kind.
	order         []string
	gaps, returns map[string][]time.Duration
}

// note records the time in which the cluster took no writes, and the time in which the member caught up.
func (p *partition) note(kind string, gap, back time.Duration) {
	if p.gaps == nil {
		p.gaps, p.returns = map[string][]time.Duration{}, map[string][]time.Duration{}
	}
	if p.gaps[kind] == nil {
		p.order = append(p.order, kind)
	}
	p.gaps[kind] = append(p.gaps[kind], gap)
	p.returns[kind] = append(p.returns[kind], back)
}

// silence drops all packets from a member to the others. The member still receives packets.
func (p *partition) silence(member int) {
	for other := range p.running {
		if other != member {
			p.network.mute(member, other)
		}
	}
}

func (p *partition) unsilence(member int) {
	for other := range p.running {
		if other != member {
			p.network.unmute(member, other)
		}
	}
}

// cutLeader disconnects the leader from the other members, but not from its clients. It must acknowledge no write and
// step down. The others must elect a leader.
func (p *partition) cutLeader(kind string, cut, mend func(member int)) {
	p.t.Helper()
	leader := p.leader(-1)
	cut(leader)
	begin := time.Now()
	refused := make(chan bool, 1)
	go func() {
		client := servertest.NewKeyClient(p.t, p.running[leader].Client)
		value := p.writes.unique()
		refused <- p.writes.send(client, http.MethodPut, "/cut", servertest.Form("value", value), issued{"set", "/cut", value}) == nil
	}()
	gap := p.writes.restored(p.clients(leader)...).Sub(begin)
	servertest.Await(p.t, "the cut leader to step down", func() bool { return p.running[leader].RaftState().State == "StateFollower" })
	if p.leader(-1) == leader {
		p.t.Errorf("%s: it still leads", kind)
	}
	select {
	case nothing := <-refused:
		if !nothing {
			p.t.Errorf("%s: it acknowledged a write", kind)
		}
		refused <- true
	default: // still waiting
	}
	mend(leader)
	p.note(kind, gap, p.awaitReturn(leader))
	<-refused // after the network is restored, the write may be acknowledged
}

// cutFollowers disconnects a follower. The others must go on without an election, also after it is back. A pause of the whole machine of
// a second makes a leader step down, too. A follower that disturbs the others does it each time.
func (p *partition) cutFollowers(kind string, cut, mend func(member int)) {
	p.t.Helper()
	const tries = 4
	for try := 1; p.cutFollower(kind, cut, mend); try++ {
		if try == tries {
			p.t.Errorf("%s: another member led after each of %d cuts", kind, tries)
			return
		}
	}
}

// cutFollower disconnects a follower for a while. It reports whether another member leads then.
func (p *partition) cutFollower(kind string, cut, mend func(member int)) (deposed bool) {
	p.t.Helper()
	leader := p.leader(-1)
	follower := (leader + 1) % len(p.running)
	cut(follower)
	begin := time.Now()
	gap := p.writes.restored(p.running[leader].Client).Sub(begin)
	servertest.Await(p.t, "the cut follower to look for a leader", func() bool {
		self := p.running[follower].RaftState()
		return self.State != "" && self.LeaderInfo.Leader == ""
	})
	mend(follower)
	p.note(kind, gap, p.awaitReturn(follower))
	return p.leader(-1) != leader
}

// awaitReturn waits until a member has caught up, and returns how long that took.
func (p *partition) awaitReturn(member int) time.Duration {
	p.t.Helper()
	begin := time.Now()
	p.awaitIndex(member, (member+1)%len(p.running))
	return time.Since(begin)
}
