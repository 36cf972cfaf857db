package tree

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// mustTxn applies and announces a transaction, which must be executed, and returns its result.
func mustTxn(t testing.TB, s *Store, txn Txn) *TxnResult {
	t.Helper()
	r := s.Apply(second, []Command{{Op: OpTxn, Txn: &txn}})[0]
	s.Announce()
	if r.Err != nil || r.Txn == nil {
		t.Fatalf("%+v: %v", txn, r.Err)
	}
	return r.Txn
}

func TestTxnResponse(t *testing.T) {
	s := New(100)
	must(t, s, Command{Op: OpSet, Path: "/a", Value: "1"})
	got := mustTxn(t, s, Txn{
		Compares: []Compare{{CompareValue, "/a", "1", 0}, {CompareIndex, "/a", "", 2}, {CompareMissing, "/a/x", "", 0}},
		Then: []Command{
			{Op: OpCompareAndSwap, Path: "/a", PrevIndex: 2, Value: "2", Expires: 11 * second},
			{Op: OpGet, Path: "/a"},
			{Op: OpCreateInOrder, Path: "/d", Value: "<x>"},
			{Op: OpGet, Path: "/d"},
			{Op: OpDelete, Path: "/d", Recursive: true},
		},
	})
	name := fmt.Sprintf("/d/%020d", 4)
	child := `{"key":"` + name + `","value":"\u003cx\u003e","modifiedIndex":4,"createdIndex":4}`
	a := `{"key":"/a","value":"2","expiration":"1970-01-01T00:00:11Z","ttl":10,"modifiedIndex":3,"createdIndex":2}`
	want := `{"succeeded":true,"index":5,"results":[` + strings.Join([]string{
		`{"action":"compareAndSwap","node":` + a + `,"prevNode":{"key":"/a","value":"1","modifiedIndex":2,"createdIndex":2}}`,
		`{"action":"get","node":` + a + `}`,
		`{"action":"create","node":` + child + `}`,
		`{"action":"get","node":{"key":"/d","dir":true,"nodes":[` + child + `],"modifiedIndex":4,"createdIndex":4}}`,
		`{"action":"delete","node":{"key":"/d","dir":true,"modifiedIndex":5,"createdIndex":4},` +
			`"prevNode":{"key":"/d","dir":true,"modifiedIndex":4,"createdIndex":4}}`,
	}, ",") + "]}\n"
	if text := string(got.Encode().Append(nil)); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	failed := mustTxn(t, s, Txn{Compares: []Compare{{CompareExists, "/none", "", 0}}, Then: []Command{{Op: OpDelete, Path: "/a"}}})
	if text := string(failed.Encode().Append(nil)); text != `{"succeeded":false,"index":5,"results":[]}`+"\n" {
		t.Errorf("got %s", text)
	}
}

