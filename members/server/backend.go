package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"pando/httpapi/service"
	"pando/raft"
	"pando/storage"
	"pando/storage/etcdv3"
	"pando/tree"
)

// backend is the service.Backend of a member.
type backend struct {
	*member
	dir string // the data directory
}

// backendFile is the name in the data directory of a file that is being written. A process that was killed leaves it; newBackend removes
// it.
const backendFile = "etcd-v3.db.outgoing"

// newBackend removes what an earlier process has left. The caller must hold the lock of the data directory.
func newBackend(m *member, dir string) *backend {
	_ = os.Remove(filepath.Join(dir, backendFile)) // if it can't be removed, the next file replaces it
	return &backend{m, dir}
}

func (b *backend) HashKV(log *tree.KeyLog, revision int64) uint32 {
	return etcdv3.HashKV(log, revision)
}

func (b *backend) Hash(log *tree.KeyLog) uint32 { return etcdv3.Hash(log) }

func (b *backend) OpenFile(ctx context.Context, log *tree.KeyLog) (io.ReadCloser, int64, error) {
	s := &etcdv3.Source{Log: log, Applied: b.node.Applied(), Term: b.node.Term()}
	for _, m := range b.node.Members().List() {
		s.Members = append(s.Members, etcdv3.Member{
			ID: uint64(m.ID), PeerURLs: m.PeerURLs, Learner: m.Learner, Name: m.Name, ClientURLs: m.ClientURLs,
		})
	}
	if err := storage.CheckSpace(b.dir, etcdv3.EstimateSize(log)); err != nil {
		return nil, 0, fmt.Errorf("the snapshot can't be written: %w", err)
	}
	file, size, err := etcdv3.Write(ctx, filepath.Join(b.dir, backendFile), s)
	if err != nil {
		return nil, 0, fmt.Errorf("the snapshot can't be written: %w", err)
	}
	return file, size, nil
}

func (b *backend) Defragment(ctx context.Context) error {
	err := b.node.Compact(ctx)
	if errors.Is(err, raft.ErrCompactionDeferred) || errors.Is(err, raft.ErrStopped) {
		return service.ErrDefragmentBusy
	}
	return err
}
