package tree

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

func sampleMirrorChange() *MirrorChange {
	prev := NodeFields{Path: "/a/b", Value: "<old>", Created: 2, Modified: 2}
	return &MirrorChange{
		After: 1, To: 9,
		Nodes: []NodeFields{
			{Path: "/r", Value: "v", Created: 3, Modified: 5, Expires: 7 * second},
			{Path: "/d", Dir: true, Created: 4, Modified: 4},
		},
		Removed: []string{"/x", "/y/z"},
		Events: []EventFields{
			{Action: ActionSet, Time: second, Node: NodeFields{Path: "/a/b", Value: "v", Created: 2, Modified: 2, Expires: 9 * second}},
			{Action: ActionDelete, Time: -1, Node: NodeFields{Path: "/a/b", Created: 2, Modified: 6}, Prev: &prev},
			{Action: ActionCreate, Node: NodeFields{Path: "/d", Dir: true, Created: 8, Modified: 8}},
		},
		Phase: PhaseFenced, Sources: []string{"http://127.0.0.1:2379"}, ForwardWrites: new(false),
	}
}

// FuzzDecodeMirrorChange decodes arbitrary bytes. The result must be errBadMirrorChange, or a change that is the same after it is encoded
// and decoded again. A tree that follows must take it or refuse it, and must be loaded from a checkpoint afterwards.
func FuzzDecodeMirrorChange(f *testing.F) {
	f.Add(appendMirrorChange(nil, sampleMirrorChange()))
	f.Add(appendMirrorChange(nil, &MirrorChange{After: 1, To: 7, Reset: true, Sources: []string{}}))
	f.Add(appendMirrorChange(nil, &MirrorChange{After: 1, To: 1 << 40, Phase: PhaseEnded, ForwardWrites: new(true)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		src := bytes.Clone(data)
		c, err := decodeMirrorChange(src)
		if err != nil {
			if !errors.Is(err, errBadMirrorChange) {
				t.Fatalf("not errBadMirrorChange: %v", err)
			}
			return
		}
		clear(src) // the change must not share its memory
		again, err := decodeMirrorChange(appendMirrorChange(nil, c))
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%+v came back as %+v, %v", c, again, err)
		}
		s, disk := New(10), newCheckpoint()
		s.Follow()
		s.Apply(second, []Command{{Op: OpMirror, Mirror: &MirrorChange{After: 1, To: 1, Phase: PhaseFenced}}})
		c.After = 1
		result := s.Apply(second, []Command{{Op: OpMirror, Mirror: c}, {Op: OpSet, Path: "/new"}, {Op: OpExpire}})
		s.Announce()
		if err := result[0].Err; err != nil && err.Code != CodeInvalidField || err == nil && c.check() != nil {
			t.Fatalf("%+v: %v, check: %v", c, err, c.check())
		}
		disk.write(s.TakeDelta())
		loaded, loadErr := disk.load(10)
		if loadErr != nil {
			t.Fatalf("the state after %+v cannot be loaded: %v", c, loadErr)
		}
		if a, b := stateBytes(s), stateBytes(loaded); !bytes.Equal(a, b) {
			t.Fatalf("%+v\nstored %q\nloaded %q", c, a, b)
		}
	})
}

// FuzzDecodeMirror decodes arbitrary bytes as the stored form of a mirror.
func FuzzDecodeMirror(f *testing.F) {
	for _, m := range []mirrored{
		{mirror: &Mirror{Phase: PhaseFollowing}, newest: 7},
		{mirror: &Mirror{Phase: PhaseFenced, Sources: []string{"a", ""}, ForwardWrites: true}},
		{newest: 1 << 50, skipped: indexRange{5, 1004}},
	} {
		f.Add((&View{mirrored: &m}).AppendMirror(nil))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeMirror(data)
		if err != nil {
			if !errors.Is(err, ErrBadState) {
				t.Fatalf("not ErrBadState: %v", err)
			}
			return
		}
		v := View{mirrored: m}
		again, err := decodeMirror(v.AppendMirror(nil))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v came back as %+v, %v", m, again, err)
		}
	})
}
