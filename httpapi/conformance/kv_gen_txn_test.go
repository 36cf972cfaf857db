package conformance

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// txn returns a transaction. depth is how many more transactions it may have in each other.
func (g *kvGenerator) txn(depth int) *pb.TxnRequest {
	r := &pb.TxnRequest{}
	for range g.IntN(3) {
		r.Compare = append(r.Compare, g.compare())
	}
	r.Success, r.Failure = g.ops(depth), g.ops(depth)
	if g.one(100) {
		for range 129 {
			r.Success = append(r.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: g.rangeOf(true, true)}})
		}
	}
	return r
}

// withoutPanic changes a transaction that may end an etcd: one that removes all keys from a key on, and then puts a key with its old value
// or lease, which is gone. Pando refuses it.
func withoutPanic(r *pb.TxnRequest) *pb.TxnRequest {
	toEnd := false
	eachField(r.ProtoReflect(), func(_ protoreflect.Message, f protoreflect.FieldDescriptor, v protoreflect.Value) {
		toEnd = toEnd || f.FullName() == "etcdserverpb.DeleteRangeRequest.range_end" && string(v.Bytes()) == "\x00"
	})
	if toEnd {
		eachField(r.ProtoReflect(), func(m protoreflect.Message, f protoreflect.FieldDescriptor, _ protoreflect.Value) {
			switch f.FullName() {
			case "etcdserverpb.PutRequest.ignore_value", "etcdserverpb.PutRequest.ignore_lease":
				m.Clear(f)
			}
		})
	}
	return r
}

func (g *kvGenerator) ops(depth int) (list []*pb.RequestOp) {
	for range g.IntN(4) {
		list = append(list, g.op(depth))
	}
	return list
}

func (g *kvGenerator) op(depth int) *pb.RequestOp {
	switch n := g.IntN(20); {
	case n < 8:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: g.put()}}
	case n < 11:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: g.deleteRange()}}
	case n < 16 || depth == 0:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: g.rangeOf(g.one(4), true)}}
	case n < 19 || !g.one(5):
		return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: g.txn(depth - 1)}}
	}
	return &pb.RequestOp{} // no operation
}

func (g *kvGenerator) compare() *pb.Compare {
	c := &pb.Compare{Result: pb.Compare_CompareResult(g.IntN(4)), Target: pb.Compare_CompareTarget(g.IntN(5))}
	c.Key, c.RangeEnd = g.keyRange()
	target := c.Target
	if g.one(30) { // a value of another type
		target = pb.Compare_CompareTarget(g.IntN(6))
	}
	switch target {
	case pb.Compare_VERSION:
		c.TargetUnion = &pb.Compare_Version{Version: int64(g.IntN(4))}
	case pb.Compare_CREATE:
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: g.boundOfCompare()}
	case pb.Compare_MOD:
		c.TargetUnion = &pb.Compare_ModRevision{ModRevision: g.boundOfCompare()}
	case pb.Compare_VALUE:
		c.TargetUnion = &pb.Compare_Value{Value: g.value()}
	case pb.Compare_LEASE:
		c.TargetUnion = &pb.Compare_Lease{Lease: g.leaseOfPut()}
	}
	return c
}

// boundOfCompare returns a revision, or 0 as clients use it for a key that must not exist.
func (g *kvGenerator) boundOfCompare() int64 {
	if g.one(2) {
		return 0
	}
	return g.revision()
}
