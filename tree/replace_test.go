package tree

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

// TestReplace replaces the tree of a member that is behind by the checkpoint of a member
// that is ahead.
func TestReplace(t *testing.T) {
	ahead, disk := New(10), newCheckpoint()
	for range 20 {
		must(t, ahead, Command{Op: OpSet, Path: "/d/k", Value: "new", Expires: 9 * second})
	}
	must(t, ahead, Command{Op: OpSet, Path: "/d/e/f", Value: "new"})
	disk.write(ahead.TakeDelta())
	load := func(t *testing.T) *Store { return mustLoad(t, disk) }
	behind := func(t *testing.T) *Store {
		s := New(10)
		must(t, s, Command{Op: OpSet, Path: "/d/k", Value: "old"})
		must(t, s, Command{Op: OpSet, Path: "/gone", Value: "old", Expires: 5 * second})
		return s
	}
	t.Run("gives the same state", func(t *testing.T) {
		s := behind(t)
		s.Replace(load(t))
		if a, b := stateBytes(ahead), stateBytes(s); !bytes.Equal(a, b) {
			t.Errorf("\nahead  %q\nbehind %q", a, b)
		}
		if d := s.TakeDelta(); len(d.Removed)+len(d.Changed)+d.Events.Len() != 0 {
			t.Errorf("the next delta holds %+v", d)
		}
	})
	t.Run("gives the same state after more commands", func(t *testing.T) {
		s, other := behind(t), load(t)
		s.Replace(load(t))
		commands := []Command{{Op: OpDelete, Path: "/d/k"}, {Op: OpCreate, Path: "/d/e/g"}, {Op: OpExpire}}
		s.Apply(8*second, commands)
		other.Apply(8*second, commands)
		if a, b := stateBytes(other), stateBytes(s); !bytes.Equal(a, b) {
			t.Errorf("\nother    %q\nreplaced %q", a, b)
		}
	})
	t.Run("does not change views", func(t *testing.T) {
		s, from := behind(t), load(t)
		must(t, from, Command{Op: OpSet, Path: "/d/k", Value: "newer"}) // gives the directory an epoch
		must(t, from, Command{Op: OpSet, Path: "/d/k", Value: "newest"})
		must(t, from, Command{Op: OpSet, Path: "/d/k", Value: "newest"})
		views := []*View{s.View(), from.View()}
		before := []uint64{fingerprint(views[0]), fingerprint(views[1])}
		s.Replace(from)
		for range 3 {
			must(t, s, Command{Op: OpSet, Path: "/d/k", Value: "changed"})
		}
		for i, v := range views {
			if fingerprint(v) != before[i] {
				t.Errorf("view %d has changed", i)
			}
		}
	})
	t.Run("ends the watches", func(t *testing.T) {
		s := behind(t)
		w := watch(t, s, "/d/k", Exact, 0)
		s.Replace(load(t))
		var lost *Error
		_, err := w.Next(context.Background())
		if !errors.As(err, &lost) || lost.Code != CodeWatcherCleared || lost.Index != ahead.View().Index() {
			t.Errorf("got %v", err)
		}
		after := watch(t, s, "/d/k", Exact, 0)
		wantNoEvent(t, after)
		e := must(t, s, Command{Op: OpSet, Path: "/d/k"})
		wantEvent(t, after, e.Index())
	})
}
