package raft

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"go.etcd.io/raft/v3/raftpb"

	"pando/storage"
	"pando/tree"
)

// begins is the first index of the log in memory. A member that needs an earlier entry gets a snapshot.
func (r *replica) begins() uint64 {
	r.c.t.Helper()
	first := make(chan uint64, 1)
	r.node().inbox.post(func(c *core) {
		first <- c.storage.first()
	})
	return <-first
}

// outrun writes until the leader no longer has the entries that a member at the index needs.
func (c *cluster) outrun(index uint64) {
	c.t.Helper()
	lead := c.leader()
	i := 0
	c.await("the log to be compacted", func() bool {
		for range 50 {
			lead.set(fmt.Sprintf("/outrun/%d", i%20), fmt.Sprint(i))
			i++
		}
		return lead.begins() > index+1
	})
}

// TestCatchUpBySnapshot starts a member that is far behind while the leader writes.
func TestCatchUpBySnapshot(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]func(c *cluster, r *replica) (back func()){
		"killed":  func(_ *cluster, r *replica) func() { r.kill(); return r.restart },
		"stopped": func(_ *cluster, r *replica) func() { r.stop(); return r.restart },
		"cut off": func(c *cluster, r *replica) func() { c.isolate(r); return c.links.heal },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 3, smallLog)
			c.leader().set("/before", "1")
			c.settle()
			lagging := c.follower()
			at := lagging.node().Status().Applied
			back := down(c, lagging)
			c.leader(c.others(lagging)...)
			load := c.newLoad(4, c.others(lagging)...)
			load.awaitMore(300)
			c.await("the log to be compacted", func() bool { return c.leader(c.others(lagging)...).begins() > at+1 })
			back()
			c.awaitServing(lagging)
			load.awaitMore(300)
			load.finish()
			// The snapshot and the entries after it must survive a crash.
			lagging.kill()
			lagging.restart()
			c.awaitServing(lagging)
			c.settle()
		})
	}
}

// TestWatchersAcrossSnapshot watches a member that catches up by a snapshot: its watchers learn that they missed
// events, and get all later ones.
func TestWatchersAcrossSnapshot(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, smallLog)
	lagging := c.follower()
	watchers := []*eventWatcher{watch(lagging), watch(lagging), watch(c.leader())}
	c.leader().set("/before", "1")
	c.settle()
	for range 3 {
		at := lagging.node().Status().Applied
		c.isolate(lagging)
		load := c.newLoad(4, c.others(lagging)...)
		load.awaitMore(300)
		c.await("the log to be compacted", func() bool { return c.leader(c.others(lagging)...).begins() > at+1 })
		c.links.heal()
		load.finish()
	}
	last := lagging.node().Tree().View().Index()
	for _, w := range watchers {
		w.end(c, last)
	}
	sameEvents(c, watchers)
	if n := watchers[2].gaps; n > 0 {
		t.Errorf("the leader's watcher missed something, %d times", n)
	}
}

// TestJoinIdleCluster adds a member to an idle cluster whose log is compacted, and whose last checkpoint is older
// than the member.
func TestJoinIdleCluster(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 3} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			c := newCluster(t, size, smallLog)
			c.outrun(1)
			c.settle()
			for range 2 {
				c.add(c.leader())
				c.settle()
			}
		})
	}
}

func TestReplaceWiped(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, smallLog)
	load := c.newLoad(4)
	c.outrun(1)
	for range 3 {
		victim := c.follower()
		victim.kill()
		load.awaitMore(50)
		via := c.leader()
		c.remove(victim, via)
		if err := os.RemoveAll(victim.dir); err != nil {
			t.Fatal(err)
		}
		c.add(via)
	}
	load.finish()
}

// TestUselessSnapshots sends a member snapshots that it does not need: they leave nothing, and do not harm the one
// that it needs later.
func TestUselessSnapshots(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, smallLog)
	c.outrun(1)
	c.settle()
	lead, target := c.leader(), c.follower()
	incoming := filepath.Join(target.dir, "state.db.incoming")
	announce := func() (*raftpb.Message, []byte) {
		m := &raftpb.Message{
			Type: raftpb.MsgSnap.Enum(), From: (*uint64)(&lead.id), To: (*uint64)(&target.id),
			Term: new(lead.node().Term()), Snapshot: &raftpb.Snapshot{},
		}
		content, _, err := lead.node().openSnapshot(m)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(content)
		if err := errors.Join(err, content.Close()); err != nil {
			t.Fatal(err)
		}
		return m, data
	}
	m, data := announce()
	if err := target.node().receiveSnapshot(m, bytes.NewReader(data), int64(len(data))); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(incoming); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a snapshot that is older than the member leaves its file: %v", err)
	}
	// Other snapshots are received only if they are announced as newer.
	m.Snapshot.Metadata.Index = new(m.GetSnapshot().GetMetadata().GetIndex() + 1<<20)
	if err := target.node().receiveSnapshot(m, bytes.NewReader(data[:len(data)/2]), int64(len(data))); err == nil {
		t.Error("half a snapshot was taken")
	}
	for i := 0; i < len(data); i += 512 {
		data[i] ^= 1
	}
	if err := target.node().receiveSnapshot(m, bytes.NewReader(data), int64(len(data))); err == nil {
		t.Error("a damaged snapshot was taken")
	}

	in, out := io.Pipe()
	first := make(chan error, 1)
	go func() { first <- target.node().receiveSnapshot(m, in, int64(len(data))) }()
	if _, err := out.Write(data[:1]); err != nil {
		t.Fatal(err)
	}
	if err := target.node().receiveSnapshot(m, bytes.NewReader(data), int64(len(data))); !errors.Is(err, errStaging) {
		t.Errorf("a second snapshot beside one that comes in: %v", err)
	}
	_ = out.CloseWithError(io.ErrUnexpectedEOF)
	if err := <-first; err == nil {
		t.Error("a broken snapshot was taken")
	}

	at := target.node().Status().Applied
	c.isolate(target)
	c.leader(c.others(target)...)
	for lead := c.leader(c.others(target)...); lead.begins() <= at+1; {
		lead.set("/more", "1")
	}
	c.links.heal()
	c.settle()
}

