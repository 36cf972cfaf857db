package raft

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/storage"
	"pando/tree"
	"pando/tree/users"
)

// followingStore returns the tree of a cluster that follows an etcd at index 10. The TTL of /due has ended.
func followingStore(t *testing.T) *tree.Store {
	t.Helper()
	l := tree.NewLoader(testHistory)
	err := errors.Join(
		l.ImportState(10, tree.Counters{}, new(users.State)),
		l.ImportNode(tree.NodeFields{Path: "/due", Value: "v", Created: 9, Modified: 9, Expires: 1}),
	)
	store, finishErr := l.Finish()
	if err = errors.Join(err, finishErr); err != nil {
		t.Fatal(err)
	}
	store.Follow()
	return store
}

// newFollowingCluster starts a cluster of three members that follows an etcd.
func newFollowingCluster(t *testing.T, tune func(*Config)) *cluster {
	t.Helper()
	return newFoundedCluster(t, tune, func(o storage.Options, founding storage.Founding) error {
		return storage.Import(o, storage.Imported{Store: followingStore(t), Applied: 50, Term: 3}, founding)
	})
}

// mirror proposes a change of the mirror on a member. repeated reports whether the outcome was unknown, and the change was proposed
// again.
func (r *replica) mirror(c *tree.MirrorChange) (repeated bool, err error) {
	r.c.t.Helper()
	attempts := 0
	r.c.await("the outcome of a change of the mirror", func() bool {
		attempts++
		_, err = r.node().Propose(r.c.t.Context(), &tree.Command{Op: tree.OpMirror, Mirror: c})
		return !outcomeUnknown(err)
	})
	return attempts > 1, err
}

// mustMirror proposes a change of the mirror, which must succeed. A change that is refused when it is repeated was made before.
func (r *replica) mustMirror(c *tree.MirrorChange) {
	r.c.t.Helper()
	repeated, err := r.mirror(c)
	if code := codeOf(err); repeated && (code == tree.CodeMirrorIndex || code == tree.CodeNotFollowing) {
		err = nil
	}
	if err != nil {
		r.c.t.Fatalf("member %d: %+v: %v; %s", r.id, c, err, r.c.describe())
	}
}

// setTo returns a change with one event that sets a key.
func setTo(index uint64, path string) *tree.MirrorChange {
	node := tree.NodeFields{Path: path, Value: "v", Created: index, Modified: index}
	return &tree.MirrorChange{After: index - 1, To: index, Events: []tree.EventFields{{Action: tree.ActionSet, Node: node}}}
}

// checkFollowing checks on all running members that /due is there, that the mirror has this phase, and that no TTL is to end.
func (c *cluster) checkFollowing(phase tree.MirrorPhase) {
	c.t.Helper()
	c.settle()
	for _, r := range c.running() {
		v := r.node().Tree().View()
		if m := v.Mirror(); m == nil || m.Phase != phase || v.Lookup("/due") == nil {
			c.t.Errorf("member %d: the mirror is %+v; /due: %v", r.id, m, v.Lookup("/due"))
		}
		r.node().core.takeTurn(func() {
			if due := r.node().core.expirer.due; due != 0 {
				c.t.Errorf("member %d waits for a TTL that ends at %d", r.id, due)
			}
		})
	}
}

// codeOf returns the code of an error of the tree.
func codeOf(err error) tree.Code {
	if e, ok := errors.AsType[*tree.Error](err); ok {
		return e.Code
	}
	return 0
}

// TestMirrorIsReplicated follows an etcd with a cluster, through crashes and a snapshot, and ends it.
func TestMirrorIsReplicated(t *testing.T) {
	t.Parallel()
	c := newFollowingCluster(t, smallLog)
	c.checkFollowing(tree.PhaseFollowing)
	last := uint64(11)
	c.members[0].mustMirror(setTo(last, "/a"))

	t.Run("other changes", func(t *testing.T) {
		for name, command := range map[string]tree.Command{
			"of a key": {Op: tree.OpSet, Path: "/a", Value: "client"},
			"of users": {Op: tree.OpUsers, Change: putUser("ann", "hash")},
		} {
			for _, r := range c.members {
				if _, err := r.propose(&command); codeOf(err) != tree.CodeFollowing {
					t.Errorf("%s on member %d: %v", name, r.id, err)
				}
			}
		}
	})
	t.Run("a change that comes twice", func(t *testing.T) {
		for _, r := range c.members {
			_, err := r.mirror(setTo(last, "/a"))
			if e, ok := errors.AsType[*tree.Error](err); !ok || e.Code != tree.CodeMirrorIndex || e.Index != last {
				t.Errorf("member %d: %v", r.id, err)
			}
		}
		c.checkFollowing(tree.PhaseFollowing)
	})
	t.Run("all members are killed", func(t *testing.T) {
		c.members[1].mustMirror(&tree.MirrorChange{After: last, To: last, Phase: tree.PhaseFenced, Sources: []string{"http://source"}})
		c.killAll()
		for _, r := range c.members {
			r.restart()
		}
		c.awaitServing(c.members...)
		c.checkFollowing(tree.PhaseFenced)
	})
	t.Run("a member that was stopped gets a snapshot", func(t *testing.T) {
		lagging := c.follower()
		at := lagging.node().Status().Applied
		lagging.kill()
		lead := c.leader(c.others(lagging)...)
		c.await("the log to be compacted", func() bool {
			for range 50 {
				last++
				lead.mustMirror(setTo(last, fmt.Sprintf("/outrun/%d", last%20)))
			}
			return lead.begins() > at+1
		})
		lagging.restart()
		c.awaitServing(lagging)
		c.checkFollowing(tree.PhaseFenced)
	})
	t.Run("the end", func(t *testing.T) { c.checkMirrorEnd(t, last) })
}

