package raft

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"pando/storage"
)

// older returns a tune function. Members with these names then run a program without feature levels.
func older(names ...string) func(*Config) {
	return func(cfg *Config) {
		cfg.pinnedLevel = nil
		for _, name := range names {
			if cfg.Name == name {
				cfg.pinnedLevel = new(uint64(0))
			}
		}
	}
}

// awaitLevel waits until all running members are at a feature level.
func (c *cluster) awaitLevel(level uint64) {
	c.t.Helper()
	c.await(fmt.Sprintf("feature level %d", level), func() bool {
		for _, r := range c.running() {
			if r.node().FeatureLevel() != level {
				return false
			}
		}
		return true
	})
}

// checkLevel0 waits until the leader has the announcements of this many members that run this program, and has it
// decide again. It must not raise the level.
func (c *cluster) checkLevel0(announced int) {
	c.t.Helper()
	c.await("the announcements", func() bool {
		lead, n := c.leader().node(), 0
		for _, r := range c.members {
			if lead.transport.FeatureLevelOf(r.id) == storage.FeatureLevel {
				n++
			}
		}
		return n >= announced && closed(lead.Ready())
	})
	n := c.leader().node()
	before := n.Index()
	n.core.takeTurn(func() { n.core.levels.next.set(time.Now()) })
	c.leader().set("/key", "value")
	c.settle()
	if got := n.FeatureLevel(); got != 0 {
		c.t.Fatalf("level %d after entry %d, and not all members serve it", got, before)
	}
}

// upgrade restarts a member with this program.
func (r *replica) upgrade() {
	r.c.t.Helper()
	r.stop()
	r.c.tune = older()
	r.restart()
}

// TestLevelIsRaised upgrades a cluster one member at a time. The last one raises the level.
func TestLevelIsRaised(t *testing.T) {
	t.Parallel()
	t.Run("with the last member", func(t *testing.T) {
		c := newCluster(t, 3, older("m1", "m2", "m3"))
		c.checkLevel0(0)
		for i, r := range c.members {
			r.upgrade()
			c.awaitServing(r)
			if i < 2 {
				c.checkLevel0(0)
			}
		}
		c.awaitLevel(storage.FeatureLevel)
		c.leader().set("/key", "after")
		c.settle()
	})
	t.Run("not before a member that was added has started", func(t *testing.T) {
		c := newCluster(t, 3, older("m3"))
		added := c.newReplica()
		c.must("add", func(ctx context.Context) error { return c.leader().node().AddMember(ctx, added.member()) })
		c.members[2].upgrade()
		c.awaitServing(c.members[:3]...)
		c.checkLevel0(2)
		added.join(c.leader(c.members[:3]...))
		c.awaitLevel(storage.FeatureLevel)
	})
	t.Run("for good", func(t *testing.T) {
		c := newCluster(t, 3, smallLog)
		c.awaitLevel(storage.FeatureLevel)
		for i := range 400 {
			c.leader().set("/key", fmt.Sprint(i))
		}
		c.add(c.leader()) // gets a snapshot
		c.awaitLevel(storage.FeatureLevel)
		for _, r := range c.members {
			r.kill()
		}
		for _, r := range c.members {
			r.restart()
			if got := r.node().FeatureLevel(); got != storage.FeatureLevel {
				t.Errorf("member %d starts at level %d, for its checkpoint says so", r.id, got)
			}
		}
		c.awaitServing(c.members...)
	})
}

// TestLevelRefusesOlderMember adds a member whose program is below the cluster's level: it takes no part before it is
// upgraded, and the log says why.
func TestLevelRefusesOlderMember(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	c.awaitLevel(storage.FeatureLevel)
	core, logged := observer.New(zapcore.WarnLevel)
	c.tune = func(cfg *Config) {
		older("m4")(cfg)
		cfg.Logger = zap.New(core)
	}
	old := c.newReplica()
	c.must("add", func(ctx context.Context) error { return c.leader().node().AddMember(ctx, old.member()) })
	old.join(c.leader())
	refusal := fmt.Sprintf("the cluster is at feature level %d, and member 4 runs Pando", storage.FeatureLevel)
	c.await("the refusal in the log", func() bool {
		for _, line := range logged.FilterMessage("the peer refuses this member; trying again").All() {
			if strings.Contains(fmt.Sprint(line.ContextMap()["error"]), refusal) {
				return true
			}
		}
		return false
	})
	if closed(old.node().Ready()) || old.node().Index() > 0 {
		t.Errorf("the member takes part: %s", c.describe())
	}
	old.upgrade()
	c.awaitVote(old)
	c.awaitServing(old)
}

// proposeData puts an entry with this data into the log.
func (c *cluster) proposeData(data []byte) {
	c.t.Helper()
	c.proposeEntry(&raftpb.Entry{Data: data})
}

// TestUnknownEntries commits entries that a later version could write.
func TestUnknownEntries(t *testing.T) {
	t.Parallel()
	t.Run("ignorable", func(t *testing.T) {
		c := newCluster(t, 3, steady) // another leader could replace the entry
		c.awaitLevel(storage.FeatureLevel)
		c.proposeData([]byte{ignorable | 9, 1, 2, 3})
		c.leader().set("/key", "after")
		c.settle()
	})
	for name, test := range map[string]struct {
		data []byte
		text string
		skip bool // the text offers to skip the entry
	}{
		"not ignorable": {[]byte{9, 1, 2, 3},
			fmt.Sprintf("is too old for an entry of kind 9, written at feature level %d: upgrade the program; the data is intact",
				storage.FeatureLevel), true},
		"a higher level": {encodeLevel(storage.FeatureLevel + 1),
			fmt.Sprintf("serves levels up to %d: upgrade the program; the data is intact", storage.FeatureLevel), false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 3, steady) // another leader could replace the entry
			c.awaitLevel(storage.FeatureLevel)
			c.proposeData(test.data)
			for _, r := range c.members {
				c.await("the member to end", func() bool { return closed(r.node().Done()) })
				text := r.node().Err().Error()
				if !strings.Contains(text, test.text) || strings.Contains(text, "--skip-log-entry") != test.skip {
					t.Errorf("member %d ends with %s", r.id, text)
				}
			}
		})
	}
}

// TestLevelInTheLog starts a member whose log was raised above its program's level after the last checkpoint.
func TestLevelInTheLog(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	m.cfg.pinnedLevel = nil
	n := m.start()
	m.await("the level", func() bool { return n.FeatureLevel() == storage.FeatureLevel })
	n.core.takeTurn(func() {
		if err := n.core.raw.Propose(encodeLevel(storage.FeatureLevel + 1)); err != nil {
			t.Error(err)
		}
	})
	m.await("the member to end", func() bool { return closed(n.Done()) })
	m.crash()
	options := storage.Options{DataDir: m.dir, HistorySize: testHistory}
	disk, recovered, err := storage.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	cfg := n.core.cfg
	cfg.Disk, cfg.Recovered = disk, recovered
	want := fmt.Sprintf("serves levels up to %d: upgrade the program; the data is intact", storage.FeatureLevel)
	if _, err = Start(cfg); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the member starts: %v", err)
	}
	if err := disk.Close(); err != nil {
		t.Error(err)
	}
}
