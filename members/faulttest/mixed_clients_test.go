package faulttest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"pando/members/servertest"
)

// mixedMember has the clients of one member. Any goroutine may use it.
type mixedMember struct {
	v2    *servertest.KeyClient
	kv    pb.KVClient
	watch pb.WatchClient
	lease pb.LeaseClient

	cluster     pb.ClusterClient
	maintenance pb.MaintenanceClient
}

// newMixedMember returns clients of the member at an address. Requests to a member that is down fail at once.
func newMixedMember(t *testing.T, base string) *mixedMember {
	t.Helper()
	at, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	quick := grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, MaxDelay: 200 * time.Millisecond},
		MinConnectTimeout: time.Second,
	}
	plain := grpc.WithTransportCredentials(insecure.NewCredentials())
	conn, err := grpc.NewClient("passthrough:///"+at.Host, plain, grpc.WithConnectParams(quick))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	m := &mixedMember{
		v2: servertest.NewKeyClient(t, base), kv: pb.NewKVClient(conn), watch: pb.NewWatchClient(conn), lease: pb.NewLeaseClient(conn),
		cluster: pb.NewClusterClient(conn), maintenance: pb.NewMaintenanceClient(conn),
	}
	m.v2.HTTP.Timeout = writerTimeout
	return m
}

// mixedPrefix begins all keys of the test.
const mixedPrefix = "/m/"

// keyOf returns a key of an object.
func (in mixedInput) keyOf(slot int) string {
	return fmt.Sprintf("%s%s/%d", mixedPrefix, in.object, slot)
}

// do executes an operation. It returns false if a read got no answer, or if a write had no connection.
func (m *mixedMember) do(in mixedInput) (out mixedOutput, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), writerTimeout)
	defer cancel()
	switch {
	case in.v2 && in.op == mixedGet:
		return m.getV2(in)
	case in.v2:
		return m.writeV2(in)
	case in.op == mixedGet:
		return m.getV3(ctx, in)
	}
	return m.writeV3(ctx, in)
}

func (m *mixedMember) getV2(in mixedInput) (out mixedOutput, ok bool) {
	answer, err := m.v2.Do(http.MethodGet, mixedPrefix+in.object+"?quorum=true&recursive=true", nil)
	if err != nil || answer.ErrorCode != 0 && answer.ErrorCode != 100 {
		return out, false
	}
	if answer.Node != nil {
		files := map[string]servertest.KeyNode{}
		answer.Node.Files(files)
		for slot := range out.val {
			out.val[slot] = files[in.keyOf(slot)].Value
			out.index = max(out.index, files[in.keyOf(slot)].ModifiedIndex)
		}
	}
	return out, true
}

// failed returns the outcome of a write without an answer: it may have happened, unless there was no connection for it.
func failed(err error) (out mixedOutput, ok bool) {
	return mixedOutput{unknown: true}, !strings.Contains(err.Error(), "connect: connection refused")
}

func (m *mixedMember) writeV2(in mixedInput) (out mixedOutput, ok bool) {
	method, key, form := http.MethodPut, in.keyOf(in.slot), servertest.Form("value", in.val[in.slot])
	switch in.op {
	case mixedSwap:
		form.Set("prevValue", in.prev[in.slot])
	case mixedDelete:
		method, form = http.MethodDelete, nil
	case mixedDeleteIf:
		method, form, key = http.MethodDelete, nil, key+"?prevValue="+in.prev[in.slot]
	}
	answer, err := m.v2.Do(method, key, form)
	switch {
	case err != nil:
		return failed(err)
	case answer.ErrorCode == 100, answer.ErrorCode == 101:
		return mixedOutput{refused: true}, true
	case answer.Node == nil:
		return mixedOutput{unknown: true}, true
	}
	return mixedOutput{index: answer.Node.ModifiedIndex}, true
}

func (m *mixedMember) getV3(ctx context.Context, in mixedInput) (out mixedOutput, ok bool) {
	r, err := m.kv.Range(ctx, &pb.RangeRequest{Key: []byte(in.keyOf(0)), RangeEnd: []byte(in.keyOf(2))})
	if err != nil {
		return out, false
	}
	out.revision = uint64(r.Header.Revision)
	for _, kv := range r.Kvs {
		for slot := range out.val {
			if string(kv.Key) == in.keyOf(slot) {
				out.val[slot] = string(kv.Value)
			}
		}
	}
	return out, true
}

func (m *mixedMember) writeV3(ctx context.Context, in mixedInput) (out mixedOutput, ok bool) {
	key, value := []byte(in.keyOf(in.slot)), []byte(in.val[in.slot])
	switch in.op {
	case mixedPut:
		r, err := m.kv.Put(ctx, &pb.PutRequest{Key: key, Value: value})
		return written(r, err, true)
	case mixedDelete:
		r, err := m.kv.DeleteRange(ctx, &pb.DeleteRangeRequest{Key: key})
		return written(r, err, r.GetDeleted() > 0)
	}
	txn := &pb.TxnRequest{}
	for slot := range in.val {
		if in.op != mixedPutAll && slot != in.slot {
			continue
		}
		key := []byte(in.keyOf(slot))
		txn.Compare = append(txn.Compare, hasValue(key, in.prev[slot]))
		op := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: []byte(in.val[slot])}}}
		if in.op == mixedDeleteIf {
			op = &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: key}}}
		}
		txn.Success = append(txn.Success, op)
	}
	r, err := m.kv.Txn(ctx, txn)
	return written(r, err, r.GetSucceeded())
}

