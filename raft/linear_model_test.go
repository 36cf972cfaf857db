package raft

import (
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"

	"pando/tree"
)

// The model that histories are checked against. A key is a register; a directory of keys in order is a list. Both are
// small: clients use a new key after a while, so that the search stays short.
//
// An operation whose outcome is unknown may have happened at any time after its call. In the history it returns at the end
// of time. An order in which it comes after everything that a client saw means that it never happened.

type linearOp uint8

const (
	linearPut linearOp = iota
	linearSwap
	linearDelete
	linearGet
	linearPost
	linearList
)

type linearInput struct {
	op   linearOp
	key  string
	prev string // the value that a swap or a deletion compares with
	val  string
}

type linearOutput struct {
	unknown bool
	code    tree.Code // of a failed command; zero for success
	val     string    // the value that a read found, "" for none; a list's values with a comma after each
	index   uint64    // of the change, or of the node that was read
}

// linearState is the value of a register and the index of its last change, or the values of a list and the index of the
// last one. An index of zero is unknown.
type linearState struct {
	val   string
	index uint64
}

func linearModel() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byKey := map[string][]porcupine.Operation{}
			for _, op := range history {
				key := op.Input.(linearInput).key
				byKey[key] = append(byKey[key], op)
			}
			var parts [][]porcupine.Operation
			for _, part := range byKey {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() any { return linearState{} },
		Step: func(state, input, output any) (bool, any) {
			return state.(linearState).step(input.(linearInput), output.(linearOutput))
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v %+v", input, output) },
	}
}

func (s linearState) step(in linearInput, out linearOutput) (bool, any) {
	switch in.op {
	case linearPut:
		return s.change(out, linearState{val: in.val})
	case linearPost:
		return s.change(out, linearState{val: s.val + in.val + ","})
	case linearSwap, linearDelete:
		want := tree.Code(0)
		switch s.val {
		case "":
			want = tree.CodeKeyNotFound
		case in.prev:
		default:
			want = tree.CodeCompareFailed
		}
		if want != 0 {
			return out.unknown || out.code == want, s
		}
		if in.op == linearDelete {
			return s.change(out, linearState{})
		}
		return s.change(out, linearState{val: in.val})
	case linearGet, linearList:
		if out.val != s.val || s.index != 0 && out.index != 0 && s.index != out.index {
			return false, s
		}
		// A read shows whether an unknown write has happened.
		return true, linearState{s.val, max(s.index, out.index)}
	}
	return false, s
}

// change returns the next state, if the change's index is possible.
func (s linearState) change(out linearOutput, next linearState) (bool, any) {
	if out.unknown {
		return true, next
	}
	next.index = out.index
	if next.val == "" {
		next.index = 0 // no node has it
	}
	return out.code == 0 && out.index > s.index, next
}

// listed returns the list in the form of the model.
func listed(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return strings.Join(values, ",") + ","
}
