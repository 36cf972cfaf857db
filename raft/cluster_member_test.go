package raft

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"pando/members"
	"pando/storage"
	"pando/tree"
)

// add adds a new member by a request to another one, starts it, and waits until it has a vote.
func (c *cluster) add(via *replica) *replica {
	c.t.Helper()
	r := c.newReplica()
	c.must("add", func(ctx context.Context) error { return via.node().AddMember(ctx, r.member()) })
	r.join(via)
	c.awaitVote(r)
	return r
}

// member returns the member with its peer URL and without a name, as a request to add it has it.
func (r *replica) member() members.Member {
	return members.Member{ID: r.id, PeerURLs: []string{r.server.URL}}
}

// join starts a member that was added, as the program does: with the list of members of another one.
func (r *replica) join(via *replica) {
	r.c.t.Helper()
	r.start(nil, via.node().Members().List())
}

func (c *cluster) awaitVote(r *replica) {
	c.t.Helper()
	c.await(fmt.Sprintf("member %d to get its vote, everywhere", r.id), func() bool {
		return !slices.ContainsFunc(c.running(), func(other *replica) bool {
			m, known := other.node().Members().Get(r.id)
			return !known || m.Learner || m.Name != r.name
		})
	})
	c.awaitServing(r)
}

// must makes a change of the membership. After a time-out the outcome is unknown, so it tries again; an error because
// the change was made then is no failure.
func (c *cluster) must(what string, change func(ctx context.Context) error) {
	c.t.Helper()
	var err error
	for range 5 {
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		err = change(ctx)
		cancel()
		var failed *tree.Error
		if err == nil || errors.Is(err, members.ErrIDExists) || errors.Is(err, members.ErrIDRemoved) {
			return
		}
		if !errors.As(err, &failed) && !errors.Is(err, members.ErrUnhealthy) && !errors.Is(err, members.ErrNotEnoughMembers) {
			break
		}
	}
	c.t.Fatalf("%s a member: %v; %s", what, err, c.describe())
}

// remove removes a member by a request to another one. If it runs it must end, and it must never start again.
func (c *cluster) remove(r, via *replica) {
	c.t.Helper()
	c.must("remove", func(ctx context.Context) error { return via.node().RemoveMember(ctx, r.id) })
	r.mustEndRemoved()
	if err := r.tryStart(nil, nil); err == nil {
		r.mustEndRemoved()
	} else if !errors.Is(err, ErrRemoved) {
		c.t.Errorf("removed member %d was started again: %v", r.id, err)
	}
}

func (r *replica) mustEndRemoved() {
	r.c.t.Helper()
	node := r.up.Load()
	if node == nil {
		return
	}
	r.c.await(fmt.Sprintf("removed member %d to end", r.id), func() bool { return closed(node.Done()) })
	if !errors.Is(node.Err(), ErrRemoved) {
		r.c.t.Errorf("removed member %d ended with %v", r.id, node.Err())
	}
	r.up.Store(nil)
	r.shut()
}

func smallLog(cfg *Config) { cfg.SnapshotCount, cfg.CatchUpBytes = 100, 24<<10 }

// TestReconfigureUnderLoad adds, removes and replaces members, the leader among them, while clients write.
func TestReconfigureUnderLoad(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, smallLog)
	load := c.newLoad(4)
	random := newRandom(t)
	deadline := time.Now().Add(*faultTime)
	rounds := 0
	for ; rounds < 6 || time.Now().Before(deadline); rounds++ {
		load.awaitMore(20)
		list := c.running()
		victim := list[random.IntN(len(list))]
		via := c.others(victim)[random.IntN(len(list)-1)]
		switch random.IntN(3) {
		case 0: // add one, then remove one
			c.add(via)
			c.remove(victim, via)
		case 1: // a member loses its data
			victim.kill()
			c.leader()
			c.remove(victim, via)
			c.add(via)
		case 2: // remove one, then add one
			c.remove(victim, via)
			c.leader()
			c.add(via)
		}
		load.finish()
		load = c.newLoad(4, c.running()...)
	}
	load.finish()
	t.Logf("%d rounds, %d members came", rounds, len(c.members)-3)
}

