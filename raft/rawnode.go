package raft

import (
	"fmt"
	"slices"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

// rawNode is the raft library's node. Its methods read single values of the library's status: that status is allocated
// when it passes through an interface, as the parts of the core would have it.
type rawNode struct {
	*etcdraft.RawNode
}

func (r rawNode) isLeader() bool     { return r.BasicStatus().RaftState == etcdraft.StateLeader }
func (r rawNode) isFollower() bool   { return r.BasicStatus().RaftState == etcdraft.StateFollower }
func (r rawNode) term() uint64       { return r.BasicStatus().GetTerm() }
func (r rawNode) committed() uint64  { return r.BasicStatus().GetCommit() }
func (r rawNode) leader() uint64     { return r.BasicStatus().Lead }
func (r rawNode) transferee() uint64 { return r.BasicStatus().LeadTransferee }

// newRawNode starts the raft library with the recovered data.
func newRawNode(cfg Config, log *logStorage, bounds limits) (*rawNode, error) {
	if err := loadLog(cfg, log); err != nil {
		return nil, err
	}
	raw, err := etcdraft.NewRawNode(&etcdraft.Config{
		ID:                        cfg.Recovered.Identity.MemberID,
		ElectionTick:              cfg.ElectionTicks,
		HeartbeatTick:             1,
		Storage:                   log,
		Applied:                   cfg.Recovered.Applied,
		AsyncStorageWrites:        true,
		MaxSizePerMsg:             batchBytes,
		MaxCommittedSizePerReady:  16 << 20,
		MaxUncommittedEntriesSize: uint64(bounds.uncommitted),
		MaxInflightMsgs:           512,
		MaxInflightBytes:          uint64(bounds.inFlight),
		CheckQuorum:               true,
		PreVote:                   true,
		StepDownOnRemoval:         true,
		Logger:                    newRaftLogger(cfg.Logger),
	})
	if err != nil {
		return nil, fmt.Errorf("raft: %w", err)
	}
	if cfg.Bootstrap == nil {
		return &rawNode{raw}, nil
	}
	peers := make([]etcdraft.Peer, len(cfg.Bootstrap))
	for i, m := range cfg.Bootstrap {
		peers[i] = etcdraft.Peer{ID: uint64(m.ID), Context: encodeMember(m)}
	}
	if err := raw.Bootstrap(peers); err != nil {
		return nil, fmt.Errorf("raft: bootstrap: %w", err)
	}
	return &rawNode{raw}, nil
}

// loadLog fills the log in memory with the recovered data.
func loadLog(cfg Config, log *logStorage) error {
	r := cfg.Recovered
	if r.Applied > 0 {
		meta := &raftpb.SnapshotMetadata{ConfState: r.ConfState, Index: &r.Applied, Term: &r.Term}
		if err := log.ApplySnapshot(&raftpb.Snapshot{Metadata: meta}); err != nil {
			return fmt.Errorf("raft: checkpoint at index %d: %w", r.Applied, err)
		}
		log.checkpointed(r.Applied, r.Term, r.ConfState)
	}
	if !etcdraft.IsEmptyHardState(r.HardState) {
		if err := log.SetHardState(r.HardState); err != nil {
			return fmt.Errorf("raft: hard state: %w", err)
		}
	}
	if err := log.Append(entriesToReplay(r)); err != nil {
		return fmt.Errorf("raft: log entries: %w", err)
	}
	return nil
}

// raftLogger passes the lines of the raft library to the program's logger. Its Info lines, about elections and
// configurations, become Debug lines, because the core logs these events for the operator.
type raftLogger struct{ s *zap.SugaredLogger }

func newRaftLogger(l *zap.Logger) raftLogger {
	return raftLogger{l.WithOptions(zap.AddCallerSkip(1)).Named("raft").Sugar()}
}

func (l raftLogger) Debug(v ...any)                   { l.s.Debug(v...) }
func (l raftLogger) Debugf(format string, v ...any)   { l.s.Debugf(format, v...) }
func (l raftLogger) Info(v ...any)                    { l.s.Debug(v...) }
func (l raftLogger) Infof(format string, v ...any)    { l.s.Debugf(format, v...) }
func (l raftLogger) Warning(v ...any)                 { l.s.Warn(v...) }
func (l raftLogger) Warningf(format string, v ...any) { l.s.Warnf(format, v...) }
func (l raftLogger) Error(v ...any)                   { l.s.Error(v...) }
func (l raftLogger) Errorf(format string, v ...any)   { l.s.Errorf(format, v...) }
func (l raftLogger) Fatal(v ...any)                   { l.s.Fatal(v...) }
func (l raftLogger) Fatalf(format string, v ...any)   { l.s.Fatalf(format, v...) }
func (l raftLogger) Panic(v ...any)                   { l.s.Panic(v...) }

// contradiction is the value of the panic when the raft library finds that this log has lost acknowledged entries.
type contradiction string

// contradictions are the library's messages in that case.
var contradictions = []string{
	"tocommit(%d) is out of range [lastIndex(%d)]. Was the raft log corrupted, truncated, or lost?",
	"entry %d conflict with committed entry [committed(%d)]",
}

// Panicf panics, with a contradiction if the message is one of those.
func (l raftLogger) Panicf(format string, v ...any) {
	if slices.Contains(contradictions, format) {
		panic(contradiction(fmt.Sprintf(format, v...)))
	}
	l.s.Panicf(format, v...)
}
