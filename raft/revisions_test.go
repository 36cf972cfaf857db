package raft

import (
	"testing"

	"pando/storage"
	"pando/tree"
)

// TestRevisions upgrades a cluster under feature level 5 one member at a time. All members count revisions from the entry on that raises
// the level: those that apply it, those that replay it, and those that get a snapshot after it.
func TestRevisions(t *testing.T) {
	t.Parallel()
	below := uint64(tree.KVLevel - 1)
	// Another election could have a change made twice, which has two revisions.
	steadySmall := func(cfg *Config) { smallLog(cfg); steady(cfg) }
	c := newCluster(t, 3, func(cfg *Config) { steadySmall(cfg); cfg.pinnedLevel = &below })
	c.awaitLevel(below)
	c.leader().set("/old", "1")
	c.tune = steadySmall
	for _, r := range c.members {
		r.stop()
		r.restart()
		c.awaitServing(r)
	}
	c.awaitLevel(storage.FeatureLevel)
	at := c.leader().set("/old", "2").Index()
	c.txn(tree.Command{Op: tree.OpUpdate, Path: "/old", Value: "3"}, tree.Command{Op: tree.OpSet, Path: "/d/new", Value: "1"})
	check := func(when string) {
		t.Helper()
		c.settle()
		for _, r := range c.running() {
			v := r.node().Tree().View()
			old, made := v.Lookup("/old"), v.Lookup("/d/new")
			if v.Index()-v.Revision() != 1 || old.ModRevision() != at+1 || old.Version() != 2 || made.CreateRevision() != at+1 || made.Sub() != 1 {
				t.Errorf("%s: member %d is at index %d, revision %d; /old has revision %d, version %d; /d/new has %d, sub %d", when, r.id,
					v.Index(), v.Revision(), old.ModRevision(), old.Version(), made.CreateRevision(), made.Sub())
			}
		}
	}
	check("after the upgrade")
	c.tune = smallLog // the members need an election after they were killed
	for _, r := range c.members {
		r.kill()
	}
	for _, r := range c.members {
		r.restart()
	}
	c.awaitServing(c.members...)
	check("after a restart")
	for range 400 {
		c.leader().set("/other", "1")
	}
	c.add(c.leader())
	check("after a snapshot")
}

// txn executes a transaction without conditions.
func (c *cluster) txn(operations ...tree.Command) {
	c.t.Helper()
	if _, err := c.leader().propose(&tree.Command{Op: tree.OpTxn, Txn: &tree.Txn{Then: operations}}); err != nil {
		c.t.Fatal(err)
	}
}
