package raft

import (
	"fmt"
	"testing"

	"pando/tree"
)

func TestChangesOf(t *testing.T) {
	s := tree.New(1)
	s.StartRevisions()
	commands := []tree.Command{{Op: tree.OpLeaseGrant, Lease: 7, TTL: 60}}
	for i := range 30 {
		commands = append(commands, tree.Command{Op: tree.OpPut, Path: fmt.Sprintf("/d/%02d", i), Lease: int64(i%2) * 7})
	}
	s.Apply(1, commands)
	put := tree.KVOp{Kind: tree.KVPut, Key: "k"}
	remove := tree.KVOp{Kind: tree.KVDeleteRange, Keys: tree.KeyRange{From: "/d/10", To: "/d/20"}}
	read := tree.KVOp{Kind: tree.KVRange, Range: &tree.RangeQuery{}}
	nested := tree.KVOp{Kind: tree.KVNested, Txn: &tree.KVTxn{Then: []tree.KVOp{put, remove}, Else: []tree.KVOp{put}}}
	for _, tc := range []struct {
		name string
		c    tree.Command
		want int
	}{
		{"a put", tree.Command{Op: tree.OpPut, Path: "k"}, 1},
		{"a range", tree.Command{Op: tree.OpDeleteRange, Path: "/d/", Value: "/d0"}, 30},
		{"a range without keys", tree.Command{Op: tree.OpDeleteRange, Path: "x", Value: "y"}, 1},
		{"a lease", tree.Command{Op: tree.OpLeaseRevoke, Leases: []int64{7}}, 16},
		{"a transaction that reads", tree.Command{Op: tree.OpKV, KV: &tree.KVTxn{Then: []tree.KVOp{read, read}}}, 1},
		{"a transaction", tree.Command{Op: tree.OpKV, KV: &tree.KVTxn{Then: []tree.KVOp{put, read}, Else: []tree.KVOp{remove, put, nested}}}, 22},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := changesOf(&tc.c, s); got != tc.want {
				t.Errorf("%d changes, want %d", got, tc.want)
			}
		})
	}
}