func TestRemovedMember(t *testing.T) {
	t.Parallel()
	t.Run("leader under load", func(t *testing.T) {
		c := newCluster(t, 3, nil)
		load := c.newLoad(8)
		load.awaitMore(50)
		old := c.leader()
		c.remove(old, old)
		load.awaitMore(50)
		load.finish()
		if n := len(c.leader().node().Members().List()); n != 2 {
			t.Errorf("%d members are left", n)
		}
	})
	t.Run("follower that was cut off", func(t *testing.T) {
		c := newCluster(t, 3, nil)
		gone := c.follower()
		c.isolate(gone)
		via := c.leader(c.others(gone)...)
		c.must("remove", func(ctx context.Context) error { return via.node().RemoveMember(ctx, gone.id) })
		c.links.heal()
		gone.mustEndRemoved() // it learns that from a refused stream
		via.set("/after", "1")
	})
	t.Run("while it is down", func(t *testing.T) {
		c := newCluster(t, 3, nil)
		gone := c.follower()
		gone.kill()
		c.remove(gone, c.leader())
		c.leader().set("/after", "1")
		c.settle()
	})
	t.Run("restart from a checkpoint that knows", func(t *testing.T) {
		c := newCluster(t, 3, nil)
		gone := c.follower()
		via := c.leader()
		c.must("remove", func(ctx context.Context) error { return via.node().RemoveMember(ctx, gone.id) })
		gone.mustEndRemoved()
		recovered := storage.EmptyRecovered(storage.Identity{ClusterID: uint64(c.id), MemberID: uint64(gone.id)}, testHistory)
		recovered.Members = via.node().Members().Marshal()
		if _, err := Start(Config{Recovered: recovered, Registry: members.NewRegistry(c.id), Logger: c.logger()}); !errors.Is(err, ErrRemoved) {
			t.Errorf("started with %v", err)
		}
	})
}

// TestMistypedLearner adds members whose URL is that of no member, or of another one: they do not count for the
// quorum, never get a vote, and can be removed.
func TestMistypedLearner(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 3} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			c := newCluster(t, size, nil)
			lead := c.leader()
			nowhere := httptest.NewServer(nil)
			nowhere.Close()
			typo := members.Member{ID: 77, PeerURLs: []string{nowhere.URL}}
			alias := members.Member{ID: 78, PeerURLs: []string{lead.server.URL + "/"}}
			for _, m := range []members.Member{typo, alias} {
				c.must("add", func(ctx context.Context) error { return lead.node().AddMember(ctx, m) })
			}
			if size == 3 { // the most that the cluster can lose
				c.follower().kill()
			}
			load := c.newLoad(4)
			load.awaitMore(200)
			for _, r := range c.running() {
				for _, m := range []members.Member{typo, alias} {
					if got, known := r.node().Members().Get(m.ID); !known || !got.Learner {
						t.Errorf("member %d shows %s as %+v", r.id, m.PeerURLs, got)
					}
				}
				if _, err := r.get(loadDir); err != nil {
					t.Errorf("quorum read on member %d: %v", r.id, err)
				}
			}
			for _, m := range []members.Member{typo, alias} {
				c.must("remove", func(ctx context.Context) error { return c.leader().node().RemoveMember(ctx, m.ID) })
			}
			load.finish()
		})
	}
}

func TestRefusedChanges(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	gone := members.Member{ID: 99, PeerURLs: []string{"http://127.0.0.1:1"}}
	c.must("add", func(ctx context.Context) error { return c.members[0].node().AddMember(ctx, gone) })
	c.must("remove", func(ctx context.Context) error { return c.members[0].node().RemoveMember(ctx, gone.ID) })
	c.settle()
	first, second := c.members[0].member(), c.members[1].member()
	for name, test := range map[string]struct {
		change func(n *Node) error
		want   error
	}{
		"add a known ID": {func(n *Node) error {
			return n.AddMember(t.Context(), members.Member{ID: first.ID, PeerURLs: gone.PeerURLs})
		}, members.ErrIDExists},
		"add a known URL": {func(n *Node) error {
			return n.AddMember(t.Context(), members.Member{ID: 50, PeerURLs: first.PeerURLs})
		}, members.ErrPeerURLExists},
		"add a removed ID":  {func(n *Node) error { return n.AddMember(t.Context(), gone) }, members.ErrIDRemoved},
		"remove an unknown": {func(n *Node) error { return n.RemoveMember(t.Context(), 51) }, members.ErrIDNotFound},
		"remove a removed":  {func(n *Node) error { return n.RemoveMember(t.Context(), gone.ID) }, members.ErrIDRemoved},
		"update to another's": {func(n *Node) error {
			return n.UpdateMember(t.Context(), first.ID, second.PeerURLs)
		}, members.ErrPeerURLExists},
		"update an unknown": {func(n *Node) error {
			return n.UpdateMember(t.Context(), 51, gone.PeerURLs)
		}, members.ErrIDNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range c.members {
				if err := test.change(r.node()); !errors.Is(err, test.want) {
					t.Errorf("member %d: %v, want %v", r.id, err, test.want)
				}
			}
		})
	}
	c.settle()
	if n := len(c.members[0].node().Members().List()); n != 3 {
		t.Errorf("%d members", n)
	}
}