// hasValue returns the compare that a key has a value; the value "" means that there is no such key.
func hasValue(key []byte, value string) *pb.Compare {
	if value == "" {
		return &pb.Compare{Key: key, Target: pb.Compare_CREATE, TargetUnion: &pb.Compare_CreateRevision{}}
	}
	return &pb.Compare{Key: key, Target: pb.Compare_VALUE, TargetUnion: &pb.Compare_Value{Value: []byte(value)}}
}

// written returns the outcome of a write through the v3 API.
func written(r interface{ GetHeader() *pb.ResponseHeader }, err error, effective bool) (out mixedOutput, ok bool) {
	if err != nil {
		return failed(err)
	}
	return mixedOutput{refused: !effective, revision: uint64(r.GetHeader().GetRevision())}, true
}

// mixedClients are clients of v2 and of v3 that change the same keys, and the history of what they did.
type mixedClients struct {
	members []*mixedMember
	start   time.Time

	mu      sync.Mutex // guards all below
	ops     []porcupine.Operation
	touched [2]int         // the number of operations on single keys and on pairs
	open    map[string]int // unknown outcomes by object
}

const (
	opsPerObject = 60 // after them the clients use another object, so that the search stays short
	maxOpen      = 4  // unknown outcomes of an object: each doubles the search
	mixedObjects = 3  // single keys in use
	mixedPause   = time.Millisecond
)

// run executes random operations until ctx is done.
func (c *mixedClients) run(ctx context.Context, id int, random *rand.Rand) {
	known := map[string][2]string{} // by object: the last values that this client saw
	for n := 0; ctx.Err() == nil; n++ {
		in := c.choose(random, fmt.Sprintf("%d.%d", id, n))
		in.prev = known[in.object]
		if in.prev[in.slot] == "" && (in.op == mixedSwap || in.op == mixedDeleteIf) {
			in.op = mixedGet
		}
		if in.op == mixedDelete || in.op == mixedDeleteIf || in.op == mixedGet {
			in.val = [2]string{}
		}
		out, ok := c.do(id, c.members[random.IntN(len(c.members))], in)
		values := known[in.object]
		switch {
		case !ok || out.unknown:
		case in.op == mixedGet:
			values = out.val
		case !out.refused && in.op == mixedPutAll:
			values = in.val
		case !out.refused:
			values[in.slot] = in.val[in.slot]
		}
		known[in.object] = values
		<-time.After(mixedPause)
	}
}

// choose returns the next operation: on one of a few keys, or on the pair.
func (c *mixedClients) choose(random *rand.Rand, value string) mixedInput {
	c.mu.Lock()
	defer c.mu.Unlock()
	in := mixedInput{op: mixedOp(random.IntN(int(mixedOps))), v2: random.IntN(2) == 0, val: [2]string{value + "a", value + "b"}}
	if in.op == mixedPutAll || random.IntN(4) == 0 {
		c.touched[1]++
		in.object, in.slot = fmt.Sprintf("pair%d", c.touched[1]/opsPerObject), random.IntN(2)
		in.v2 = in.v2 && in.op != mixedPutAll
		return in
	}
	c.touched[0]++
	in.object = fmt.Sprintf("key%d-%d", random.IntN(mixedObjects), c.touched[0]/(opsPerObject*mixedObjects))
	return in
}

// do executes an operation and records it. A read that failed is not recorded, nor is a write that was not sent.
func (c *mixedClients) do(id int, m *mixedMember, in mixedInput) (mixedOutput, bool) {
	call := time.Since(c.start)
	out, ok := m.do(in)
	end := int64(time.Since(c.start))
	if !ok {
		return out, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if out.unknown {
		end = math.MaxInt64
		if c.open[in.object]++; c.open[in.object] == maxOpen {
			c.touched[0] += opsPerObject * mixedObjects
			c.touched[1] += opsPerObject
		}
	}
	c.ops = append(c.ops, porcupine.Operation{ClientId: id, Input: in, Output: out, Call: int64(call), Return: end})
	return out, true
}

// readAll reads every object at the end, which shows whether the unknown writes have happened.
func (c *mixedClients) readAll(t *testing.T) {
	objects := map[string]bool{}
	for _, op := range c.ops {
		objects[op.Input.(mixedInput).object] = true
	}
	n := 0
	for object := range objects {
		n++
		servertest.Await(t, "a read of "+object, func() bool {
			_, ok := c.do(0, c.members[n%len(c.members)], mixedInput{op: mixedGet, v2: n%2 == 0, object: object})
			return ok
		})
	}
}

// check fails the test if the history is not linearizable.
func (c *mixedClients) check(t *testing.T) {
	began, unknown := time.Now(), 0
	for _, op := range c.ops {
		if op.Output.(mixedOutput).unknown {
			unknown++
		}
	}
	result := porcupine.CheckOperationsTimeout(mixedModel(), c.ops, 2*time.Minute)
	t.Logf("%d operations, %d of them with an unknown outcome: %s, found in %v", len(c.ops), unknown, result, time.Since(began))
	if result == porcupine.Illegal {
		t.Error("the history is not linearizable")
		for _, part := range mixedModel().Partition(c.ops) {
			if !porcupine.CheckOperations(mixedModel(), part) {
				for _, op := range part {
					t.Logf("%d-%d client %d: %+v: %+v", op.Call, op.Return, op.ClientId, op.Input, op.Output)
				}
				return
			}
		}
	}
}