// TestTxnPieces encodes a large response in pieces.
func TestTxnPieces(t *testing.T) {
	s := New(1000)
	for i := range 500 {
		must(t, s, Command{Op: OpSet, Path: fmt.Sprintf("/d/%d", i), Value: strings.Repeat("v", 1000)})
	}
	r := mustTxn(t, s, Txn{Then: []Command{{Op: OpGet, Path: "/d"}, {Op: OpSet, Path: "/d/0"}, {Op: OpGet, Path: "/", Recursive: true}}})
	var all []byte
	longest := 0
	rest, err := r.Encode().Pieces(nil, func(piece []byte) error {
		all, longest = append(all, piece...), max(longest, len(piece))
		return nil
	})
	if all = append(all, rest...); err != nil || !bytes.Equal(all, r.Encode().Append(nil)) || longest > 2*PieceSize {
		t.Errorf("%d bytes in pieces of up to %d: %v", len(all), longest, err)
	}
	broken := errors.New("broken")
	calls := 0
	if _, err := r.Encode().Pieces(nil, func([]byte) error { calls++; return broken }); err != broken || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// TestTxnFailures checks the errors of transactions, which change nothing.
func TestTxnFailures(t *testing.T) {
	for name, test := range map[string]struct {
		op   Command
		want Error
	}{
		"a missing key":       {Command{Op: OpGet, Path: "/b"}, Error{Code: CodeKeyNotFound, Cause: "then[1]: /b"}},
		"a missing directory": {Command{Op: OpDelete, Path: "/b/c"}, Error{Code: CodeKeyNotFound, Cause: "then[1]: /b/c: /b"}},
		"an existing key":     {Command{Op: OpCreate, Path: "/a"}, Error{Code: CodeKeyExists, Cause: "then[1]: /a"}},
		"another value": {
			Command{Op: OpCompareAndSwap, Path: "/a", PrevValue: "x"}, Error{Code: CodeCompareFailed, Cause: "then[1]: /a: [x != 1]"}},
		"the root":           {Command{Op: OpSet, Path: "/"}, Error{Code: CodeRootReadOnly, Cause: "then[1]: /"}},
		"the root, compared": {Command{Op: OpCompareAndDelete, Path: "/", PrevIndex: 3}, Error{Code: CodeNotFile, Cause: "then[1]: /"}},
		"below a file":       {Command{Op: OpSet, Path: "/a/b"}, Error{Code: CodeNotDir, Cause: "then[1]: /a/b: /a"}},
		"no right to a subtree": {
			Command{Op: OpUpdate, Path: "/dir", Expires: 1, FileOnly: true}, Error{Code: CodeUnauthorized, Cause: "then[1]: /dir"}},
		"a refresh of a directory": {
			Command{Op: OpSet, Path: "/dir", Dir: true, Refresh: true, Expires: 1}, Error{Code: CodeNotFile, Cause: "then[1]: /dir"}},
		"a refresh of a file as a directory": {
			Command{Op: OpSet, Path: "/a", Dir: true, Refresh: true, Expires: 1}, Error{Code: CodeNotDir, Cause: "then[1]: /a"}},
		"an update of a file as a directory": {
			Command{Op: OpUpdate, Path: "/a", Dir: true}, Error{Code: CodeNotDir, Cause: "then[1]: /a"}},
		"a refresh of a missing directory": {
			Command{Op: OpSet, Path: "/b", Dir: true, Refresh: true, Expires: 1}, Error{Code: CodeKeyNotFound, Cause: "then[1]: /b"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(100)
			must(t, s, Command{Op: OpSet, Path: "/a", Value: "1"})
			must(t, s, Command{Op: OpSet, Path: "/dir", Dir: true})
			before := stateBytes(s)
			txn := Txn{Then: []Command{{Op: OpSet, Path: "/new/key"}, test.op, {Op: OpSet, Path: "/later"}}}
			test.want.Index = 3
			if err := mustFail(t, s, Command{Op: OpTxn, Txn: &txn}); *err != test.want {
				t.Errorf("got  %v\nwant %v", err, &test.want)
			}
			if after := stateBytes(s); !bytes.Equal(before, after) {
				t.Errorf("before %q\nafter  %q", before, after)
			}
		})
	}
}

// TestTxnOfElse checks that an operation of the other list is named as one of that list.
func TestTxnOfElse(t *testing.T) {
	txn := Txn{Compares: []Compare{{CompareExists, "/a", "", 0}}, Else: []Command{{Op: OpDelete, Path: "/a"}}}
	if err := mustFail(t, New(10), Command{Op: OpTxn, Txn: &txn}); err.Cause != "else[0]: /a" {
		t.Errorf("got %v", err)
	}
}

// failing returns a transaction that executes operations and then fails.
func failing(operations ...Command) Command {
	return Command{Op: OpTxn, Txn: &Txn{Then: append(operations, Command{Op: OpGet, Path: "/none"})}}
}

// TestRefusedTxnLeavesNoTrace applies random batches twice: as they are, and with a transaction that fails behind each command. Results,
// state, dirty paths, events, checkpoints and expiries must be the same.
func TestRefusedTxnLeavesNoTrace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(10)
		plain, disturbed := New(10), New(10)
		disk, other := newCheckpoint(), newCheckpoint()
		now := 100 * second
		for range rapid.IntRange(1, 12).Draw(t, "batches") {
			now = genNow(t, now)
			commands := genBatch(t, m, now, 4)
			var both []Command
			for _, c := range commands {
				_, _ = m.do(now, c)
				refused := failing(txnCommands(genBatch(t, m, now, 4))...)
				refused.AuthRevision = m.currentRevision()
				both = append(both, c, refused)
			}
			want, got := plain.Apply(now, commands), disturbed.Apply(now, both)
			for i := range want {
				compareResult(t, want[i], got[2*i])
				if got[2*i+1].Err == nil {
					t.Fatalf("a transaction that must fail: %+v", got[2*i+1])
				}
			}
			comparePending(t, plain, disturbed)
			plain.Announce()
			disturbed.Announce()
			if rapid.Bool().Draw(t, "checkpoint") {
				disk.write(plain.TakeDelta())
				other.write(disturbed.TakeDelta())
				if a, b := fmt.Sprint(disk), fmt.Sprint(other); a != b {
					t.Fatalf("checkpoints\nplain     %s\ndisturbed %s", a, b)
				}
			}
		}
	})
}

