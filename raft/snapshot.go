package raft

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"go.uber.org/zap"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/storage"
)

// errStaging refuses a second snapshot at the same time. The sender tries again.
var errStaging = errors.New("raft: another snapshot is being received")

// openSnapshot opens the last checkpoint for a peer. The checkpoint may be newer than the one that the message announces, so
// openSnapshot replaces the position in the message.
func (n *Node) openSnapshot(m *raftpb.Message) (io.ReadCloser, int64, error) {
	r, err := n.disk.ReadCheckpoint()
	if err != nil {
		return nil, 0, err
	}
	m.Snapshot.Metadata = &raftpb.SnapshotMetadata{Index: &r.Applied, Term: &r.Term, ConfState: r.ConfState}
	return r, r.Size, nil
}

// receiveSnapshot writes a checkpoint from a peer to a file beside this member's own, checks it, and gives the message to
// raft. It writes nothing if the checkpoint is not from the leader, or not newer than this member's log.
func (n *Node) receiveSnapshot(m *raftpb.Message, content io.Reader, size int64) error {
	newer := false
	err := n.inTurn(func(c *core) (err error) {
		newer, err = c.wantSnapshot(m)
		return err
	})
	if err != nil || !newer {
		return err
	}
	if !n.receiving.TryLock() {
		return errStaging
	}
	defer n.receiving.Unlock()
	staged, err := n.disk.Stage(content, size)
	if err != nil {
		return err
	}
	if err := n.checkStaged(m, staged); err != nil {
		staged.Discard()
		return err
	}
	err = n.inTurn(func(c *core) error { return c.offerSnapshot(m, staged) })
	if errors.Is(err, ErrStopped) {
		staged.Discard()
	}
	return err
}

// inTurn runs do in a turn of the core and waits for it. The error is that of do, or ErrStopped when the core has ended.
func (n *Node) inTurn(do func(c *core) error) error {
	done := make(chan error, 1)
	if !n.inbox.post(func(c *core) { done <- do(c) }) {
		return ErrStopped
	}
	select {
	case err := <-done:
		return err
	case <-n.done:
		return ErrStopped
	}
}

// wantSnapshot reports whether to receive an announced snapshot. If the snapshot is older than this member's log, its content
// is not needed: raft answers with the index that this member has.
func (c *core) wantSnapshot(m *raftpb.Message) (bool, error) {
	err := c.checker.checkTerm(m)
	if err == nil {
		err = c.checker.checkLeader(m)
	}
	if err == nil && m.GetTerm() < c.state.term.Load() {
		err = fmt.Errorf("%w: snapshot of the leader of term %d, and this member is in term %d", errImplausible, m.GetTerm(), c.state.term.Load())
	}
	if err != nil {
		c.checker.refuse(members.ID(m.GetFrom()), err)
		return false, err
	}
	if m.GetSnapshot().GetMetadata().GetIndex() <= c.state.committed.Load() {
		return false, c.raw.Step(m)
	}
	return true, nil
}

// checkStaged refuses a snapshot that is not the announced one, that is of another cluster, or whose membership raft cannot
// use.
func (n *Node) checkStaged(m *raftpb.Message, staged *storage.Staged) error {
	if meta := m.GetSnapshot().GetMetadata(); staged.Applied != meta.GetIndex() || staged.Term != meta.GetTerm() {
		return fmt.Errorf("raft: the snapshot is of entry %d of term %d, but was announced as of entry %d of term %d",
			staged.Applied, staged.Term, meta.GetIndex(), meta.GetTerm())
	}
	scratch := members.NewRegistry(n.registry.ClusterID())
	if err := scratch.Unmarshal(staged.Members); err != nil {
		return err
	}
	if id, founded := scratch.Founded(); founded && n.state.founding.Load() != 0 && uint64(id) != n.state.founding.Load() {
		return fmt.Errorf("raft: the snapshot has the founding ID %s, and this member's cluster has %x", id, n.state.founding.Load())
	}
	c := staged.ConfState
	ids := slices.Concat(c.GetVoters(), c.GetLearners())
	slices.Sort(ids)
	twice := len(slices.Compact(slices.Clone(ids))) != len(ids)
	joint := len(c.GetVotersOutgoing()) > 0 || len(c.GetLearnersNext()) > 0
	if len(c.GetVoters()) == 0 || twice || joint || ids[0] == 0 {
		return fmt.Errorf("raft: the snapshot of entry %d has an unusable configuration: %v", staged.Applied, c)
	}
	m.Snapshot.Metadata.ConfState = c
	return nil
}

// offerSnapshot lets raft decide whether to install a snapshot. If raft accepts it, the next Ready installs it. That Ready is
// handled here, because the file must be installed or deleted before the next snapshot is written to the same place.
func (c *core) offerSnapshot(m *raftpb.Message, staged *storage.Staged) error {
	c.staged = staged
	err := c.raw.Step(m)
	if err == nil && c.raw.HasReady() {
		c.handle(c.raw.Ready())
	}
	if c.staged != nil { // raft has refused it as old
		c.staged.Discard()
		c.staged = nil
	}
	return err
}

// install replaces the data of this member by the staged checkpoint, after raft has accepted it.
func (c *core) install(m *raftpb.Message) error {
	meta := m.GetSnapshot().GetMetadata()
	if c.staged == nil || c.staged.Applied != meta.GetIndex() {
		return fmt.Errorf("raft: the snapshot of entry %d is not staged", meta.GetIndex())
	}
	staged := c.staged
	c.staged = nil
	c.checkpoints.await()
	if err := c.disk.Install(staged); err != nil {
		return err
	}
	c.tree.Replace(staged.Store)
	founding := c.registry.Founding()
	if err := c.registry.Unmarshal(staged.Members); err != nil {
		return err
	}
	c.registry.SetFounding(founding) // the leader may run a version without founding IDs
	c.state.level.Store(staged.Level)
	c.levels.saved = staged.Level
	c.founding.reset()
	if err := c.storage.ApplySnapshot(m.GetSnapshot()); err != nil {
		return err
	}
	c.storage.checkpointed(staged.Applied, staged.Term, staged.ConfState)
	c.state.confState = staged.ConfState
	c.state.appliedTerm, c.state.lastIndex = staged.Term, staged.Applied
	c.state.applied.Store(staged.Applied)
	c.checkpoints.index = staged.Applied
	c.refreshPeers()
	c.transport.RecheckPeers()
	c.expirer.set(c.tree.View().NextExpiry())
	c.log.Info("caught up from a snapshot", zap.Uint64("index", staged.Applied), zap.Int64("keys", c.tree.View().Nodes()))
	return nil
}
