package service

import (
	"context"
	"errors"
	"io"
	"time"

	"pando/httpapi/auth"
	"pando/tree"
)

// Backend makes the file of v3 data that etcd would have for the state of this member, and checksums of it. Its methods may be called from
// any goroutine.
type Backend interface {
	// HashKV returns the checksum with which members of etcd compare their keys. A negative revision is before all changes, and other
	// ones must not be before the floor of the log.
	HashKV(log *tree.KeyLog, revision int64) uint32
	// Hash returns a checksum of the whole state, which is equal on all members with the same state.
	Hash(log *tree.KeyLog) uint32
	// OpenFile writes the file and opens it. The caller must close it, which frees its disk space.
	OpenFile(ctx context.Context, log *tree.KeyLog) (file io.ReadCloser, size int64, err error)
	// Defragment writes the state to a new file without free space. It returns when the new file has replaced the old one.
	Defragment(ctx context.Context) error
}

// KVHash is the result of HashKV.
type KVHash struct {
	Hash uint32
	// Revision is the current revision of the tree. Hash is the checksum at the revision Hashed.
	Revision, Hashed int64
	// Compacted is the floor of the history: of the changes up to it, only the last one of each key is hashed. It is -1 if all changes are
	// hashed.
	Compacted int64
}

// HashKV returns a checksum of the keys and their history at a revision, or at the current one if it is 0. The number is that of etcd for
// the same history. The sender needs the role root. The error has CodeCompacted for a revision before the floor of the history, and
// CodeFutureRevision for one that is after the current one; other errors are those of AuthorizeRoot.
func (s *Service) HashKV(ctx context.Context, who auth.Credentials, revision int64) (KVHash, error) {
	var h KVHash
	err := s.readLog(ctx, who, opHashKV, func(log *tree.KeyLog) error {
		h = KVHash{Revision: int64(log.View().Revision()), Hashed: revision, Compacted: int64(log.Floor())}
		if log.IsComplete() {
			h.Compacted = -1
		}
		switch {
		case revision == 0:
			h.Hashed = h.Revision
		case revision > h.Revision:
			return tree.NewError(tree.CodeFutureRevision, "")
		case revision > 0 && revision < h.Compacted:
			return tree.NewError(tree.CodeCompacted, "")
		}
		h.Hash = s.cfg.Backend.HashKV(log, h.Hashed)
		return nil
	})
	return h, err
}

// Hash returns a checksum of the whole state, and the revision of the tree. Members with the same state return the same number. The sender
// needs the role root. The errors are those of AuthorizeRoot.
func (s *Service) Hash(ctx context.Context, who auth.Credentials) (hash uint32, revision uint64, err error) {
	err = s.readLog(ctx, who, opHash, func(log *tree.KeyLog) error {
		hash, revision = s.cfg.Backend.Hash(log), log.View().Revision()
		return nil
	})
	return hash, revision, err
}

// readLog calls read with the log of the keys, if the sender has the role root. Reading takes memory for each key and event, so one call
// reads at a time. The others wait.
func (s *Service) readLog(ctx context.Context, who auth.Credentials, name string, read func(*tree.KeyLog) error) error {
	from, err := s.identifyRoot(ctx, who)
	if err == nil {
		select {
		case s.readingLog <- struct{}{}:
			err = read(s.cfg.Tree.KeyLog())
			<-s.readingLog
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	s.record(who, &from, operation{name: name, read: true}, 0, err)
	return err
}

// OpenBackend opens a file of size bytes with the state of this member, in the format of etcd's v3 data. It contains everything that was
// applied on this member before the call. The caller must close it. Only one file of OpenBackend and of OpenSnapshot can be open at a time:
// another call waits until it is closed, and returns ErrSnapshotBusy after a minute. The sender needs the role root. Other errors are those
// of AuthorizeRoot, of the disk and of ctx.
func (s *Service) OpenBackend(ctx context.Context, who auth.Credentials) (file io.ReadCloser, size int64, err error) {
	from, err := s.identifyRoot(ctx, who)
	if err == nil {
		file, size, err = s.openBackend(ctx)
	}
	s.record(who, &from, operation{name: opSnapshot}, 0, err)
	return file, size, err
}

// snapshotWait is the longest time for which OpenBackend waits until another snapshot is closed.
const snapshotWait = time.Minute

func (s *Service) openBackend(ctx context.Context) (file io.ReadCloser, size int64, err error) {
	timeout := time.NewTimer(snapshotWait)
	defer timeout.Stop()
	select {
	case s.snapshotOpen <- struct{}{}:
	case <-timeout.C:
		return nil, 0, ErrSnapshotBusy
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	file, size, err = s.cfg.Backend.OpenFile(ctx, s.cfg.Tree.KeyLog())
	if err != nil {
		<-s.snapshotOpen
		return nil, 0, err
	}
	return &snapshotFile{ReadCloser: file, service: s}, size, nil
}

// ErrDefragmentBusy means that the member stops, or that a snapshot needs its files.
var ErrDefragmentBusy = errors.New("service: the files of the member are in use by a snapshot, or the member stops; try again later")

// Defragment writes the state of this member to a new file without free space, and returns when the file is in use. The sender needs the
// role root. The errors are ErrDefragmentBusy, those of AuthorizeRoot and those of the disk.
func (s *Service) Defragment(ctx context.Context, who auth.Credentials) error {
	from, err := s.identifyRoot(ctx, who)
	if err == nil {
		err = s.cfg.Backend.Defragment(ctx)
	}
	s.record(who, &from, operation{name: opDefragment}, 0, err)
	return err
}
