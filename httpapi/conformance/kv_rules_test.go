package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// kvRule is a difference between Pando and a version of etcd that is meant.
type kvRule struct {
	name    string
	version string // of etcd; empty: all
	// explains reports whether the rule is the reason of a difference. The responses or the errors are nil.
	explains func(request, etcd, pando proto.Message, etcdErr, pandoErr error) bool
}

// kvRules are the deliberate differences.
var kvRules = []kvRule{
	{
		// etcd 3.4 checks all puts of a transaction before its ranges, and in a put the key before the lease. Pando and etcd 3.7 check the
		// operations in their order, and the lease first.
		name: "order of the checks of a transaction", version: "3.4",
		explains: func(request, _, _ proto.Message, etcdErr, pandoErr error) bool {
			checks := []string{
				"etcdserver: key not found", "etcdserver: requested lease not found", "etcdserver: mvcc: required revision has been compacted",
				"etcdserver: mvcc: required revision is a future revision",
			}
			_, txn := request.(*pb.TxnRequest)
			return txn && slices.Contains(checks[:2], message(etcdErr)) && slices.Contains(checks, message(pandoErr))
		},
	},
	{
		// With keys_only etcd 3.4 shows the lease. Pando and etcd 3.7 don't, except in an order by values.
		name: "lease with keys_only", version: "3.4",
		explains: func(request, etcd, pando proto.Message, _, _ error) bool {
			if etcd == nil || pando == nil {
				return false
			}
			without := proto.Clone(etcd)
			clearLeases(request, without)
			return proto.Equal(without, pando)
		},
	},
}

// clearLeases removes the leases of the files that Pando shows without a lease.
func clearLeases(request, response proto.Message) {
	switch request := request.(type) {
	case *pb.RangeRequest:
		for _, kv := range response.(*pb.RangeResponse).Kvs {
			if request.KeysOnly && request.SortTarget != pb.RangeRequest_VALUE {
				kv.Lease = 0
			}
		}
	case *pb.TxnRequest:
		response := response.(*pb.TxnResponse)
		eachOperation(request, response, func(op *pb.RequestOp, r *pb.ResponseOp) {
			if op.GetRequestRange() != nil && r.GetResponseRange() != nil {
				clearLeases(op.GetRequestRange(), r.GetResponseRange())
			}
		})
	}
}

// omitted reports whether etcd may omit a line of a watch. Version 3.4 loses a deletion at the revision of a compaction.
func (p *kvPair) omitted(line string) bool {
	if p.version != "3.4" || !strings.HasPrefix(line, "type:DELETE") {
		return false
	}
	var event mvccpb.Event
	if err := prototext.Unmarshal([]byte(line), &event); err != nil || !slices.Contains(p.compacted, event.Kv.ModRevision) {
		return false
	}
	p.fired = append(p.fired, "deletion at the compact revision")
	return true
}

// message returns the text of an error of gRPC.
func message(err error) string { return status.Convert(err).Message() }

// explained reports whether a rule is the reason of a difference, and writes down which.
func (p *kvPair) explained(request, etcd, pando proto.Message, etcdErr, pandoErr error) bool {
	for _, r := range kvRules {
		if (r.version == "" || r.version == p.version) && r.explains(request, etcd, pando, etcdErr, pandoErr) {
			p.fired = append(p.fired, r.name)
			return true
		}
	}
	return false
}

// kvRuleCounts counts how often each rule was used.
type kvRuleCounts struct {
	mu    sync.Mutex
	times map[string]int
}

func (c *kvRuleCounts) add(names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.times == nil {
		c.times = map[string]int{}
	}
	for _, name := range names {
		c.times[name]++
	}
}

func (c *kvRuleCounts) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []string
	for _, name := range slices.Sorted(maps.Keys(c.times)) {
		list = append(list, fmt.Sprintf("%s: %d", name, c.times[name]))
	}
	return strings.Join(list, ", ")
}