// currentRevision returns the AuthRevision of a command that is authorized now.
func (m *model) currentRevision() uint64 {
	if m.users.Enabled() {
		return m.users.Revision()
	}
	return 0
}

// txnCommands returns the commands that may be operations of a transaction.
func txnCommands(commands []Command) []Command {
	commands = slices.DeleteFunc(commands, func(c Command) bool { return !c.Op.inTxn() })
	for i := range commands {
		commands[i].AuthRevision = 0
	}
	return commands
}

func compareResult(t *rapid.T, want, got Result) {
	eventOf := func(r Result) string {
		if r.Event == nil {
			return ""
		}
		return string(r.Event.AppendJSON(nil))
	}
	switch {
	case (want.Err == nil) != (got.Err == nil) || want.Err != nil && *want.Err != *got.Err:
		t.Fatalf("got %v, want %v", got.Err, want.Err)
	case eventOf(want) != eventOf(got):
		t.Fatalf("got %v, want %v", got.Event, want.Event)
	case want.Txn != nil && string(want.Txn.Encode().Append(nil)) != string(got.Txn.Encode().Append(nil)):
		t.Fatalf("got %+v, want %+v", got.Txn, want.Txn)
	}
}

// comparePending compares two stores between Apply and Announce.
func comparePending(t *rapid.T, want, got *Store) {
	if a, b := stateBytes(want), stateBytes(got); !bytes.Equal(a, b) {
		t.Fatalf("plain     %q\ndisturbed %q", a, b)
	}
	if a, b := want.root.directory().firstDue(), got.root.directory().firstDue(); a != b {
		t.Fatalf("first expiry %v and %v", a, b)
	}
	if !slices.Equal(want.dirty.changed, got.dirty.changed) || !slices.Equal(want.dirty.removedDirs, got.dirty.removedDirs) {
		t.Fatalf("dirty paths %v and %v", want.dirty, got.dirty)
	}
	if len(want.unannounced) != len(got.unannounced) || want.rightsLost != got.rightsLost || want.SupersededBytes() != got.SupersededBytes() {
		t.Fatalf("%d announcements and %d, superseded %d and %d",
			len(want.unannounced), len(got.unannounced), want.SupersededBytes(), got.SupersededBytes())
	}
	a, b := map[string]uint64{}, map[string]uint64{}
	walk(want.root, func(n *Node) { a[n.Path()] = n.UnchangedSince() })
	walk(got.root, func(n *Node) { b[n.Path()] = n.UnchangedSince() })
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Fatalf("unchanged since %v and %v", a, b)
	}
}

