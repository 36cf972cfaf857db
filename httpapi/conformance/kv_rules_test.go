package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/status"
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
		// etcd 3.4 looks for the key before the lease if a put is in a transaction. Pando and etcd 3.7 look for the lease first.
		name: "lease or key missing in a transaction", version: "3.4",
		explains: func(request, _, _ proto.Message, etcdErr, pandoErr error) bool {
			_, txn := request.(*pb.TxnRequest)
			return txn && message(etcdErr) == "etcdserver: key not found" && message(pandoErr) == "etcdserver: requested lease not found"
		},
	},
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
