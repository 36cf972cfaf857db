package raft

import (
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"

	"pando/tree"
)

// The model that histories are checked against. A key is a register; a directory
// of keys in order is a list. Both are small: clients turn to a new key after a
// while, so that the search stays short.
//
// An operation whose fate is unknown may have happened at any time after its
// call: it returns at the end of time, and whatever follows it in the order then
// is after everything that anybody saw, so "never" is among the possibilities.

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
	prev string // what a swap or a deletion compares with
	val  string
}

type linearOutput struct {
	unknown bool
	code    tree.Code // of a failed command; zero for success
	val     string    // what a read found, "" for nothing; a list's values with a comma behind each
	index   uint64    // of the change, or of what was read
}

// linearState is a register's value and the index of its last change, or a list's
// values and the index of the last one. An index of zero is unknown.
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
		// A read finds out what an unknown write left open.
		return true, linearState{s.val, max(s.index, out.index)}
	}
	return false, s
}

// change goes on to the next state, if the change's index may follow.
func (s linearState) change(out linearOutput, next linearState) (bool, any) {
	if out.unknown {
		return true, next
	}
	next.index = out.index
	if next.val == "" {
		next.index = 0 // nothing is there that could show it
	}
	return out.code == 0 && out.index > s.index, next
}

// listed is the list as the model writes it.
func listed(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return strings.Join(values, ",") + ","
}
