package raft

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pando/storage"
	"pando/tree"
)

const (
	testHistoryBytes = 100_000
	// historySlack exceeds the size of what may be applied while a compaction is in flight.
	historySlack = testHistoryBytes / 2
)

// newKeyCluster starts a cluster that serves the v3 API, and whose history is bounded.
func newKeyCluster(t *testing.T, tune func(*Config)) *cluster {
	c := newCluster(t, 3, func(cfg *Config) {
		cfg.pinnedLevel = nil
		if tune != nil {
			tune(cfg)
		}
	})
	c.awaitLevel(storage.FeatureLevel)
	return c
}

func boundHistory(cfg *Config) { cfg.HistoryBytes = testHistoryBytes }

// put writes keys of the v3 API one after the other, and checks that the history of the leader stays within its bound.
func (c *cluster) put(n int) {
	c.t.Helper()
	for i := range n {
		leader := c.leader()
		key := fmt.Sprintf("key-%d", i%10)
		if _, err := leader.propose(&tree.Command{Op: tree.OpPut, Path: key, Value: strings.Repeat("v", 500)}); err != nil {
			c.t.Fatal(err)
		}
		if got := leader.node().Tree().View().HistoryBytes(); got > testHistoryBytes+historySlack {
			c.t.Fatalf("put %d: the history has %d bytes", i, got)
		}
	}
}

// putMany writes n keys of the v3 API, many in each transaction: more events than the history of v2 holds.
func (c *cluster) putMany(n int) {
	c.t.Helper()
	txn := &tree.KVTxn{}
	for i := range tree.DefaultMaxTxnOps {
		txn.Then = append(txn.Then, tree.KVOp{Kind: tree.KVPut, Key: fmt.Sprintf("many-%d", i), Value: "v"})
	}
	for range n/tree.DefaultMaxTxnOps + 1 {
		if _, err := c.leader().propose(&tree.Command{Op: tree.OpKV, KV: txn}); err != nil {
			c.t.Fatal(err)
		}
	}
}

// checkCompacted waits until all members are compacted beyond a revision, and checks that their histories are the same and within the
// bound. It returns their compact revision.
func (c *cluster) checkCompacted(after uint64) uint64 {
	c.t.Helper()
	c.await("a compaction on all members", func() bool {
		for _, r := range c.running() {
			if v := r.node().Tree().View(); v.CompactRevision() <= after || v.HistoryBytes() > testHistoryBytes {
				return false
			}
		}
		return true
	})
	c.settle()
	first := c.running()[0].node().Tree().View()
	for _, r := range c.running() {
		if v := r.node().Tree().View(); v.HistoryBytes() != first.HistoryBytes() || v.CompactRevision() != first.CompactRevision() {
			c.t.Errorf("member %d: %d bytes, compacted %d; member %d: %d bytes, compacted %d", r.id, v.HistoryBytes(), v.CompactRevision(),
				c.running()[0].id, first.HistoryBytes(), first.CompactRevision())
		}
	}
	return first.CompactRevision()
}

// TestHistoryLimit writes more than the history may hold, also after an election, a restart and a snapshot.
func TestHistoryLimit(t *testing.T) {
	t.Parallel()
	c := newKeyCluster(t, boundHistory)
	c.put(1)
	slow, ended := c.leader().node().Tree().WatchKeys(tree.KeyRange{}, 0)
	if ended != nil {
		t.Fatal(ended)
	}
	defer slow.Close()
	c.put(400)
	c.putMany(testHistory)
	revision := c.checkCompacted(0)
	_, err := slow.Poll(1 << 20)
	if err == nil || err.Code != tree.CodeCompacted || err.Revision == 0 {
		t.Errorf("the watcher that reads nothing got %v, want an error with code %d", err, tree.CodeCompacted)
	}

	c.transferTo(c.follower())
	c.put(400)
	revision = c.checkCompacted(revision)

	down := c.follower()
	down.kill()
	c.put(400)
	down.restart()
	c.awaitServing(down)
	revision = c.checkCompacted(revision)
	c.checkRevisions(revision)
}

// checkRevisions checks that every member has the compact revision, and not the one before.
func (c *cluster) checkRevisions(compacted uint64) {
	c.t.Helper()
	for _, r := range c.running() {
		store := r.node().Tree()
		if _, err := store.At(compacted); err != nil {
			c.t.Errorf("member %d: revision %d: %v", r.id, compacted, err)
		}
		if _, err := store.At(compacted - 1); err == nil || err.Code != tree.CodeCompacted {
			c.t.Errorf("member %d: revision %d, before the compact revision: %v", r.id, compacted-1, err)
		}
	}
}

// TestHistoryWithoutV3 has commands of v2 alone, whose history needs no compaction.
func TestHistoryWithoutV3(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	m.cfg.pinnedLevel, m.cfg.HistoryBytes, m.cfg.HistoryRevisions = nil, 1, 1
	m.start()
	m.await("the feature level", func() bool { return m.node.FeatureLevel() == storage.FeatureLevel })
	before := m.seen.batchCount()
	for range 20 {
		m.set("/k", "v")
	}
	m.node.core.takeTurn(func() { m.node.core.history.checkAuto(time.Now()) })
	m.set("/k", "v")
	if v := m.node.Tree().View(); v.CompactRevision() != 0 || m.seen.batchCount() != before+21 {
		t.Errorf("compacted %d, %d batches", v.CompactRevision(), m.seen.batchCount()-before)
	}
}

// TestAutoCompactionProposes has members that keep five revisions. Only the leader proposes; after an election the new one does.
func TestAutoCompactionProposes(t *testing.T) {
	t.Parallel()
	c := newKeyCluster(t, func(cfg *Config) { cfg.HistoryRevisions = 5 })
	for range 2 {
		c.put(20)
		c.settle()
		for _, r := range c.running() {
			r.inTurnOf(func(c *core) {
				if !c.state.leads() {
					c.history.checkAuto(time.Now())
				}
			})
		}
		leader := c.leader()
		want := leader.node().Tree().View().Revision() - 5
		if got := leader.node().Tree().View().CompactRevision(); got >= want {
			t.Errorf("compacted to %d before the leader proposes", got)
		}
		c.await("a compaction", func() bool {
			c.leader().inTurnOf(func(c *core) { c.history.checkAuto(time.Now()) })
			for _, r := range c.running() {
				if r.node().Tree().View().CompactRevision() != want {
					return false
				}
			}
			return true
		})
		c.checkRevisions(want)
		c.transferTo(c.follower())
	}
}

// TestCompactionIsRefused checks the answers to compactions that clients propose.
func TestCompactionIsRefused(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	m.cfg.pinnedLevel = nil
	m.start()
	m.await("the feature level", func() bool { return m.node.FeatureLevel() == storage.FeatureLevel })
	m.propose(tree.Command{Op: tree.OpPut, Path: "a", Value: "1"})
	current := m.node.Tree().View().Revision()
	for _, c := range []struct {
		revision uint64
		want     tree.Code
	}{{current + 1, tree.CodeFutureRevision}, {current, 0}, {current, tree.CodeCompacted}} {
		_, err := m.node.Propose(t.Context(), &tree.Command{Op: tree.OpCompact, Revision: c.revision})
		var e *tree.Error
		if errors.As(err, &e); c.want == 0 && err != nil || c.want != 0 && (e == nil || e.Code != c.want) {
			t.Errorf("compaction to %d of %d: %v, want code %d", c.revision, current, err, c.want)
		}
	}
}