// TestReplacedEntriesStayReplaced crashes after a snapshot has replaced entries that were never committed: they must
// not follow it in the log.
func TestReplacedEntriesStayReplaced(t *testing.T) {
	entries := func(from, to, term uint64) []*raftpb.Entry {
		var list []*raftpb.Entry
		for i := from; i <= to; i++ {
			list = append(list, &raftpb.Entry{Index: new(i), Term: new(term), Data: []byte("x")})
		}
		return list
	}
	conf := &raftpb.ConfState{Voters: []uint64{1, 2}}
	create := func(id uint64) (storage.Options, *storage.Disk) {
		o := storage.Options{DataDir: filepath.Join(t.TempDir(), "data"), HistorySize: testHistory}
		d, err := storage.Create(o, storage.Identity{ClusterID: 7, MemberID: id})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return o, d
	}
	_, sender := create(1)
	store := tree.New(testHistory)
	store.Apply(1, []tree.Command{{Op: tree.OpSet, Path: "/key", Value: "1"}})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(sender.Append(&raftpb.HardState{Term: new(uint64(3)), Commit: new(uint64(9))}, entries(1, 9, 3)))
	_, err := sender.Checkpoint(storage.Checkpoint{
		Delta: store.TakeDelta(), Applied: 9, Term: 3, ConfState: conf, Members: []byte(`{"clusterID":"7","members":[]}`),
	})
	must(err)
	content, err := sender.ReadCheckpoint()
	must(err)
	defer content.Close()

	options, disk := create(2)
	must(disk.Append(&raftpb.HardState{Term: new(uint64(2)), Commit: new(uint64(4))}, entries(1, 20, 2)))
	staged, err := disk.Stage(content, content.Size)
	must(err)
	must(disk.Install(staged))
	must(disk.Append(&raftpb.HardState{Term: new(uint64(3)), Commit: new(uint64(9))}, nil))
	must(disk.Close())

	for last := uint64(9); last < 12; last++ { // after the crash, and after each append
		disk, recovered, err := storage.Open(options)
		must(err)
		log := newLogStorage()
		_, err = newRawNode(Config{Recovered: recovered, ElectionTicks: 10, Logger: (&cluster{t: t}).logger()}, log, newLimits(1, 0))
		must(err)
		if got, err := log.LastIndex(); err != nil || got != last {
			t.Errorf("the log ends with entry %d, want %d; error %v", got, last, err)
		}
		must(disk.Append(nil, entries(last+1, last+1, 3)))
		must(disk.Close())
	}
}

// TestSnapshotRefusedUnread announces snapshots that are impossible or not from the leader: no byte of them is read
// or written.
func TestSnapshotRefusedUnread(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	lead, target := c.leader(), c.follower()
	other := c.others(lead)[0]
	if other == target {
		other = c.others(lead)[1]
	}
	for name, test := range map[string]struct {
		from *replica
		term uint64
		size int64
	}{
		"not from the leader":     {other, lead.node().Term(), 1 << 20},
		"from an earlier leader":  {lead, lead.node().Term() - 1, 1 << 20},
		"of a term far away":      {lead, math.MaxUint64, 1 << 20},
		"longer than the disk":    {lead, lead.node().Term(), 1 << 60},
		"of a size that none has": {lead, lead.node().Term(), 1<<20 + 1},
		"without content":         {lead, lead.node().Term(), 0},
		"of less than no content": {lead, lead.node().Term(), -5},
	} {
		t.Run(name, func(t *testing.T) {
			m := &raftpb.Message{
				Type: raftpb.MsgSnap.Enum(), From: (*uint64)(&test.from.id), To: (*uint64)(&target.id), Term: &test.term,
				Snapshot: &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{Index: new(uint64(1 << 20)), Term: &test.term}},
			}
			content := iotest.ErrReader(errors.New("it was read"))
			err := target.node().receiveSnapshot(m, content, test.size)
			if err == nil || strings.Contains(err.Error(), "it was read") {
				t.Errorf("refused with %v", err)
			}
			if _, err := os.Stat(filepath.Join(target.dir, "state.db.incoming")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the file of the snapshot: %v", err)
			}
		})
	}
	lead.set("/after", "1")
	c.settle()
}
