package tree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pando/tree/users"
)

// FuzzDecodeCommand decodes arbitrary bytes. The result must be ErrBadCommand, or a command
// that is the same after it is encoded and decoded again.
func FuzzDecodeCommand(f *testing.F) {
	for _, c := range []Command{
		{Op: OpSet, Path: "/a/b", Value: "v", Expires: 9 * second},
		{Op: OpCompareAndSwap, Path: "/a", Value: "v", PrevValue: "w", PrevIndex: 1 << 40, Refresh: true},
		{Op: OpDelete, Path: "/a", Dir: true, Recursive: true, Expires: -1},
		{Op: OpCreateInOrder, Path: "/"},
		{Op: OpExpire},
		{Op: OpSet, Path: "/a", AuthRevision: 1 << 40},
		{Op: OpUpdate, Path: "/a", Expires: 9 * second, FileOnly: true, AuthRevision: 7},
		{Op: OpUsers, AuthRevision: 7, Change: &users.Change{Op: users.PutUser, Name: "u", PasswordHash: "h", Grant: []string{"r"}}},
		{Op: OpUsers, Change: &users.Change{Op: users.Disable}},
		{Op: OpMirror, Mirror: sampleMirrorChange()},
		{Op: OpTxn, Txn: sampleTxn(), AuthRevision: 7},
		{Op: OpTxn, Txn: &Txn{}},
	} {
		f.Add(AppendCommand(nil, &c))
	}
	for _, c := range sampleKVCommands() {
		f.Add(AppendCommand(nil, &c))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		src := bytes.Clone(data)
		c, rest, err := DecodeCommand(src)
		level, checked, checkErr := CheckCommand(src)
		if !bytes.Equal(checked, rest) || fmt.Sprint(checkErr) != fmt.Sprint(err) {
			t.Fatalf("decoded: rest %x, %v; checked: rest %x, %v", rest, err, checked, checkErr)
		}
		if err != nil {
			if !errors.Is(err, ErrBadCommand) {
				t.Fatalf("not ErrBadCommand: %v", err)
			}
			return
		}
		if !bytes.HasSuffix(data, rest) {
			t.Fatalf("the rest %x is not the tail of %x", rest, data)
		}
		if c.Op != OpExpire && c.Op != OpUsers && c.Op != OpMirror && c.Op != OpTxn && !c.Op.isV3() && !ValidPath(c.Path) {
			t.Fatalf("path %q", c.Path)
		}
		if level != c.Level() || (c.Change != nil) != (c.Op == OpUsers) || (c.Mirror != nil) != (c.Op == OpMirror) ||
			(c.Txn != nil) != (c.Op == OpTxn) || (c.KV != nil) != (c.Op == OpKV) || c.Op == OpGet {
			t.Fatalf("%+v has level %d (%d)", c, c.Level(), level)
		}
		once := AppendCommand(nil, &c)
		clear(src) // the command must not share its memory
		d, rest, err := DecodeCommand(append(once, "tail"...))
		if err != nil || !reflect.DeepEqual(d, c) || string(rest) != "tail" {
			t.Fatalf("%+v came back as %+v, %q, %v", c, d, rest, err)
		}
		if twice := AppendCommand(nil, &d); !bytes.Equal(once, twice) {
			t.Fatalf("encoded as %x and as %x", once, twice)
		}
		applyTwice(t, c)
	})
}

// sampleTxn returns a transaction with each kind of compare, and some operations.
func sampleTxn() *Txn {
	return &Txn{
		Compares: []Compare{
			{Kind: CompareExists, Path: "/a"}, {Kind: CompareMissing, Path: "/b"},
			{Kind: CompareValue, Path: "/a", Value: "v"}, {Kind: CompareIndex, Path: "/a/c", Index: 1 << 40},
		},
		Then: []Command{
			{Op: OpSet, Path: "/a/b", Value: "v", Expires: 9 * second}, {Op: OpGet, Path: "/", Recursive: true},
			{Op: OpDelete, Path: "/a", Dir: true, Recursive: true},
		},
		Else: []Command{{Op: OpCreateInOrder, Path: "/d"}, {Op: OpUpdate, Path: "/d", Expires: second, FileOnly: true}},
	}
}

