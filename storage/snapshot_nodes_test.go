package storage

import (
	"errors"
	"os"
	"slices"
	"testing"

	"pando/tree"
)

func TestReadSnapshotNodes(t *testing.T) {
	m := newMember(t)
	m.set("/a/b", "old")
	m.set("/a-x", "bytes \xff")
	m.checkpoint()
	m.set("/a/b", "new") // a delta
	path := m.saveSnapshot()
	t.Run("all nodes", func(t *testing.T) {
		var got []string
		err := ReadSnapshotNodes(path, func(n tree.NodeFields) error {
			got = append(got, n.Path+"="+n.Value)
			return nil
		})
		if want := []string{"/a=", "/a-x=bytes \xff", "/a/b=new"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%q, want %q, %v", got, want, err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		refused := errors.New("refused")
		if err := ReadSnapshotNodes(path, func(tree.NodeFields) error { return refused }); err != refused {
			t.Errorf("%v", err)
		}
	})
	t.Run("damaged", func(t *testing.T) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := ReadSnapshotNodes(snapshotOf(t, data), func(tree.NodeFields) error { return nil }); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%v", err)
		}
	})
}
