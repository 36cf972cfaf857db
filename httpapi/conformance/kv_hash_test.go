package conformance

import (
	"context"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"pando/members/servertest"
)

// hashedRevisions is the number of revisions at which the keys and their history are compared after a sequence. They lie hashStep apart.
const (
	hashedRevisions = 6
	hashStep        = 17
)

// hashSettle is the time in which etcd must have removed what a compaction has made superfluous.
const hashSettle = 20 * time.Second

// hashKV asks a server for its checksum of the keys and their history at a revision.
func (s *kvSide) hashKV(ctx context.Context, revision int64) (*pb.HashKVResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, kvTimeout)
	defer cancel()
	return pb.NewMaintenanceClient(s.conn).HashKV(ctx, &pb.HashKVRequest{Revision: revision}, grpc.WaitForReady(true))
}

// compareHashes compares the checksums of the histories, which are equal unless a sequence has failed.
func (p *kvPair) compareHashes(ctx context.Context) error {
	if p.diverged {
		return nil
	}
	now, err := p.etcd.hashKV(ctx, 0)
	if err != nil {
		return fmt.Errorf("HashKV of etcd: %w", err)
	}
	for i := range int64(hashedRevisions) {
		revision := now.Header.Revision - i*hashStep
		if revision <= now.CompactRevision {
			break // etcd 3.7 keeps the numbers of some compactions, which Pando does not
		}
		if err := p.compareHash(ctx, revision); err != nil {
			return err
		}
	}
	return nil
}

// compareHash compares the checksums at a revision. Etcd removes compacted entries later, and may count them until then.
func (p *kvPair) compareHash(ctx context.Context, revision int64) (err error) {
	var got, want *pb.HashKVResponse
	equal := servertest.Poll(hashSettle, 10*time.Millisecond, func() bool {
		if want, err = p.etcd.hashKV(ctx, revision); err != nil {
			err = fmt.Errorf("HashKV of etcd at revision %d: %w", revision, err)
			return true
		}
		if got, err = p.pando.hashKV(ctx, revision); err != nil {
			err = fmt.Errorf("HashKV of Pando at revision %d: %w", revision, err)
			return true
		}
		if p.version == "3.4" {
			want.HashRevision = got.HashRevision // which etcd does not send
		}
		return got.Hash == want.Hash && got.CompactRevision == want.CompactRevision && got.Header.Revision == want.Header.Revision &&
			got.HashRevision == want.HashRevision
	})
	if !equal {
		return fmt.Errorf("HashKV at revision %d:\ngot  %v\nwant %v", revision, got, want)
	}
	return err
}