// TestTxnReadsBeforeLaterCommands checks that a read in a transaction does not show the changes of later operations and commands.
func TestTxnReadsBeforeLaterCommands(t *testing.T) {
	s := New(100)
	must(t, s, Command{Op: OpSet, Path: "/d/a", Value: "1"})
	read := Command{Op: OpGet, Path: "/d", Recursive: true}
	results := s.Apply(second, []Command{
		{Op: OpSet, Path: "/d/b/c", Value: "2"},
		{Op: OpTxn, Txn: &Txn{Then: []Command{read, {Op: OpSet, Path: "/d/b/c", Value: "3"}, read}}},
		{Op: OpSet, Path: "/d/b/c", Value: "4"},
		{Op: OpDelete, Path: "/d/a"},
	})
	for i, want := range map[int]string{0: "2", 2: "3"} {
		text := string(results[1].Txn.results[i].appendJSON(nil, second, nil))
		if strings.Count(text, `"value":"`) != 2 || !strings.Contains(text, `"value":"`+want+`"`) || !strings.Contains(text, "/d/a") {
			t.Errorf("read %d: %s", i, text)
		}
	}
}

// TestTxnWakesWatchers checks the order of the events, and that a refused transaction has none.
func TestTxnWakesWatchers(t *testing.T) {
	s := New(100)
	w := watch(t, s, "/", Recursive, 0)
	s.Apply(second, []Command{failing(Command{Op: OpSet, Path: "/refused"})})
	s.Announce()
	wantNoEvent(t, w)
	mustTxn(t, s, Txn{Then: []Command{{Op: OpSet, Path: "/b"}, {Op: OpSet, Path: "/a"}, {Op: OpDelete, Path: "/b"}}})
	for i, path := range []string{"/b", "/a", "/b"} {
		if e := wantEvent(t, w, uint64(i+2)); e.Node().Path() != path {
			t.Errorf("event %d is of %s", i, e.Node().Path())
		}
	}
	wantNoEvent(t, w)
	if v := s.View(); v.Counters() != (Counters{Set: Outcomes{OK: 2}, Delete: Outcomes{OK: 1}}) {
		t.Errorf("counters %+v", v.Counters())
	}
}

func TestTxnEncoding(t *testing.T) {
	one := Command{Op: OpSet, Path: "/a"}
	encode := func(c Command) []byte { return AppendCommand(nil, &c) }
	for name, data := range map[string][]byte{
		"a read alone":          encode(Command{Op: OpGet, Path: "/a"}),
		"a nested transaction":  encode(Command{Op: OpTxn, Txn: &Txn{Then: []Command{{Op: OpTxn, Txn: &Txn{}}}}}),
		"an expiry":             encode(Command{Op: OpTxn, Txn: &Txn{Then: []Command{{Op: OpExpire}}}}),
		"its own authorization": encode(Command{Op: OpTxn, Txn: &Txn{Else: []Command{{Op: OpSet, Path: "/a", AuthRevision: 1}}}}),
		"a path":                encode(Command{Op: OpTxn, Txn: &Txn{Then: []Command{{Op: OpSet, Path: "a"}}}}),
		"the path of a compare": encode(Command{Op: OpTxn, Txn: &Txn{Compares: []Compare{{CompareExists, "/a/", "", 0}}}}),
		"a kind of compare":     encode(Command{Op: OpTxn, Txn: &Txn{Compares: []Compare{{9, "/a", "", 0}}}}),
		"cut short":             appendChange([]byte{byte(OpTxn), 0, 0, 0}, appendTxn(nil, &Txn{Then: []Command{one}})[:3]),
		"too long":              appendChange([]byte{byte(OpTxn), 0, 0, 0}, append(appendTxn(nil, &Txn{}), 0)),
		"no transaction":        appendChange([]byte{byte(OpTxn), 0, 0, 0}, nil),
		"too many":              appendChange([]byte{byte(OpTxn), 0, 0, 0}, []byte{0xff, 0xff, 0xff, 0xff, 0x7f}),
	} {
		t.Run(name, func(t *testing.T) {
			if c, _, err := DecodeCommand(data); !errors.Is(err, ErrBadCommand) {
				t.Errorf("got %+v, %v", c, err)
			}
			if _, _, err := CheckCommand(data); !errors.Is(err, ErrBadCommand) {
				t.Errorf("checked: %v", err)
			}
		})
	}
	c := Command{Op: OpTxn, Txn: sampleTxn()}
	if level, _, err := CheckCommand(encode(c)); level != TxnLevel || err != nil {
		t.Errorf("level %d, %v", level, err)
	}
}
