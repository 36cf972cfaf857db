package v3

import (
	"context"
	"math"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"

	"pando/httpapi/rpc"
	"pando/httpapi/service"
	"pando/stats"
	"pando/tree"
)

// kvMethods is the service KV.
var kvMethods = []method{
	quickUnary("Range", (*Server).rangeKeys).fromLearners(),
	streaming("RangeStream", stats.ServerStream, (*Server).rangeStream),
	unary("Put", (*Server).put),
	unary("DeleteRange", (*Server).deleteRange),
	unary("Txn", (*Server).txn),
	unary("Compact", (*Server).compact),
}

func (s *Server) rangeKeys(ctx context.Context, r *pb.RangeRequest) (*rangeReply, error) {
	if !r.Serializable && s.cfg.Service.IsLearner() {
		return nil, rpctypes.ErrGRPCNotSupportedForLearner
	}
	q := rangeQuery(r)
	if err := q.Check(); err != nil {
		return nil, err
	}
	// A range of many keys computes for long, and so does an old revision.
	if len(r.RangeEnd) > 0 || q.Revision != 0 || s.cfg.Service.RangeMayWait(consistency(r.Serializable)) {
		rpc.MayWait(ctx)
	}
	result, revision, err := s.cfg.Service.Range(ctx, sender(ctx), q, consistency(r.Serializable))
	if err != nil {
		return nil, err
	}
	return &rangeReply{s.wireHeader(revision), result, rangeForm(q)}, nil
}

func (s *Server) put(ctx context.Context, r *pb.PutRequest) (*putReply, error) {
	if err := s.checkSize(r, len(r.Key)+len(r.Value)); err != nil {
		return nil, err
	}
	c := tree.Command{
		Op: tree.OpPut, Path: string(r.Key), Value: string(r.Value), Lease: r.Lease, IgnoreValue: r.IgnoreValue, IgnoreLease: r.IgnoreLease,
	}
	if err := c.CheckKV(s.cfg.Limits.TxnOps); err != nil {
		return nil, err
	}
	response := service.WithoutPrevious
	if r.PrevKv {
		response = service.WithPrevious
	}
	event, err := s.cfg.Service.Put(ctx, sender(ctx), &c, response)
	if err != nil {
		return nil, err
	}
	reply := &putReply{header: s.wireHeader(event.Revision())}
	if prev := event.Prev(); r.PrevKv && prev != nil {
		reply.prev = []*tree.Node{prev}
	}
	return reply, nil
}

func (s *Server) deleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*deleteReply, error) {
	keys := keyRange(r.Key, r.RangeEnd)
	c := tree.Command{Op: tree.OpDeleteRange, Path: keys.From, Value: keys.To, PrevKV: r.PrevKv}
	if err := c.CheckKV(s.cfg.Limits.TxnOps); err != nil {
		return nil, err
	}
	result, err := s.cfg.Service.DeleteRange(ctx, sender(ctx), &c)
	if err != nil {
		return nil, err
	}
	return &deleteReply{s.wireHeader(result.Revision), result.Ops[0].Deleted, result.Ops[0].Prev}, nil
}

func (s *Server) txn(ctx context.Context, r *pb.TxnRequest) (*txnReply, error) {
	if err := s.checkSize(r, -1); err != nil {
		return nil, err
	}
	t, serializable := kvTxn(r)
	if err := t.Check(s.cfg.Limits.TxnOps); err != nil {
		return nil, err
	}
	result, err := s.cfg.Service.KVTxn(ctx, sender(ctx), t, consistency(serializable))
	if err != nil {
		return nil, err
	}
	return &txnReply{s.wireHeader(result.Revision), t, result}, nil
}

func (s *Server) compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	revision, err := s.cfg.Service.Compact(ctx, sender(ctx), r.Revision)
	if err != nil {
		return nil, err
	}
	return &pb.CompactionResponse{Header: s.headerAt(revision)}, nil
}

// checkSize returns an error if a request is too long. size is about its size, or negative if it must be computed.
func (s *Server) checkSize(r proto.Message, size int) error {
	if size < 0 {
		size = proto.Size(r)
	}
	if int64(size) > s.cfg.Limits.RequestBytes {
		return rpctypes.ErrGRPCRequestTooLarge
	}
	return nil
}

func consistency(serializable bool) service.Consistency {
	if serializable {
		return service.Local
	}
	return service.Linearizable
}

