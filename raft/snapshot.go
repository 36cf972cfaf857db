package raft

import (
	"errors"
	"fmt"
	"io"

	"go.uber.org/zap"

	"go.etcd.io/raft/v3/raftpb"

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

// receiveSnapshot takes a checkpoint from a peer into a file beside the own
// one, checks it, and hands the message to raft.
func (n *Node) receiveSnapshot(m *raftpb.Message, content io.Reader, size int64) error {
	if !n.staging.TryLock() {
		return errStaging
	}
	defer n.staging.Unlock()
	staged, err := n.disk.Stage(content, size)
	if err != nil {
		return err
	}
	if meta := m.GetSnapshot().GetMetadata(); staged.Applied != meta.GetIndex() || staged.Term != meta.GetTerm() {
		staged.Discard()
		return fmt.Errorf("raft: snapshot of entry %d announced as of %d", staged.Applied, meta.GetIndex())
	}
	taken := make(chan error, 1)
	if !n.inbox.post(func(l *loop) { taken <- l.offerSnapshot(m, staged) }) {
		staged.Discard()
		return ErrStopped
	}
	select {
	case err := <-taken:
		return err
	case <-n.done:
		return ErrStopped
	}
}

// offerSnapshot lets raft decide about a snapshot. What it takes comes back in
// its next Ready, which is handled here: the file must be in use or gone before
// the next snapshot is written to its place.
func (l *loop) offerSnapshot(m *raftpb.Message, staged *storage.Staged) error {
	l.staged = staged
	err := l.raw.Step(m)
	if err == nil && l.raw.HasReady() {
		l.handle(l.raw.Ready())
	}
	if l.staged != nil { // refused as old
		l.staged.Discard()
		l.staged = nil
	}
	return err
}

// install puts the staged checkpoint in the place of everything this member
// has, because raft decided so.
func (l *loop) install(m *raftpb.Message) error {
	meta := m.GetSnapshot().GetMetadata()
	if l.staged == nil || l.staged.Applied != meta.GetIndex() {
		return fmt.Errorf("raft: snapshot of entry %d is not there", meta.GetIndex())
	}
	staged := l.staged
	l.staged = nil
	l.awaitCheckpoint()
	if err := l.cfg.Disk.Install(staged); err != nil {
		return err
	}
	l.tree.Replace(staged.Store)
	if err := l.registry.Unmarshal(staged.Members); err != nil {
		return err
	}
	if err := l.mem.ApplySnapshot(m.GetSnapshot()); err != nil {
		return err
	}
	l.mem.checkpointed(staged.Applied, staged.Term, staged.ConfState)
	l.confState = staged.ConfState
	l.appliedIndex, l.appliedTerm = staged.Applied, staged.Term
	l.applied.Store(l.appliedIndex)
	l.checkpoint.index = l.appliedIndex
	l.refreshPeers()
	l.expiry.set(l.tree.View().NextExpiry(), l.now())
	l.log.Info("caught up from a snapshot", zap.Uint64("index", l.appliedIndex), zap.Int64("keys", l.tree.View().Nodes()))
	return nil
}
