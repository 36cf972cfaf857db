package faulttest

import (
	"fmt"
	"testing"

	"github.com/anishathalye/porcupine"
)

// The model of the keys that clients of v2 and of v3 change at the same time. An object is one key, or a pair of keys that transactions of
// v3 read and write together. All values are different, so each value identifies its write.
//
// A write whose outcome is unknown may have happened at any time after its call. In the history it returns after all other operations. An
// order in which it comes after everything that a client read means that it never happened.

type mixedOp uint8

const (
	mixedPut      mixedOp = iota // of one key
	mixedSwap                    // of one key, if it has the value prev
	mixedDelete                  // of one key
	mixedDeleteIf                // of one key, if it has the value prev
	mixedGet                     // of all keys of the object
	mixedPutAll                  // of both keys, if both have the values prev
	mixedOps
)

type mixedInput struct {
	op     mixedOp
	v2     bool // sent to the v2 API
	object string
	slot   int       // the key within the object
	prev   [2]string // the values that the operation compares with; only that of slot, except for mixedPutAll
	val    [2]string // the new values
}

// mixedOutput is an outcome. revision and index are those of the change, or of the state that was read; each is zero if the API does not
// show it.
type mixedOutput struct {
	unknown  bool
	refused  bool      // the condition of a write was not fulfilled, or a key to delete did not exist
	val      [2]string // what mixedGet has read; "" for no key
	revision uint64
	index    uint64
}

// mixedState is the content of an object, with the last revision and index at which a client saw it.
type mixedState struct {
	val      [2]string
	revision uint64
	index    uint64
}

func mixedModel() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
			byObject := map[string][]porcupine.Operation{}
			for _, op := range history {
				object := op.Input.(mixedInput).object
				byObject[object] = append(byObject[object], op)
			}
			for _, part := range byObject {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() any { return mixedState{} },
		Step: func(state, input, output any) (bool, any) {
			return state.(mixedState).step(input.(mixedInput), output.(mixedOutput))
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v %+v", input, output) },
	}
}

// step returns whether the outcome is possible in this state, and the next state.
func (s mixedState) step(in mixedInput, out mixedOutput) (bool, any) {
	if in.op == mixedGet {
		return out.val == s.val && s.admits(out, false), s.seen(out)
	}
	next, effective := s.after(in)
	if out.unknown {
		return true, next
	}
	if out.refused == effective {
		return false, s
	}
	return s.admits(out, effective), next.seen(out)
}

// after returns the state after a write, and whether the write changes anything.
func (s mixedState) after(in mixedInput) (next mixedState, effective bool) {
	next = s
	switch in.op {
	case mixedPutAll:
		if s.val != in.prev {
			return s, false
		}
		next.val = in.val
		return next, true
	case mixedSwap, mixedDeleteIf:
		if s.val[in.slot] != in.prev[in.slot] {
			return s, false
		}
	case mixedDelete:
		if s.val[in.slot] == "" {
			return s, false
		}
	}
	next.val[in.slot] = in.val[in.slot]
	return next, true
}

// admits reports whether an outcome comes after all earlier outcomes of the object. A change has greater numbers than all before. A
// response of v3 to a read has the revision of the whole tree, and one of v2 the index of a file, which may be older than another change.
func (s mixedState) admits(out mixedOutput, change bool) bool {
	if !change {
		return out.revision == 0 || out.revision >= s.revision
	}
	return (out.revision == 0 || out.revision > s.revision) && (out.index == 0 || out.index > s.index)
}

func (s mixedState) seen(out mixedOutput) mixedState {
	s.revision, s.index = max(s.revision, out.revision), max(s.index, out.index)
	return s
}

// TestMixedModel checks that the model refuses histories that are not linearizable.
func TestMixedModel(t *testing.T) {
	const forever = 1 << 62
	one := func(val string) [2]string { return [2]string{val} }
	op := func(call, end int64, in mixedInput, out mixedOutput) porcupine.Operation {
		return porcupine.Operation{Input: in, Output: out, Call: call, Return: end}
	}
	put := func(val string, call, end int64, out mixedOutput) porcupine.Operation {
		return op(call, end, mixedInput{op: mixedPut, val: one(val)}, out)
	}
	get := func(val string, call, end int64) porcupine.Operation {
		return op(call, end, mixedInput{op: mixedGet}, mixedOutput{val: one(val)})
	}
	swap := func(prev, val string, call, end int64, out mixedOutput) porcupine.Operation {
		return op(call, end, mixedInput{op: mixedSwap, prev: one(prev), val: one(val)}, out)
	}
	at := func(revision uint64) mixedOutput { return mixedOutput{revision: revision} }
	done, refused, unknown := mixedOutput{}, mixedOutput{refused: true}, mixedOutput{unknown: true}
	pair := mixedInput{op: mixedPutAll, val: [2]string{"a", "b"}}
	for name, test := range map[string]struct {
		ops  []porcupine.Operation
		want bool
	}{
		"read what was put":     {[]porcupine.Operation{put("a", 0, 1, done), get("a", 2, 3)}, true},
		"stale read":            {[]porcupine.Operation{put("a", 0, 1, done), put("b", 2, 3, done), get("a", 4, 5)}, false},
		"unknown that did not":  {[]porcupine.Operation{put("a", 0, forever, unknown), get("", 2, 3)}, true},
		"unknown that vanished": {[]porcupine.Operation{put("a", 0, forever, unknown), get("a", 2, 3), get("", 4, 5)}, false},
		"both swaps win": {[]porcupine.Operation{
			put("a", 0, 1, done), swap("a", "b", 2, 5, done), swap("a", "c", 2, 5, done),
		}, false},
		"one swap wins": {[]porcupine.Operation{
			put("a", 0, 1, done), swap("a", "b", 2, 5, done), swap("a", "c", 2, 5, refused),
		}, true},
		"refused without a reason":   {[]porcupine.Operation{put("a", 0, 1, done), swap("a", "b", 2, 5, refused)}, false},
		"revisions go back":          {[]porcupine.Operation{put("a", 0, 1, at(5)), put("b", 2, 3, at(4))}, false},
		"two changes of a revision":  {[]porcupine.Operation{put("a", 0, 1, at(5)), put("b", 0, 3, at(5))}, false},
		"half of a pair was written": {[]porcupine.Operation{op(0, 1, pair, done), get("a", 2, 3)}, false},
		"deleted twice": {[]porcupine.Operation{
			put("a", 0, 1, done), op(2, 5, mixedInput{op: mixedDelete}, done), op(2, 5, mixedInput{op: mixedDelete}, done),
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := porcupine.CheckOperations(mixedModel(), test.ops); got != test.want {
				t.Errorf("linearizable: %v, want %v", got, test.want)
			}
		})
	}
}
