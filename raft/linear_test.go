package raft

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"pando/tree"
)

// TestLinearizable has clients put, swap, delete, post and make quorum reads on all members, while members are
// killed, paused and cut off, and links lose and reorder messages. A single tree must be able to give all answers.
func TestLinearizable(t *testing.T) {
	t.Parallel()
	for _, size := range []int{3, 5} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			c := newCluster(t, size, func(cfg *Config) {
				smallLog(cfg)
				cfg.Timeout = time.Second
			})
			random := newRandom(t)
			h := &linearHistory{c: c, start: time.Now(), stop: make(chan struct{}), open: map[string]int{}}
			for i := range 6 {
				own := rand.New(rand.NewPCG(random.Uint64(), 1))
				h.group.Go(func() { h.client(i, own) })
			}
			faults := c.randomFaults(random, time.Now().Add(*faultTime/2))
			close(h.stop)
			h.group.Wait()
			c.settle()
			t.Logf("faults: %v; all repaired %v after the start", faults, time.Since(h.start))
			h.readAll(c.members[0])
			h.check(t)
		})
	}
}

// linearHistory is the operations of the clients with their outcomes.
type linearHistory struct {
	c     *cluster
	start time.Time
	stop  chan struct{}
	group sync.WaitGroup

	mu  sync.Mutex
	ops []porcupine.Operation
	// posted and touched count the operations after which new keys are used.
	posted, touched int
	open            map[string]int // unknown outcomes by key
}

const (
	opsPerKey  = 60
	opsPerList = 30
	registers  = 3 // in use at a time
	maxOpen    = 4 // unknown outcomes: each doubles the search
)

func (h *linearHistory) client(id int, random *rand.Rand) {
	known := map[string]string{} // by key: the last value that this client saw
	for n := 0; !closed(h.stop); n++ {
		r := h.c.members[random.IntN(len(h.c.members))]
		node := r.up.Load()
		if node == nil {
			<-time.After(time.Millisecond)
			continue
		}
		in := h.choose(random, fmt.Sprintf("%d.%d", id, n))
		in.prev = known[in.key]
		if in.prev == "" && (in.op == linearSwap || in.op == linearDelete) {
			in.op = linearGet
		}
		if out, ok := h.do(id, node, in); ok {
			known[in.key] = out.val
			if out.val == "" && out.code == 0 && !out.unknown && in.op != linearDelete {
				known[in.key] = in.val
			}
		}
	}
}

// choose returns the next operation: on one of a few registers, or on the list.
func (h *linearHistory) choose(random *rand.Rand, value string) linearInput {
	h.mu.Lock()
	defer h.mu.Unlock()
	in := linearInput{op: linearOp(random.IntN(int(linearList) + 1)), val: value}
	if in.op >= linearPost {
		h.posted++
		in.key = fmt.Sprintf("/list/%d", h.posted/opsPerList)
		return in
	}
	h.touched++
	in.key = fmt.Sprintf("/register/%d/%d", random.IntN(registers), h.touched/(opsPerKey*registers))
	return in
}

// nextKey makes the clients use new keys in place of that of an operation.
func (h *linearHistory) nextKey(from linearInput) {
	if from.op >= linearPost {
		h.posted += opsPerList
	} else {
		h.touched += opsPerKey * registers
	}
}

// readAll reads every key at the end, which shows whether the unknown writes have happened, each at most once.
func (h *linearHistory) readAll(r *replica) {
	keys := map[string]linearOp{}
	for _, op := range h.ops {
		in := op.Input.(linearInput)
		keys[in.key] = linearGet
		if in.op >= linearPost {
			keys[in.key] = linearList
		}
	}
	for key, op := range keys {
		h.c.await("a read of "+key+" after the faults were repaired", func() bool {
			_, ok := h.do(0, r.node(), linearInput{op: op, key: key})
			return ok
		})
	}
}

// do makes an operation and records it. A failed read is not recorded.
func (h *linearHistory) do(client int, node *Node, in linearInput) (linearOutput, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	call := time.Since(h.start)
	out, ok := perform(ctx, node, in)
	end := int64(time.Since(h.start))
	if out.unknown {
		end = math.MaxInt64
	}
	if !ok {
		return out, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if out.unknown {
		if h.open[in.key]++; h.open[in.key] == maxOpen {
			h.nextKey(in)
		}
	}
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: int64(call), Return: end})
	return out, true
}

func perform(ctx context.Context, node *Node, in linearInput) (linearOutput, bool) {
	command := tree.Command{Path: in.key, Value: in.val}
	switch in.op {
	case linearGet, linearList:
		return query(ctx, node, in)
	case linearPut:
		command.Op = tree.OpSet
	case linearSwap:
		command.Op, command.PrevValue = tree.OpCompareAndSwap, in.prev
	case linearDelete:
		command.Op, command.PrevValue, command.Value = tree.OpCompareAndDelete, in.prev, ""
	case linearPost:
		command.Op = tree.OpCreateInOrder
	}
	event, err := node.Propose(ctx, &command)
	var refused *tree.Error
	switch {
	case err == nil:
		return linearOutput{index: event.Index()}, true
	case errors.As(err, &refused) && refused.Code < tree.CodeRaftInternal:
		return linearOutput{code: refused.Code}, true
	}
	return linearOutput{unknown: true}, true
}

