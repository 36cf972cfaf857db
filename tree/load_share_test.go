package tree

import "testing"

// TestLoadSharesFiles loads a state whose events have written and replaced files. Each file must be one object.
func TestLoadSharesFiles(t *testing.T) {
	s, disk := New(10), newCheckpoint()
	startKeys(s)
	for _, c := range []Command{
		{Op: OpPut, Path: "/a", Value: "1"}, {Op: OpPut, Path: "/a", Value: "2"}, {Op: OpPut, Path: "plain", Value: "1"},
		{Op: OpSet, Path: "/b", Value: "1"}, {Op: OpPut, Path: "/a/below", Value: "1"}, {Op: OpSet, Path: "/b", Value: "2", Expires: 1 << 40},
	} {
		must(t, s, c)
	}
	disk.write(s.TakeDelta())
	t.Run("while loading", func(t *testing.T) { checkSharing(t, mustLoad(t, disk)) })
	disk.decodesAll = true
	t.Run("after loading", func(t *testing.T) { checkSharing(t, mustLoad(t, disk)) })
}

func checkSharing(t *testing.T, loaded *Store) {
	t.Helper()
	for _, key := range []string{"/a", "plain", "/b", "/a/below"} {
		n := loaded.View().Key(key)
		e := loaded.history.at(n.ModifiedIndex())
		if e.node != n {
			t.Errorf("the event of %s has a file of its own", key)
		}
		if e.prev != nil && e.prev != loaded.history.at(e.prev.ModifiedIndex()).node {
			t.Errorf("the event of %s has a replaced file of its own", key)
		}
	}
}
