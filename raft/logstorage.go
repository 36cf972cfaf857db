package raft

import (
	"math"
	"sync"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// logStorage is the log in memory, from which raft reads. Its snapshot is the position of the last checkpoint on the disk.
// Its methods may be called from any goroutine.
type logStorage struct {
	*etcdraft.MemoryStorage

	mu     sync.Mutex
	bytes  int64                    // of the entries; see entrySize
	latest *raftpb.SnapshotMetadata // of the last checkpoint; nil before the first
	needed bool                     // raft needs a newer checkpoint
	// configured is the index of the last change of the membership. An older checkpoint is of no use to a member that
	// was added since.
	configured uint64
}

func newLogStorage() *logStorage {
	return &logStorage{MemoryStorage: etcdraft.NewMemoryStorage()}
}

// Append adds entries. They replace all entries from the index of the first one on.
func (s *logStorage) Append(entries []*raftpb.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	replaced, err := s.between(entries[0].GetIndex(), math.MaxUint64, math.MaxUint64)
	if err != nil {
		return err
	}
	if err := s.MemoryStorage.Append(entries); err != nil {
		return err
	}
	s.bytes += int64(entriesSize(entries) - entriesSize(replaced))
	return nil
}

// Term returns the term of an entry. Unlike the method of the raft library it accepts any index: the library's distance
// between the log and an index that a peer has sent may overflow.
func (s *logStorage) Term(index uint64) (uint64, error) {
	last, err := s.LastIndex()
	if err != nil {
		return 0, err
	}
	if index > last {
		return 0, etcdraft.ErrUnavailable
	}
	return s.MemoryStorage.Term(index)
}

// ApplySnapshot empties the log. It continues after the snapshot.
func (s *logStorage) ApplySnapshot(snapshot *raftpb.Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.MemoryStorage.ApplySnapshot(snapshot); err != nil {
		return err
	}
	s.bytes = 0
	return nil
}

// between returns the entries from one index to another that the log has: at least the first one, and further ones up to an
// encoded size of most bytes.
func (s *logStorage) between(from, to, most uint64) ([]*raftpb.Entry, error) {
	last, err := s.LastIndex()
	if err != nil {
		return nil, err
	}
	from, to = max(from, s.first()), min(to, last)
	if from > to {
		return nil, nil
	}
	return s.Entries(from, to+1, most)
}

// drop removes the entries up to an index, if there are any.
func (s *logStorage) drop(upTo uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	dropped, err := s.between(0, upTo, math.MaxUint64)
	if err != nil || len(dropped) == 0 {
		return err
	}
	if err := s.Compact(upTo); err != nil {
		return err
	}
	s.bytes -= int64(entriesSize(dropped))
	return nil
}

// oldest is the index up to which entries must be dropped to free this many bytes, at most upTo.
func (s *logStorage) oldest(bytes int64, upTo uint64) uint64 {
	entries, err := s.between(0, upTo, uint64(bytes))
	if err != nil || len(entries) == 0 {
		return 0
	}
	n := 0
	for n < len(entries) && bytes > 0 {
		bytes -= int64(entrySize(entries[n]))
		n++
	}
	return entries[0].GetIndex() + uint64(n) - 1
}

// size is about the memory that the entries take, in bytes.
func (s *logStorage) size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// first is the index at which the log in memory begins.
func (s *logStorage) first() uint64 {
	// A log in memory has no errors of reading.
	first, _ := s.FirstIndex()
	return first
}

// Snapshot returns the position of the last checkpoint, without its content, which is streamed from the disk. If the log in
// memory begins after it, or the membership has changed since, it requests a new checkpoint; see needsCheckpoint.
func (s *logStorage) Snapshot() (*raftpb.Snapshot, error) {
	first := s.first()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest == nil || s.latest.GetIndex()+1 < first || s.latest.GetIndex() < s.configured {
		s.needed = true
		return nil, etcdraft.ErrSnapshotTemporarilyUnavailable
	}
	return &raftpb.Snapshot{Metadata: s.latest}, nil
}

// checkpointed notes a new checkpoint.
func (s *logStorage) checkpointed(index, term uint64, conf *raftpb.ConfState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest = &raftpb.SnapshotMetadata{Index: &index, Term: &term, ConfState: conf}
	s.needed = false
}

// reconfigured notes the index of a change of the membership.
func (s *logStorage) reconfigured(index uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.configured = index
}

// needsCheckpoint reports whether raft has asked for a newer checkpoint.
func (s *logStorage) needsCheckpoint() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.needed
}

// position is the index of the last checkpoint.
func (s *logStorage) position() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest.GetIndex()
}