func query(ctx context.Context, node *Node, in linearInput) (linearOutput, bool) {
	if err := node.Barrier(ctx); err != nil {
		return linearOutput{}, false
	}
	view := node.Tree().View()
	n := view.Lookup(in.key)
	switch {
	case n == nil:
		return linearOutput{}, true
	case in.op == linearGet:
		return linearOutput{val: n.Value(), index: n.ModifiedIndex()}, true
	}
	return linearOutput{val: listed(valuesBelow(n))}, true
}

func (h *linearHistory) check(t *testing.T) {
	began := time.Now()
	result, info := porcupine.CheckOperationsVerbose(linearModel(), h.ops, time.Minute)
	unknown := 0
	for _, op := range h.ops {
		if op.Output.(linearOutput).unknown {
			unknown++
		}
	}
	t.Logf("%d operations, %d of them with an unknown outcome: %s, found in %v", len(h.ops), unknown, result, time.Since(began))
	if result == porcupine.Ok {
		return
	}
	t.Errorf("the history is not linearizable: %s", result)
	if *linearPicture != "" {
		if err := porcupine.VisualizePath(linearModel(), info, *linearPicture); err != nil {
			t.Error(err)
		}
	}
}

// TestLinearModel checks that the model refuses histories that are not linearizable.
func TestLinearModel(t *testing.T) {
	const forever = math.MaxInt64
	put := func(v string, call, end int64, out linearOutput) porcupine.Operation {
		return porcupine.Operation{Input: linearInput{op: linearPut, key: "k", val: v}, Output: out, Call: call, Return: end}
	}
	get := func(v string, index uint64, call, end int64) porcupine.Operation {
		return porcupine.Operation{
			Input: linearInput{op: linearGet, key: "k"}, Output: linearOutput{val: v, index: index}, Call: call, Return: end,
		}
	}
	swap := func(prev, v string, call, end int64, out linearOutput) porcupine.Operation {
		return porcupine.Operation{Input: linearInput{op: linearSwap, key: "k", prev: prev, val: v}, Output: out, Call: call, Return: end}
	}
	post := func(v string, call, end int64, out linearOutput) porcupine.Operation {
		return porcupine.Operation{Input: linearInput{op: linearPost, key: "l", val: v}, Output: out, Call: call, Return: end}
	}
	list := func(v string, call, end int64) porcupine.Operation {
		return porcupine.Operation{Input: linearInput{op: linearList, key: "l"}, Output: linearOutput{val: v}, Call: call, Return: end}
	}
	at := func(index uint64) linearOutput { return linearOutput{index: index} }
	failed, unknown := linearOutput{code: tree.CodeCompareFailed}, linearOutput{unknown: true}
	for name, test := range map[string]struct {
		ops  []porcupine.Operation
		want bool
	}{
		"read what was put":      {[]porcupine.Operation{put("a", 0, 1, at(2)), get("a", 2, 2, 3)}, true},
		"stale read":             {[]porcupine.Operation{put("a", 0, 1, at(2)), put("b", 2, 3, at(3)), get("a", 2, 4, 5)}, false},
		"lost write":             {[]porcupine.Operation{put("a", 0, 1, at(2)), get("", 0, 2, 3)}, false},
		"read beside a put":      {[]porcupine.Operation{put("a", 0, 5, at(2)), get("", 0, 1, 2), get("a", 2, 3, 4)}, true},
		"read goes back":         {[]porcupine.Operation{put("a", 0, 5, at(2)), get("a", 2, 1, 2), get("", 0, 3, 4)}, false},
		"unknown that happened":  {[]porcupine.Operation{put("a", 0, forever, unknown), get("a", 2, 2, 3)}, true},
		"unknown that did not":   {[]porcupine.Operation{put("a", 0, forever, unknown), get("", 0, 2, 3)}, true},
		"unknown that came late": {[]porcupine.Operation{put("a", 0, forever, unknown), get("", 0, 2, 3), get("a", 2, 4, 5)}, true},
		"unknown that vanished":  {[]porcupine.Operation{put("a", 0, forever, unknown), get("a", 2, 2, 3), get("", 0, 4, 5)}, false},
		"unknown that came twice": {[]porcupine.Operation{
			put("a", 0, forever, unknown), get("a", 2, 2, 3), put("b", 4, 5, at(3)), get("a", 4, 6, 7),
		}, false},
		"indexes go back": {[]porcupine.Operation{put("a", 0, 1, at(5)), put("b", 2, 3, at(4))}, false},
		"two swaps of one value": {[]porcupine.Operation{
			put("a", 0, 1, at(2)), swap("a", "b", 2, 5, at(3)), swap("a", "c", 2, 5, at(4)),
		}, false},
		"a swap and a failed one": {[]porcupine.Operation{
			put("a", 0, 1, at(2)), swap("a", "b", 2, 5, at(3)), swap("a", "c", 2, 5, failed),
		}, true},
		"a swap failed without a reason": {[]porcupine.Operation{put("a", 0, 1, at(2)), swap("a", "b", 2, 5, failed)}, false},
		"a list in order":                {[]porcupine.Operation{post("a", 0, 1, at(2)), post("b", 2, 3, at(3)), list("a,b,", 4, 5)}, true},
		"a list twice":                   {[]porcupine.Operation{post("a", 0, forever, unknown), list("a,a,", 4, 5)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := porcupine.CheckOperations(linearModel(), test.ops); got != test.want {
				t.Errorf("linearizable: %v, want %v", got, test.want)
			}
		})
	}
}
