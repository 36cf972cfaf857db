package conformance

import (
	"bytes"
	"cmp"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// eachRevision replaces the numbers in a request that are relative to relativeRevision, in all messages that it has.
func eachRevision(m protoreflect.Message, replace func(relative int64) int64) {
	const most = 1 << 20
	eachField(m, func(m protoreflect.Message, f protoreflect.FieldDescriptor, v protoreflect.Value) {
		if f.Kind() != protoreflect.Int64Kind || f.IsList() {
			return
		}
		if n := v.Int() - relativeRevision; -most < n && n < most {
			m.Set(f, protoreflect.ValueOfInt64(replace(n)))
		}
	})
}

// eachField calls f for each field with a value, in all messages of m.
func eachField(m protoreflect.Message, f func(protoreflect.Message, protoreflect.FieldDescriptor, protoreflect.Value)) {
	m.Range(func(d protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case d.Message() == nil:
			f(m, d, v)
		case d.IsList():
			for i := range v.List().Len() {
				eachField(v.List().Get(i).Message(), f)
			}
		default:
			eachField(v.Message(), f)
		}
		return true
	})
}

// revisionOf returns the revision in the header of a response.
func revisionOf(m proto.Message) int64 {
	if r, ok := m.(interface{ GetHeader() *pb.ResponseHeader }); ok {
		return r.GetHeader().GetRevision()
	}
	return 0
}

// normalKV removes from a response what differs between two servers of one program: their IDs and terms, the order of lists that have
// none, and the time that has passed since a lease began.
func normalKV(request, response proto.Message) {
	eachField(response.ProtoReflect(), func(m protoreflect.Message, f protoreflect.FieldDescriptor, _ protoreflect.Value) {
		switch f.FullName() {
		case "etcdserverpb.ResponseHeader.cluster_id", "etcdserverpb.ResponseHeader.member_id", "etcdserverpb.ResponseHeader.raft_term":
			m.Clear(f)
		}
	})
	switch r := response.(type) {
	case *pb.RangeResponse:
		normalTies(request.(*pb.RangeRequest), r)
	case *pb.TxnResponse:
		normalTxn(request.(*pb.TxnRequest), r)
	case *pb.LeaseLeasesResponse:
		slices.SortFunc(r.Leases, func(a, b *pb.LeaseStatus) int { return cmp.Compare(a.ID, b.ID) })
	case *pb.LeaseTimeToLiveResponse:
		slices.SortFunc(r.Keys, bytes.Compare)
		if passed := r.GrantedTTL - r.TTL; passed >= 0 && passed < 10 {
			r.TTL = r.GrantedTTL
		}
	}
}

// normalTxn is normalKV for the responses in that of a transaction.
func normalTxn(request *pb.TxnRequest, response *pb.TxnResponse) {
	eachOperation(request, response, func(op *pb.RequestOp, r *pb.ResponseOp) {
		if op.GetRequestRange() != nil && r.GetResponseRange() != nil {
			normalTies(op.GetRequestRange(), r.GetResponseRange())
		}
	})
}

// eachOperation calls f for all operations that a transaction has executed, except for the transactions in it, and for theirs.
func eachOperation(request *pb.TxnRequest, response *pb.TxnResponse, f func(*pb.RequestOp, *pb.ResponseOp)) {
	ops := request.Failure
	if response.Succeeded {
		ops = request.Success
	}
	for i, r := range response.Responses {
		if i >= len(ops) {
			return
		}
		if nested := r.GetResponseTxn(); nested != nil && ops[i].GetRequestTxn() != nil {
			eachOperation(ops[i].GetRequestTxn(), nested, f)
			continue
		}
		f(ops[i], r)
	}
}

// stableSort is the number of keys up to which etcd keeps the order of keys that are equal in what it sorts by.
const stableSort = 12

// normalTies removes the order of keys that are equal in what they are sorted by, if etcd has no order for them. If the limit chooses among
// such keys, it removes the keys and leaves what they are sorted by.
func normalTies(request *pb.RangeRequest, response *pb.RangeResponse) {
	if request.SortTarget == pb.RangeRequest_KEY || response.Count <= stableSort {
		return
	}
	field := map[pb.RangeRequest_SortTarget]func(a *mvccpb.KeyValue) *mvccpb.KeyValue{
		pb.RangeRequest_VERSION: func(a *mvccpb.KeyValue) *mvccpb.KeyValue { return &mvccpb.KeyValue{Version: a.Version} },
		pb.RangeRequest_CREATE:  func(a *mvccpb.KeyValue) *mvccpb.KeyValue { return &mvccpb.KeyValue{CreateRevision: a.CreateRevision} },
		pb.RangeRequest_MOD:     func(a *mvccpb.KeyValue) *mvccpb.KeyValue { return &mvccpb.KeyValue{ModRevision: a.ModRevision} },
		pb.RangeRequest_VALUE:   func(a *mvccpb.KeyValue) *mvccpb.KeyValue { return &mvccpb.KeyValue{Value: a.Value} },
	}[request.SortTarget]
	if field == nil {
		return
	}
	if request.Limit > 0 {
		for i, kv := range response.Kvs {
			response.Kvs[i] = field(kv)
		}
		return
	}
	for begin, end := 0, 0; begin < len(response.Kvs); begin = end {
		for end = begin + 1; end < len(response.Kvs) && proto.Equal(field(response.Kvs[begin]), field(response.Kvs[end])); end++ {
		}
		slices.SortFunc(response.Kvs[begin:end], func(a, b *mvccpb.KeyValue) int { return bytes.Compare(a.Key, b.Key) })
	}
}
