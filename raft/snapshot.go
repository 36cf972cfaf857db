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

// errStaging refuses a second snapshot; the sender tries again.
var errStaging = errors.New("raft: another snapshot is being received")

// openSnapshot opens the checkpoint for a peer. It may be newer than the one
// that the message speaks of: the message is made to say so.
func (n *Node) openSnapshot(m *raftpb.Message) (io.ReadCloser, int64, error) {
	r, err := n.disk.ReadCheckpoint()
	if err != nil {
		return nil, 0, err
	}
	m.Snapshot.Metadata = &raftpb.SnapshotMetadata{Index: &r.Applied, Term: &r.Term, ConfState: r.ConfState}
	return r, r.Size, nil
}

// receiveSnapshot takes a checkpoint from a peer into a file beside the own one,
// checks it, and hands the message to raft. Nothing is written for one that is not from
// the leader, or not newer than what is here.
func (n *Node) receiveSnapshot(m *raftpb.Message, content io.Reader, size int64) error {
	newer := false
	err := n.inLoop(func(c *core) (err error) {
		newer, err = c.wantSnapshot(m)
		return err
	})
	if err != nil || !newer {
		return err
	}
	if !n.staging.TryLock() {
		return errStaging
	}
	defer n.staging.Unlock()
	staged, err := n.disk.Stage(content, size)
	if err != nil {
		return err
	}
	if err := n.checkStaged(m, staged); err != nil {
		staged.Discard()
		return err
	}
	err = n.inLoop(func(c *core) error { return c.offerSnapshot(m, staged) })
	if errors.Is(err, ErrStopped) {
		staged.Discard()
	}
	return err
}

// inLoop has the loop do something, and waits for it. Its error is ErrStopped when the
// loop has ended.
func (n *Node) inLoop(do func(l *core) error) error {
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

// wantSnapshot reports whether a snapshot that is announced is one to receive. One that
// is older than what is here needs no content: raft answers how far this member is.
func (c *core) wantSnapshot(m *raftpb.Message) (bool, error) {
	err := c.checkTerm(m)
	if err == nil {
		err = c.checkLeader(m)
	}
	if err == nil && m.GetTerm() < c.term.Load() {
		err = fmt.Errorf("%w: snapshot of the leader of term %d, and this member is in term %d", errImplausible, m.GetTerm(), c.term.Load())
	}
	if err != nil {
		c.refused(members.ID(m.GetFrom()), err)
		return false, err
	}
	if m.GetSnapshot().GetMetadata().GetIndex() <= c.committed.Load() {
		return false, c.raw.Step(m)
	}
	return true, nil
}

// checkStaged wants a snapshot to be what was announced, and to hold a membership that
// raft can go on with.
func (n *Node) checkStaged(m *raftpb.Message, staged *storage.Staged) error {
	if meta := m.GetSnapshot().GetMetadata(); staged.Applied != meta.GetIndex() || staged.Term != meta.GetTerm() {
		return fmt.Errorf("raft: snapshot of entry %d announced as of %d", staged.Applied, meta.GetIndex())
	}
	scratch := members.NewRegistry(n.registry.ClusterID())
	if err := scratch.Unmarshal(staged.Members); err != nil {
		return err
	}
	if id, founded := scratch.Founded(); founded && n.founding.Load() != 0 && uint64(id) != n.founding.Load() {
		return fmt.Errorf("raft: snapshot of a cluster with the founding ID %s, and this member's is %x", id, n.founding.Load())
	}
	c := staged.ConfState
	ids := slices.Concat(c.GetVoters(), c.GetLearners())
	slices.Sort(ids)
	twice := len(slices.Compact(slices.Clone(ids))) != len(ids)
	joint := len(c.GetVotersOutgoing()) > 0 || len(c.GetLearnersNext()) > 0
	if len(c.GetVoters()) == 0 || twice || joint || ids[0] == 0 {
		return fmt.Errorf("raft: snapshot of entry %d with a membership of %v", staged.Applied, c)
	}
	m.Snapshot.Metadata.ConfState = c
	return nil
}

// offerSnapshot lets raft decide about a snapshot. What it takes comes back in
// its next Ready, which is handled here: the file must be in use or gone before
// the next snapshot is written to its place.
func (c *core) offerSnapshot(m *raftpb.Message, staged *storage.Staged) error {
	c.staged = staged
	err := c.raw.Step(m)
	if err == nil && c.raw.HasReady() {
		c.handle(c.raw.Ready())
	}
	if c.staged != nil { // refused as old
		c.staged.Discard()
		c.staged = nil
	}
	return err
}

// install puts the staged checkpoint in the place of everything this member
// has, because raft decided so.
func (c *core) install(m *raftpb.Message) error {
	meta := m.GetSnapshot().GetMetadata()
	if c.staged == nil || c.staged.Applied != meta.GetIndex() {
		return fmt.Errorf("raft: snapshot of entry %d is not there", meta.GetIndex())
	}
	staged := c.staged
	c.staged = nil
	c.awaitCheckpoint()
	if err := c.cfg.Disk.Install(staged); err != nil {
		return err
	}
	c.tree.Replace(staged.Store)
	founding := c.registry.Founding()
	if err := c.registry.Unmarshal(staged.Members); err != nil {
		return err
	}
	c.registry.SetFounding(founding) // the leader may be of a version that knows of none
	c.level.Store(staged.Level)
	c.levels.saved = staged.Level
	c.identity = identity{used: true}
	if id, founded := c.registry.Founded(); founded {
		c.foundingIs(id)
	}
	if err := c.storage.ApplySnapshot(m.GetSnapshot()); err != nil {
		return err
	}
	c.storage.checkpointed(staged.Applied, staged.Term, staged.ConfState)
	c.confState = staged.ConfState
	c.appliedIndex, c.appliedTerm = staged.Applied, staged.Term
	c.lastIndex = staged.Applied
	c.applied.Store(c.appliedIndex)
	c.checkpoint.index = c.appliedIndex
	c.refreshPeers()
	c.transport.RecheckPeers()
	c.expiry.set(c.tree.View().NextExpiry(), c.now())
	c.log.Info("caught up from a snapshot", zap.Uint64("index", c.appliedIndex), zap.Int64("keys", c.tree.View().Nodes()))
	return nil
}
