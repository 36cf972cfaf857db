package tree

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

// TestLoaderRefuses loads content that no checkpoint can have. The Loader must return
// ErrBadState.
func TestLoaderRefuses(t *testing.T) {
	state := (&View{index: 5}).AppendState(nil)
	event := func(index uint64) func(*Loader) error {
		data := AppendEvent(nil, &Event{action: ActionSet, node: withIndexes(newFile("/k", "", 0, 0), 0, index, 0)})
		return func(l *Loader) error { return l.Event(data) }
	}
	file := func(path string, index, modified uint64) func(*Loader) error {
		data := AppendNode(nil, withIndexes(newFile("/f", "", 0, 0), index, modified, 0))
		return func(l *Loader) error { return l.Node(path, data) }
	}
	dir := func(path string) func(*Loader) error {
		data := AppendNode(nil, withIndexes(newDir("/d", noChildren), 2, 2, 0))
		return func(l *Loader) error { return l.Node(path, data) }
	}
	raw := func(path string, data ...byte) func(*Loader) error {
		return func(l *Loader) error { return l.Node(path, data) }
	}
	for _, tc := range []struct {
		name  string
		steps []func(*Loader) error
	}{
		{"an event after the last", []func(*Loader) error{event(6)}},
		{"an event of the largest index", []func(*Loader) error{event(math.MaxUint64)}},
		{"an event before the first", []func(*Loader) error{event(1)}},
		{"an event without an index", []func(*Loader) error{event(0)}},
		{"a gap between events", []func(*Loader) error{event(3), event(5)}},
		{"an event twice", []func(*Loader) error{event(4), event(4)}},
		{"events that end too early", []func(*Loader) error{event(3), event(4)}},
		{"a node newer than the state", []func(*Loader) error{file("/k", 6, 6)}},
		{"a node modified before it was created", []func(*Loader) error{file("/k", 5, 4)}},
		{"a node without a directory", []func(*Loader) error{file("/d/k", 2, 2)}},
		{"a node below a file", []func(*Loader) error{file("/d", 2, 2), file("/d/k", 2, 2)}},
		{"a node twice", []func(*Loader) error{dir("/d"), file("/d/k", 2, 2), file("/d/k", 2, 2)}},
		{"the root", []func(*Loader) error{dir("/")}},
		{"a path that is not clean", []func(*Loader) error{dir("/d"), file("/d/../k", 2, 2)}},
		{"a directory with a value", []func(*Loader) error{raw("/d", nodeDir, 2, 2, 0, 'v')}},
		{"an unknown kind", []func(*Loader) error{raw("/d", 2, 2, 2, 0)}},
		{"a node cut short", []func(*Loader) error{raw("/d", nodeDir, 2)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := NewLoader(10)
			err := l.State(state)
			for _, step := range tc.steps {
				if err == nil {
					err = step(l)
				}
			}
			if err == nil {
				_, err = l.Finish()
			}
			if !errors.Is(err, ErrBadState) {
				t.Errorf("got %v, want ErrBadState", err)
			}
		})
	}
}

// TestInOrderAtTheLimits makes in-order keys below paths of about the largest length and
// depth. A key must not be made if its path is not valid: no request could name it, and a
// checkpoint with it could not be loaded.
func TestInOrderAtTheLimits(t *testing.T) {
	const digits = 21 // with the slash
	for _, tc := range []struct {
		name string
		dir  string
		fits bool
	}{
		{"longest", "/" + strings.Repeat("x", MaxPathBytes-digits-1), true},
		{"too long", "/" + strings.Repeat("x", MaxPathBytes-digits), false},
		{"deepest", strings.Repeat("/x", MaxPathDepth-1), true},
		{"too deep", strings.Repeat("/x", MaxPathDepth), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if !ValidPath(tc.dir) {
				t.Fatal("the path of the directory is not valid")
			}
			s, disk := New(10), newCheckpoint()
			r := s.Apply(1, []Command{{Op: OpCreateInOrder, Path: tc.dir}})[0]
			if tc.fits != (r.Err == nil) || r.Err != nil && (r.Err.Code != CodeInvalidField || s.View().Nodes() != 0) {
				t.Fatalf("got %.200s", fmt.Sprint(r.Err))
			}
			disk.write(s.TakeDelta())
			if _, err := disk.load(10); err != nil {
				t.Errorf("cannot be loaded again: %.200v", err)
			}
		})
	}
}
