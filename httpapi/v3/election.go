package v3

import (
	"context"
	"errors"

	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"pando/stats"
	"pando/tree"
)

// electionMethods is the service Election.
var electionMethods = []method{
	unary("Campaign", (*Server).campaign),
	unary("Proclaim", (*Server).proclaim),
	unary("Leader", (*Server).electionLeader),
	streaming("Observe", stats.ServerStream, (*Server).observe),
	unary("Resign", (*Server).resign),
}

// The errors of the service Election.
var (
	errMissingLeaderKey = status.Error(codes.Unknown, `"leader" field must be provided`)
	errNotLeader        = status.Error(codes.Unknown, "election: not leader")
	errNoLeader         = status.Error(codes.Unknown, "election: no leader")
)

// campaign waits until the sender is elected. It stays elected until the key of the response is removed, by Resign or with its lease. A
// request that is canceled while it waits leaves no key.
//
// If the lease ends while the request waits, the response is errNotLeader. The reference reports then that the sender was elected, although
// its key is gone and another client may be elected at the same time.
func (s *Server) campaign(ctx context.Context, r *v3electionpb.CampaignRequest) (*v3electionpb.CampaignResponse, error) {
	if err := s.checkSize(r, len(r.Name)+len(r.Value)); err != nil {
		return nil, libraryError(ctx, err)
	}
	p, err := s.queue(ctx, r.Name).enter(ctx, r.Lease, string(r.Value))
	if err != nil {
		return nil, libraryError(ctx, err)
	}
	header := s.headerAt(p.revision)
	if p.value != string(r.Value) {
		if _, err := p.write(ctx, p.key, p.created, p.lease, string(r.Value)); err != nil {
			p.leave(context.WithoutCancel(ctx))
			return nil, libraryError(ctx, err)
		}
	}
	switch err := p.await(ctx); {
	case errors.Is(err, errPlaceLost):
		return nil, errNotLeader
	case err != nil:
		return nil, libraryError(ctx, err)
	}
	return &v3electionpb.CampaignResponse{Header: header, Leader: &v3electionpb.LeaderKey{
		Name: r.Name, Key: []byte(p.key), Rev: int64(p.created), Lease: p.lease,
	}}, nil
}

// write gives a key a value, if it was made at a revision. Otherwise it returns errNotLeader. It returns the revision of the tree.
func (q queue) write(ctx context.Context, key string, created uint64, lease int64, value string) (uint64, error) {
	result, err := q.txn(ctx, &tree.KVTxn{
		Compares: []tree.KVCompare{createdAt(key, created)},
		Then:     []tree.KVOp{{Kind: tree.KVPut, Key: key, Value: value, Lease: lease}},
	})
	switch {
	case err != nil:
		return 0, err
	case !result.Succeeded:
		return 0, errNotLeader
	}
	return result.Revision, nil
}

// proclaim changes the value of an elected client.
func (s *Server) proclaim(ctx context.Context, r *v3electionpb.ProclaimRequest) (*v3electionpb.ProclaimResponse, error) {
	if r.Leader == nil {
		return nil, errMissingLeaderKey
	}
	if err := s.checkSize(r, len(r.Leader.Key)+len(r.Value)); err != nil {
		return nil, libraryError(ctx, err)
	}
	q, lease := s.queue(ctx, r.Leader.Name), r.Leader.Lease
	if lease == 0 {
		granted, err := s.cfg.Service.GrantLease(ctx, q.who, 0, queueTTL)
		if err != nil {
			return nil, libraryError(ctx, err)
		}
		lease = granted.ID
	}
	revision, err := q.write(ctx, string(r.Leader.Key), uint64(r.Leader.Rev), lease, string(r.Value))
	if err != nil {
		return nil, libraryError(ctx, err)
	}
	return &v3electionpb.ProclaimResponse{Header: s.headerAt(revision)}, nil
}

// resign removes the key of an elected client, or of one that waits. One that does not exist is no error, as in the reference.
func (s *Server) resign(ctx context.Context, r *v3electionpb.ResignRequest) (*v3electionpb.ResignResponse, error) {
	if r.Leader == nil {
		return nil, errMissingLeaderKey
	}
	result, err := s.queue(ctx, r.Leader.Name).txn(ctx, &tree.KVTxn{
		Compares: []tree.KVCompare{createdAt(string(r.Leader.Key), uint64(r.Leader.Rev))},
		Then:     []tree.KVOp{{Kind: tree.KVDeleteRange, Keys: tree.SingleKey(string(r.Leader.Key))}},
	})
	if err != nil {
		return nil, libraryError(ctx, err)
	}
	return &v3electionpb.ResignResponse{Header: s.headerAt(result.Revision)}, nil
}

// electionLeader returns the key of the elected client.
func (s *Server) electionLeader(ctx context.Context, r *v3electionpb.LeaderRequest) (*leaderReply, error) {
	leader, revision, err := s.queue(ctx, r.Name).leader(ctx)
	switch {
	case err != nil:
		return nil, libraryError(ctx, err)
	case leader == nil:
		return nil, errNoLeader
	}
	return &leaderReply{s.wireHeader(revision), leader}, nil
}

// leader returns the oldest key, or nil if the queue is empty, and the revision at which it was read.
func (q queue) leader(ctx context.Context) (leader *tree.Node, revision uint64, err error) {
	result, err := q.txn(ctx, &tree.KVTxn{Then: []tree.KVOp{{Kind: tree.KVRange, Range: q.oldest()}}})
	if err != nil {
		return nil, 0, err
	}
	if nodes := result.Ops[0].Range.Nodes; len(nodes) > 0 {
		leader = nodes[0]
	}
	return leader, result.Revision, nil
}

// leaderReply is a LeaderResponse.
type leaderReply struct {
	header responseHeader
	leader *tree.Node
}

// Size returns the number of bytes that AppendTo appends.
func (r *leaderReply) Size() int {
	return sizeHeader(&r.header) + sizeMessage(2, sizeFile(r.leader, wholeFile))
}

// AppendTo appends the wire form.
func (r *leaderReply) AppendTo(b []byte) []byte {
	return appendFile(appendHeader(b, &r.header), 2, r.leader, wholeFile)
}
