package etcdv3

import (
	"testing"

	"pando/tree"
)

// history executes commands, one at a time.
func history(t *testing.T, commands ...tree.Command) *tree.Store {
	t.Helper()
	s := tree.New(1000)
	s.StartRevisions()
	extend(t, s, commands...)
	return s
}

func extend(t *testing.T, s *tree.Store, commands ...tree.Command) {
	t.Helper()
	for _, c := range commands {
		if r := s.Apply(1, []tree.Command{c})[0]; r.Err != nil {
			t.Fatal(r.Err)
		}
	}
}

func put(key, value string) tree.Command {
	return tree.Command{Op: tree.OpPut, Path: key, Value: value}
}

func del(key string) tree.Command {
	return tree.Command{Op: tree.OpDeleteRange, Path: key, Value: key + "\x00"}
}

func compact(revision uint64) tree.Command {
	return tree.Command{Op: tree.OpCompact, Revision: revision}
}

// TestHashKV compares with the numbers of etcd 3.4.23 and 3.7.3 for the same requests.
func TestHashKV(t *testing.T) {
	const none = 1084519789 // of no entries
	s := tree.New(1000)
	s.StartRevisions()
	for _, step := range []struct {
		commands []tree.Command
		want     map[int64]uint32 // by revision
	}{
		{nil, map[int64]uint32{-1: none, 1: none}},
		{
			[]tree.Command{put("a", "1"), put("b", "1"), put("a", "2"), del("b")},
			map[int64]uint32{-1: none, 1: none, 2: 2587454935, 3: 2143169314, 4: 3086679940, 5: 1416966122},
		},
		{[]tree.Command{compact(5)}, map[int64]uint32{-1: none, 5: 1336054247}}, // the deletion of the compact revision does not count
		{[]tree.Command{put("c", "1"), put("a", "3")}, map[int64]uint32{5: 1336054247, 6: 709067906, 7: 643951048}},
		{ // no key is left, so the first version of a counts again
			[]tree.Command{del("a"), del("c")},
			map[int64]uint32{5: 1336054247, 6: 709067906, 7: 643951048, 8: 1108967486, 9: 2346597004},
		},
		{[]tree.Command{put("d", "1"), del("d"), compact(10)}, map[int64]uint32{10: 3142117234, 11: 134744351}},
		{[]tree.Command{compact(11)}, map[int64]uint32{11: none}},
		{[]tree.Command{put("e", "1")}, map[int64]uint32{11: none, 12: 1737646601}},
	} {
		extend(t, s, step.commands...)
		for revision, want := range step.want {
			if got := HashKV(s.KeyLog(), revision); got != want {
				t.Errorf("after %d commands, at revision %d: %d, want %d", len(step.commands), revision, got, want)
			}
		}
	}
}
