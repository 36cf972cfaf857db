package service

import (
	"context"
	"errors"
	"fmt"
	"io"

	"pando/httpapi/auth"
)

// ErrSnapshotBusy says that another snapshot is being read.
var ErrSnapshotBusy = errors.New("service: another snapshot is being read")

// ErrNotConfirmed says that the leader did not confirm that this member has everything that was acknowledged.
var ErrNotConfirmed = errors.New("the leader did not confirm that this member is up to date")

// OpenSnapshot opens a file of size bytes with the member's state. The caller must close it. Each file needs a checkpoint and its
// copy on the disk, so only one file can be open at a time: other calls return ErrSnapshotBusy. With Linearizable the file contains
// everything that was acknowledged before the call; if the leader does not confirm that, the error wraps ErrNotConfirmed. The sender
// needs the role root, because a snapshot contains all keys and the hashes of all passwords. Other errors are those of AuthorizeRoot.
func (s *Service) OpenSnapshot(ctx context.Context, who auth.Credentials, c Consistency) (file io.ReadCloser, size int64, err error) {
	from, file, size, err := s.openSnapshot(ctx, who, c)
	s.record(who, &from, operation{name: opSnapshot}, 0, err)
	return file, size, err
}

func (s *Service) openSnapshot(
	ctx context.Context, who auth.Credentials, c Consistency,
) (from sender, file io.ReadCloser, size int64, err error) {
	if from, err = s.identifyRoot(ctx, who); err != nil {
		return from, nil, 0, err
	}
	select {
	case s.snapshotOpen <- struct{}{}:
	default:
		return from, nil, 0, ErrSnapshotBusy
	}
	defer func() {
		if err != nil {
			<-s.snapshotOpen
		}
	}()
	if c == Linearizable {
		if err := s.cfg.Log.Barrier(ctx); err != nil {
			return from, nil, 0, fmt.Errorf("%w: %w", ErrNotConfirmed, err)
		}
		if from, err = s.identifyRoot(ctx, who); err != nil { // the barrier may have applied a change of users
			return from, nil, 0, err
		}
	}
	file, size, err = s.cfg.Snapshots.OpenSnapshot(ctx)
	if err != nil {
		return from, nil, 0, err
	}
	return from, &snapshotFile{ReadCloser: file, service: s}, size, nil
}

// snapshotFile is the one snapshot that is open.
type snapshotFile struct {
	io.ReadCloser
	service *Service
}

// Close closes the file and allows the next snapshot.
func (f *snapshotFile) Close() error {
	err := f.ReadCloser.Close()
	<-f.service.snapshotOpen
	return err
}