// keyRange returns the range of a request. An empty end means the key alone, and an end of one byte 0 all keys from the key on.
func keyRange(key, end []byte) tree.KeyRange {
	switch {
	case len(end) == 0:
		return tree.SingleKey(string(key))
	case len(end) == 1 && end[0] == 0:
		return tree.KeyRange{From: string(key)}
	}
	return tree.KeyRange{From: string(key), To: string(end)}
}

// rangeQuery returns the query of a request, which is not checked.
func rangeQuery(r *pb.RangeRequest) *tree.RangeQuery {
	q := &tree.RangeQuery{
		KeyRange: keyRange(r.Key, r.RangeEnd), Limit: r.Limit,
		Sort: tree.SortTarget(enumByte(r.SortTarget)), Order: tree.SortOrder(enumByte(r.SortOrder)),
		MinMod: bound(r.MinModRevision), MaxMod: bound(r.MaxModRevision),
		MinCreate: bound(r.MinCreateRevision), MaxCreate: bound(r.MaxCreateRevision),
		KeysOnly: r.KeysOnly, CountOnly: r.CountOnly, Revision: bound(r.Revision),
	}
	if r.MaxModRevision < 0 || r.MaxCreateRevision < 0 {
		q.MinMod = math.MaxUint64 // no file has so small a revision
	}
	return q
}

// enumByte returns the number of a constant of the protocol. Numbers that the protocol does not have give 255, which no constant has.
func enumByte[E ~int32](e E) byte {
	if e < 0 || e > 255 {
		return 255
	}
	return byte(e)
}

// bound returns a revision of a request: 0, which is none, for negative ones.
func bound(revision int64) uint64 { return uint64(max(0, revision)) }

// kvTxn returns the transaction of a request, which is not checked. serializable is true if all its ranges are.
func kvTxn(r *pb.TxnRequest) (t *tree.KVTxn, serializable bool) {
	t, serializable = &tree.KVTxn{Compares: make([]tree.KVCompare, len(r.GetCompare()))}, true
	for i, c := range r.GetCompare() {
		t.Compares[i] = kvCompare(c)
	}
	for _, list := range []struct {
		from []*pb.RequestOp
		into *[]tree.KVOp
	}{{r.GetSuccess(), &t.Then}, {r.GetFailure(), &t.Else}} {
		*list.into = make([]tree.KVOp, len(list.from))
		for i, op := range list.from {
			var local bool
			(*list.into)[i], local = kvOp(op)
			serializable = serializable && local
		}
	}
	return t, serializable
}

// kvCompare returns a compare of a request.
func kvCompare(c *pb.Compare) tree.KVCompare {
	compare := tree.KVCompare{
		KeyRange: keyRange(c.Key, c.RangeEnd),
		Target:   tree.KVTarget(enumByte(c.Target)), Result: tree.KVRelation(enumByte(c.Result)), Value: string(c.GetValue()),
	}
	switch c.Target {
	case pb.Compare_VERSION:
		compare.Number = c.GetVersion()
	case pb.Compare_CREATE:
		compare.Number = c.GetCreateRevision()
	case pb.Compare_MOD:
		compare.Number = c.GetModRevision()
	case pb.Compare_LEASE:
		compare.Number = c.GetLease()
	}
	return compare
}

// kvOp returns an operation of a transaction. local is false if it is a range that is not serializable. A request without an operation
// gives the zero KVOp.
func kvOp(op *pb.RequestOp) (o tree.KVOp, local bool) {
	switch r := op.Request.(type) {
	case *pb.RequestOp_RequestRange:
		return tree.KVOp{Kind: tree.KVRange, Range: rangeQuery(r.RequestRange)}, r.RequestRange.GetSerializable()
	case *pb.RequestOp_RequestPut:
		p := r.RequestPut
		return tree.KVOp{
			Kind: tree.KVPut, Key: string(p.Key), Value: string(p.Value), Lease: p.Lease, PrevKV: p.PrevKv, IgnoreValue: p.IgnoreValue,
			IgnoreLease: p.IgnoreLease,
		}, true
	case *pb.RequestOp_RequestDeleteRange:
		d := r.RequestDeleteRange
		return tree.KVOp{Kind: tree.KVDeleteRange, Keys: keyRange(d.Key, d.RangeEnd), PrevKV: d.PrevKv}, true
	case *pb.RequestOp_RequestTxn:
		t, local := kvTxn(r.RequestTxn)
		return tree.KVOp{Kind: tree.KVNested, Txn: t}, local
	}
	return o, false
}