// checkMirrorEnd ends the mirror of a cluster that has followed its source up to the index last.
func (c *cluster) checkMirrorEnd(t *testing.T, last uint64) {
	c.follower().mustMirror(&tree.MirrorChange{After: last, To: last + 1000, Phase: tree.PhaseEnded})
	c.await("/due to expire", func() bool { return c.leader().node().Tree().View().Lookup("/due") == nil })
	attempts := uint64(0)
	c.await("the first write after the end", func() bool {
		attempts++
		e, err := c.follower().trySet("/a", "client")
		switch {
		case outcomeUnknown(err):
			return false
		case err != nil:
			t.Error(err)
		case e.Index() <= last+1001 || e.Index() > last+1001+attempts:
			t.Errorf("the first write after the end has index %d, after %d attempts", e.Index(), attempts)
		}
		return true
	})
	c.settle()
	for _, r := range c.members {
		if m := r.node().Tree().View().Mirror(); m != nil {
			t.Errorf("member %d: %+v", r.id, m)
		}
		if _, err := r.mirror(setTo(last+1003, "/a")); codeOf(err) != tree.CodeNotFollowing {
			t.Errorf("member %d: %v", r.id, err)
		}
	}
}

// TestMirrorNeedsTheLevel checks that no change of a mirror enters the log while a member of an older version runs.
func TestMirrorNeedsTheLevel(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, older("m3"))
	command := tree.Command{Op: tree.OpMirror, Mirror: setTo(2, "/a")}
	for _, r := range c.members {
		if _, err := r.mirror(command.Mirror); err == nil || !strings.Contains(err.Error(), "not all members have been upgraded") {
			t.Errorf("member %d: %v", r.id, err)
		}
	}
	data := tree.AppendCommand(appendBatchHead(nil, 1, 1, 1), &command)
	entry := &raftpb.Entry{Type: raftpb.EntryNormal.Enum(), Data: data}
	for level := range uint64(tree.MirrorLevel + 1) {
		ok := level == tree.MirrorLevel
		if err := checkEntry(entry, level); (err == nil) != ok || err != nil && !errors.Is(err, errEntry) {
			t.Errorf("forwarded at level %d: %v", level, err)
		}
		if err := checkBatchLevel([]tree.Command{{Op: tree.OpExpire}, command}, level); (err == nil) != ok {
			t.Errorf("applied at level %d: %v", level, err)
		}
	}
	c.members[2].upgrade()
	c.awaitLevel(storage.FeatureLevel)
	if _, err := c.members[2].mirror(command.Mirror); codeOf(err) != tree.CodeNotFollowing {
		t.Errorf("after the upgrade: %v", err)
	}
	c.settle()
}

// TestAuditComparesMirrors changes the mirror of one member without the log. The audit must report that member.
func TestAuditComparesMirrors(t *testing.T) {
	t.Parallel()
	var audits auditRecorders
	c := newFollowingCluster(t, audits.tune)
	c.settle()
	bad := c.follower()
	bad.node().core.takeTurn(func() {
		change := &tree.MirrorChange{After: 10, To: 10, ForwardWrites: new(true)}
		bad.node().core.tree.Apply(1, []tree.Command{{Op: tree.OpMirror, Mirror: change}})
		bad.node().core.tree.Announce()
	})
	c.await("the report to name the member", func() bool {
		report, _ := audits.of(c.leader()).last()
		return slices.ContainsFunc(report.Differences, func(d Difference) bool {
			return d.State && slices.Equal(d.Members, []members.ID{bad.id}) && strings.Contains(d.describe(), "mirror")
		})
	})
}