// applyTwice applies a decoded command twice, and checks that the result can be loaded from
// a checkpoint.
func applyTwice(t *testing.T, c Command) {
	s, disk := New(10), newCheckpoint()
	if c.Op.isV3() {
		s.StartRevisions()
	}
	for range 2 {
		s.Apply(second, []Command{c, {Op: OpExpire}})
		s.Announce()
	}
	disk.write(s.TakeDelta())
	loaded, err := disk.load(10)
	if err != nil {
		t.Fatalf("the state after %+v cannot be loaded: %v", c, err)
	}
	if a, b := stateBytes(s), stateBytes(loaded); !bytes.Equal(a, b) {
		t.Fatalf("%+v\nstored %q\nloaded %q", c, a, b)
	}
}

// withIndexes returns a node with the path and the value of n that has these indexes and this expiry, in a tree without revisions.
func withIndexes(n *Node, created, modified uint64, expires int64) *Node {
	if n.IsDir() {
		n.setExpires(expires)
	} else {
		n = newFile(n.Path(), n.Value(), expires, 0)
	}
	n.setNumbers(uncounted(created, modified))
	return n
}

func FuzzDecodeNode(f *testing.F) {
	f.Add("/a", AppendNode(nil, withIndexes(newFile("/a", "v", 0, 0), 1, 2, -3)))
	f.Add("/d", AppendNode(nil, withIndexes(newDir("/d", noChildren), 1, maxIndex, 0)))
	counted := numbers{created: 9, modified: maxIndex, createRevision: 3, modRevision: 1 << 40, version: maxVersion, sub: 7}
	long := strings.Repeat("v", smallText)
	for _, n := range []*Node{
		newFile("/a", "v", 0, 0), newFile("/a", "v", second, 0), newFile("/a", "v", 0, -1), newFile("/a", long, second, 0),
		newFile("/a", long, 0, 7), newFile("/a", long, 0, 0), newDir("/a", noChildren),
	} {
		n.setNumbers(counted)
		f.Add("/a", AppendNode(nil, n))
	}
	f.Fuzz(func(t *testing.T, path string, data []byte) {
		n, err := decodeNode(path, data)
		if err != nil {
			if !errors.Is(err, ErrBadState) {
				t.Fatalf("not ErrBadState: %v", err)
			}
			return
		}
		again, err := decodeNode(path, AppendNode(nil, n))
		if err != nil || fieldsOfNode(again) != fieldsOfNode(n) || again.isImplied() != n.isImplied() || n.Path() != path {
			t.Fatalf("%+v came back as %+v, %v", n, again, err)
		}
	})
}

func FuzzDecodeEvent(f *testing.F) {
	for _, e := range sampleEvents() {
		f.Add(AppendEvent(nil, e))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decodeEvent(data, noNodes)
		if err != nil {
			if !errors.Is(err, ErrBadState) {
				t.Fatalf("not ErrBadState: %v", err)
			}
			return
		}
		stored := AppendEvent(nil, e)
		again, err := decodeEvent(stored, noNodes)
		if err != nil || !bytes.Equal(AppendEvent(nil, again), stored) || !bytes.Equal(again.AppendJSON(nil), e.AppendJSON(nil)) {
			t.Fatalf("%s came back as %+v, %v", e.AppendJSON(nil), again, err)
		}
		if _, err := decodeAPI(e.AppendJSON(nil)); err != nil {
			t.Fatalf("%s: %v", e.AppendJSON(nil), err)
		}
	})
}

// sampleEvents returns events of several actions.
func sampleEvents() []*Event {
	s := New(10)
	var events []*Event
	for _, r := range s.Apply(second, []Command{
		{Op: OpSet, Path: "/a/b", Value: "v", Expires: 2 * second},
		{Op: OpUpdate, Path: "/a/b", Refresh: true, Expires: 3 * second},
		{Op: OpUpdate, Path: "/a", Expires: 9 * second},
		{Op: OpCompareAndSwap, Path: "/a/b", Value: "<&>", PrevValue: "v"},
		{Op: OpDelete, Path: "/a", Recursive: true},
	}) {
		events = append(events, r.Event)
	}
	return events
}