// TestQuorumIsKept tries to remove a member that the quorum needs, which is refused, and one that is down, which is
// not.
func TestQuorumIsKept(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	dead := c.follower()
	dead.kill()
	lead := c.leader()
	alive := c.others(lead)[0]
	for _, via := range c.running() {
		c.await("the end of the member to be noticed", func() bool { return via.node().transport.LastReceived(dead.id).IsZero() })
		for _, needed := range c.running() {
			if err := via.node().RemoveMember(t.Context(), needed.id); !errors.Is(err, members.ErrNotEnoughMembers) {
				t.Errorf("member %d removes %d: %v", via.id, needed.id, err)
			}
		}
	}
	c.remove(dead, alive)
	c.add(lead)
	c.settle()

	for _, r := range c.others(lead) {
		r.kill()
		c.await("the end of the member to be noticed", func() bool { return lead.node().transport.LastReceived(r.id).IsZero() })
	}
	unreachable := members.Member{ID: 90, PeerURLs: []string{"http://127.0.0.1:1"}}
	if err := lead.node().AddMember(t.Context(), unreachable); !errors.Is(err, members.ErrUnhealthy) {
		t.Errorf("a member is added without a quorum: %v", err)
	}

	alone := newCluster(t, 1, nil)
	if err := alone.members[0].node().RemoveMember(t.Context(), alone.members[0].id); !errors.Is(err, members.ErrNotEnoughMembers) {
		t.Errorf("the only member removes itself: %v", err)
	}
}

// TestConcurrentChanges asks for many changes at once on all members: each one is answered, and a refused one does
// not block the others.
func TestConcurrentChanges(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) { cfg.Timeout = testTimeout })
	const each = 4
	var group sync.WaitGroup
	for i, r := range c.members {
		for j := range each {
			id := members.ID(100 + 10*i + j)
			url := fmt.Sprintf("http://127.0.0.1:%d", 10+10*i+j)
			group.Go(func() {
				if err := r.node().AddMember(t.Context(), members.Member{ID: id, PeerURLs: []string{url}}); err != nil {
					t.Errorf("add %d by member %d: %v", id, r.id, err)
				}
			})
			group.Go(func() {
				err := r.node().AddMember(t.Context(), members.Member{ID: id + 5, PeerURLs: c.members[j%3].member().PeerURLs})
				if !errors.Is(err, members.ErrPeerURLExists) {
					t.Errorf("add a URL that is taken: %v", err)
				}
			})
		}
	}
	group.Wait()
	c.await("every member to know all members", func() bool {
		return !slices.ContainsFunc(c.members, func(r *replica) bool { return len(r.node().Members().List()) != 3+3*each })
	})
}

// TestUpdatePeerURLs moves a member to another address.
func TestUpdatePeerURLs(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	moved := c.follower()
	moved.kill()
	old := moved.server
	moved.server = httptest.NewServer(old.Config.Handler)
	old.Close()
	c.must("update", func(ctx context.Context) error {
		return c.leader().node().UpdateMember(ctx, moved.id, []string{moved.server.URL})
	})
	load := c.newLoad(4)
	load.awaitMore(50)
	moved.restart()
	c.awaitServing(moved)
	load.finish()
}

// TestLostData starts a member under its old identity without its data: it must end with an error that says what to
// do, and must not harm the cluster.
func TestLostData(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	for i := range 20 {
		c.leader().set("/key", fmt.Sprint(i))
	}
	c.settle()
	lost := c.follower()
	founders := c.leader().node().Members().List()
	lost.kill()
	if err := os.RemoveAll(lost.dir); err != nil {
		t.Fatal(err)
	}
	lost.start(founders, nil)
	node := lost.node()
	c.await("the member without its data to end", func() bool { return closed(node.Done()) })
	if !errors.Is(node.Err(), ErrBroken) {
		t.Errorf("the member ended with %v", node.Err())
	}
	lost.up.Store(nil)
	lost.shut()
	c.leader().set("/key", "after")
	c.settle()
}

// TestNothingLeaks checks that everything ends that a cluster has started.
func TestNothingLeaks(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("cluster", func(t *testing.T) {
		c := newCluster(t, 3, smallLog)
		load := c.newLoad(4)
		for _, r := range c.members {
			load.awaitMore(50)
			r.stop()
			load.awaitMore(50)
			r.restart()
			c.awaitServing(r)
		}
		load.finish()
	})
	if !poll(func() bool { return runtime.NumGoroutine() <= before }) {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines were there, %d are left:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
	}
}
