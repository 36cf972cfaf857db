package client

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Contender is a key in the queue of a lock or an election. The queue is the keys that begin with its prefix, by their create revisions;
// the first one holds the lock or leads. The keys are those of etcd's clients, so that different clients exclude each other.
type Contender struct {
	Key      string
	Revision int64 // the create revision of the key

	session *Session
	prefix  string
}

// Enqueue puts a key with a value into the queue of prefix, which ends with a slash. A key that the session has there already stays, with
// the new value. It does not wait; see Await.
func (s *Session) Enqueue(ctx context.Context, prefix, value string) (*Contender, error) {
	q := &Contender{Key: fmt.Sprintf("%s%x", prefix, s.ID), session: s, prefix: prefix}
	key := []byte(q.Key)
	answer, err := s.client.KV.Txn(ctx, &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: key, Target: pb.Compare_CREATE, Result: pb.Compare_EQUAL, TargetUnion: &pb.Compare_CreateRevision{}}},
		Success: []*pb.RequestOp{putOp(&pb.PutRequest{Key: key, Value: []byte(value), Lease: s.ID})},
		Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: key}}}},
	})
	if err != nil {
		return nil, err
	}
	q.Revision = answer.Header.Revision
	if answer.Succeeded {
		return q, nil
	}
	existing := answer.Responses[0].GetResponseRange().GetKvs()
	if len(existing) == 0 {
		return nil, fmt.Errorf("the key %s changed at the same time", q.Key)
	}
	q.Revision = existing[0].CreateRevision
	if string(existing[0].Value) == value {
		return q, nil
	}
	_, err = s.client.KV.Put(ctx, &pb.PutRequest{Key: key, Value: []byte(value), Lease: s.ID})
	return q, err
}

func putOp(put *pb.PutRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put}}
}

// Await waits until no key before that of q is left in the queue. Each contender watches only the key before its own, so the end of a
// key wakes one contender.
func (q *Contender) Await(ctx context.Context) error {
	for {
		before, err := q.session.client.KV.Range(ctx, &pb.RangeRequest{
			Key: []byte(q.prefix), RangeEnd: []byte(PrefixEnd(q.prefix)), Limit: 1, MaxCreateRevision: q.Revision - 1,
			SortTarget: pb.RangeRequest_CREATE, SortOrder: pb.RangeRequest_DESCEND,
		})
		if err != nil {
			return err
		}
		if len(before.Kvs) == 0 {
			return nil
		}
		if err := q.session.client.awaitDelete(ctx, before.Kvs[0].Key, before.Header.Revision+1); err != nil {
			return err
		}
	}
}

// awaitDelete waits until a key is deleted at a revision or later.
func (c *Client) awaitDelete(ctx context.Context, key []byte, revision int64) error {
	return c.awaitEvent(ctx, &pb.WatchCreateRequest{Key: key, StartRevision: revision, Filters: []pb.WatchCreateRequest_FilterType{
		pb.WatchCreateRequest_NOPUT,
	}})
}

// AwaitChange waits until a key that begins with prefix changes at a revision or later.
func (c *Client) AwaitChange(ctx context.Context, prefix string, revision int64) error {
	return c.awaitEvent(ctx, &pb.WatchCreateRequest{
		Key: []byte(prefix), RangeEnd: []byte(PrefixEnd(prefix)), StartRevision: revision,
	})
}

// awaitEvent waits for an event of a watch. It also returns when the history is compacted: the caller must read the keys again.
func (c *Client) awaitEvent(ctx context.Context, request *pb.WatchCreateRequest) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := c.NewWatcher(ctx)
	if _, err := w.Add(request); err != nil {
		return err
	}
	for {
		response, err := w.Next()
		switch {
		case err != nil:
			return err
		case response.CompactRevision > 0, len(response.Events) > 0:
			return nil
		case response.Canceled:
			return fmt.Errorf("the watch of %s was canceled: %s", request.Key, response.CancelReason)
		}
	}
}

// PrefixEnd returns the end of the range of the keys that begin with prefix. It is "\x00", the end of all keys, if there is no such end.
func PrefixEnd(prefix string) string {
	end := []byte(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return string(end[:i+1])
		}
	}
	return "\x00"
}