func FuzzDecodeState(f *testing.F) {
	s := New(10)
	f.Add(s.View().AppendState(nil))
	s.Apply(1, []Command{{Op: OpSet, Path: "/a"}, {Op: OpDelete, Path: "/b"}})
	f.Add(s.View().AppendState(nil))
	s.StartRevisions()
	s.Apply(1, []Command{{Op: OpTxn, Txn: &Txn{Then: []Command{{Op: OpSet, Path: "/a"}, {Op: OpDelete, Path: "/a"}}}}})
	f.Add(s.View().AppendState(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		state, err := decodeState(data)
		if err != nil {
			if !errors.Is(err, ErrBadState) {
				t.Fatalf("not ErrBadState: %v", err)
			}
			return
		}
		v := View{index: state.index, counters: state.counters, revisions: state.revisions}
		again, err := decodeState(v.AppendState(nil))
		if err != nil || again != state {
			t.Fatalf("%+v came back as %+v, %v", state, again, err)
		}
	})
}

// FuzzLoader loads arbitrary records. The Loader must return ErrBadState, or a store that
// passes exercise.
func FuzzLoader(f *testing.F) {
	s, disk := New(10), newCheckpoint()
	s.Apply(second, []Command{{Op: OpSet, Path: "/a/b", Value: "v", Expires: 9 * second}, {Op: OpSet, Path: "/c", Dir: true}})
	disk.write(s.TakeDelta())
	f.Add(uint8(10), records(disk, "/a", "/a/b", "/c"))
	f.Add(uint8(1), records(disk, "/a", "/a/b", "/c"))
	f.Add(uint8(3), records(disk, "/c", "/a", "/a/b", "/a"))
	f.Fuzz(func(t *testing.T, size uint8, data []byte) {
		loaded, err := loadRecords(int(size), data)
		if err != nil {
			if !errors.Is(err, ErrBadState) {
				t.Fatalf("not ErrBadState: %v", err)
			}
			return
		}
		exercise(t, loaded)
	})
}

// records encodes a checkpoint. Each record is a letter, followed by strings with their
// lengths in front: s for the state, n for a node, e for an event.
func records(p *checkpoint, paths ...string) []byte {
	field := func(b []byte, s []byte) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	b := field([]byte{'s'}, p.state)
	for _, path := range paths {
		b = field(field(append(b, 'n'), []byte(path)), p.nodes[path])
	}
	for i := uint64(2); p.events[i] != nil; i++ {
		b = field(append(b, 'e'), p.events[i])
	}
	return b
}

// loadRecords loads records into a store with a history of size events.
func loadRecords(size int, data []byte) (*Store, error) {
	l := NewLoader(size)
	for r := (decoder{src: data}); len(r.src) > 0; {
		var err error
		switch r.octet() {
		case 's':
			err = l.State([]byte(r.lengthPrefixed()))
		case 'n':
			path := r.lengthPrefixed()
			err = l.Node(path, []byte(r.lengthPrefixed()))
		case 'e':
			err = l.Event([]byte(r.lengthPrefixed()))
		}
		if err != nil {
			return nil, err
		}
	}
	return l.Finish()
}

// exercise checks a loaded store, then watches, changes and stores it.
func exercise(t *testing.T, s *Store) {
	v := s.View()
	if v.OldestEvent() > v.Index()+1 {
		t.Fatalf("the oldest event is %d at %d", v.OldestEvent(), v.Index())
	}
	for i := s.history.next(v.OldestEvent()); i <= v.Index(); i = s.history.next(i + 1) {
		if e := s.history.at(i); e == nil || e.Index() != i {
			t.Fatalf("event %d of %d..%d is %v", i, v.OldestEvent(), v.Index(), e)
		}
	}
	disk := newCheckpoint()
	disk.state = v.AppendState(nil)
	var nodes, size int64 = -1, -1
	walk(v.root, func(n *Node) {
		nodes, size = nodes+1, size+n.bytes()
		if n.Path() != "/" {
			disk.nodes[n.Path()] = AppendNode(nil, n)
		}
	})
	if nodes != v.Nodes() || size != v.Bytes() {
		t.Fatalf("%d nodes (%d), %d bytes (%d)", nodes, v.Nodes(), size, v.Bytes())
	}
	if _, err := decodeAPI(EncodeGet(v.root, second, Deep).Append(nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.load(1); err != nil {
		t.Fatalf("a loaded state cannot be loaded again: %v", err)
	}
	head := v.Index()
	if head > 1<<62 {
		return // an index that no cluster reaches
	}
	if w, err := s.Watch("/", Recursive, head+1); err == nil {
		defer w.Close()
		e := must(t, s, Command{Op: OpSet, Path: "/new-" + strings.Repeat("x", 50)})
		wantEvent(t, w, e.Index())
	}
	s.Apply(1<<62, []Command{{Op: OpExpire}})
	s.Announce()
}
