package v3

import (
	"context"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"

	"pando/tree"
)

// observer sends the elected client of an election, and every change of its value, on a stream. A client that does not read its responses
// blocks only this stream.
type observer struct {
	queue
	stream *Stream
	sent   uint64 // the mod revision of the last key that was sent
}

// observe serves a stream of the method Observe. It ends when the client is gone.
func (s *Server) observe(stream *Stream) error {
	ctx := stream.Context()
	var r v3electionpb.LeaderRequest
	if err := stream.RecvMsg(&r); err != nil {
		return err
	}
	if !s.cfg.Watches.Begin() {
		return rpctypes.ErrGRPCRequestTooManyRequests
	}
	defer s.cfg.Watches.End()
	o := observer{queue: s.queue(ctx, r.Name), stream: stream}
	for {
		if err := o.observeLeader(ctx); err != nil {
			return libraryError(ctx, err)
		}
	}
}

// observeLeader sends the oldest key, for which it waits if there is none, until the key is removed. It may return earlier.
func (o *observer) observeLeader(ctx context.Context) error {
	leader, revision, err := o.leader(ctx)
	if err != nil {
		return err
	}
	if leader == nil {
		if leader, err = o.awaitLeader(ctx, revision+1); err != nil || leader == nil {
			return ignoreCompacted(err)
		}
		revision = leader.ModRevision()
	}
	if err := o.send(leader, revision); err != nil {
		return err
	}
	return ignoreCompacted(o.follow(ctx, leader.Path(), revision+1))
}

// awaitLeader returns the first key that is written from a revision on.
func (o *observer) awaitLeader(ctx context.Context, from uint64) (*tree.Node, error) {
	changes := newKeyChanges(o.queue)
	defer changes.close()
	if err := changes.watch(ctx, o.keys, from); err != nil {
		return nil, err
	}
	for {
		events, err := changes.next(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if !e.Deleted {
				return e.Node, nil
			}
		}
	}
}

// follow sends the values of a key from a revision on. It returns nil when the key is removed.
func (o *observer) follow(ctx context.Context, key string, from uint64) error {
	changes := newKeyChanges(o.queue)
	defer changes.close()
	if err := changes.watch(ctx, tree.SingleKey(key), from); err != nil {
		return err
	}
	for {
		events, err := changes.next(ctx)
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.Deleted {
				return nil
			}
			if err := o.send(e.Node, e.Node.ModRevision()); err != nil {
				return err
			}
		}
	}
}

// send sends a key with a header that has a revision, unless it was sent before.
func (o *observer) send(leader *tree.Node, revision uint64) error {
	if leader.ModRevision() == o.sent {
		return nil
	}
	o.sent = leader.ModRevision()
	return o.stream.SendMsg(&leaderReply{o.server.wireHeader(revision), leader})
}
