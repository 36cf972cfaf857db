package tree

import (
	"context"
	"fmt"
	"testing"
)

func TestEventJSON(t *testing.T) {
	s := New(1000)
	for _, tc := range []struct {
		name string
		c    Command
		want string
	}{
		{"create by set", Command{Op: OpSet, Path: "/a", Value: "<&>\x01\xff\u2028é"},
			`{"action":"set","node":{"key":"/a","value":"\u003c\u0026\u003e\u0001\ufffd\u2028é","modifiedIndex":2,"createdIndex":2}}`},
		{"set again", Command{Op: OpSet, Path: "/a", Value: "v", Expires: 3*second - 1},
			`{"action":"set","node":{"key":"/a","value":"v","expiration":"1970-01-01T00:00:02.999999999Z","ttl":2,` +
				`"modifiedIndex":3,"createdIndex":3}` +
				`,"prevNode":{"key":"/a","value":"\u003c\u0026\u003e\u0001\ufffd\u2028é","modifiedIndex":2,"createdIndex":2}}`},
		{"compare and swap", Command{Op: OpCompareAndSwap, Path: "/a", Value: "w", PrevValue: "v", PrevIndex: 3},
			`{"action":"compareAndSwap","node":{"key":"/a","value":"w","modifiedIndex":4,"createdIndex":3}` +
				`,"prevNode":{"key":"/a","value":"v","expiration":"1970-01-01T00:00:02.999999999Z","ttl":2,"modifiedIndex":3,"createdIndex":3}}`},
		{"in order", Command{Op: OpCreateInOrder, Path: "/q", Value: "1"},
			`{"action":"create","node":{"key":"/q/00000000000000000005","value":"1","modifiedIndex":5,"createdIndex":5}}`},
		{"update a directory", Command{Op: OpUpdate, Path: "/q", Dir: true},
			`{"action":"update","node":{"key":"/q","dir":true,"modifiedIndex":6,"createdIndex":5}` +
				`,"prevNode":{"key":"/q","dir":true,"modifiedIndex":5,"createdIndex":5}}`},
		{"delete", Command{Op: OpDelete, Path: "/q", Recursive: true},
			`{"action":"delete","node":{"key":"/q","dir":true,"modifiedIndex":7,"createdIndex":5}` +
				`,"prevNode":{"key":"/q","dir":true,"modifiedIndex":5,"createdIndex":5}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := must(t, s, tc.c)
			if got := string(e.AppendJSON(nil)); got != tc.want+"\n" {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	s := New(1000)
	must(t, s, Command{Op: OpSet, Path: "/file", Value: "v"})
	must(t, s, Command{Op: OpSet, Path: "/dir/key", Value: "v"})
	for _, tc := range []struct {
		name  string
		c     Command
		code  Code
		cause string
	}{
		{"below a file", Command{Op: OpSet, Path: "/file/a/b"}, CodeNotDir, "/file"},
		{"set a directory", Command{Op: OpSet, Path: "/dir"}, CodeNotFile, "/dir"},
		{"set the root", Command{Op: OpSet, Path: "/"}, CodeRootReadOnly, "/"},
		{"create twice", Command{Op: OpCreate, Path: "/file"}, CodeKeyExists, "/file"},
		{"update nothing", Command{Op: OpUpdate, Path: "/no/where"}, CodeKeyNotFound, "/no"},
		{"both comparisons", Command{Op: OpCompareAndSwap, Path: "/file", PrevValue: "w", PrevIndex: 9}, CodeCompareFailed, "[w != v] [9 != 2]"},
		{"delete a directory", Command{Op: OpDelete, Path: "/dir"}, CodeNotFile, "/dir"},
		{"delete a full directory", Command{Op: OpDelete, Path: "/dir", Dir: true}, CodeDirNotEmpty, "/dir"},
		{"refresh nothing", Command{Op: OpSet, Path: "/none", Refresh: true, Expires: 9}, CodeKeyNotFound, "/none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := mustFail(t, s, tc.c)
			if err.Code != tc.code || err.Cause != tc.cause || err.Index != 3 {
				t.Errorf("got %v, want %d (%s) [3]", err, tc.code, tc.cause)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	s := New(1000)
	must(t, s, Command{Op: OpSet, Path: "/later", Expires: 9 * second})
	must(t, s, Command{Op: OpSet, Path: "/b", Expires: 5 * second})
	must(t, s, Command{Op: OpSet, Path: "/a", Expires: 5 * second})
	must(t, s, Command{Op: OpSet, Path: "/dir/sub/key", Expires: 7 * second})
	must(t, s, Command{Op: OpUpdate, Path: "/dir", Expires: 4 * second})
	if due := s.View().NextExpiry(); due != 4*second {
		t.Fatalf("next expiry %d", due)
	}
	w, err := s.Watch("/", Recursive, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	s.Apply(8*second, []Command{{Op: OpExpire}})
	s.Announce()
	for _, want := range []string{"/dir", "/a", "/b"} {
		e, err := w.Next(context.Background())
		if err != nil || e.Action() != ActionExpire || e.Node().Path() != want {
			t.Fatalf("got %v %v, want the expiry of %s", e, err, want)
		}
	}
	if v := s.View(); v.Nodes() != 1 || v.NextExpiry() != 9*second || v.Counters().Expired != 3 {
		t.Errorf("%d nodes, next expiry %d, %d expired", v.Nodes(), v.NextExpiry(), v.Counters().Expired)
	}
}

// TestExpireIsBounded ends more TTLs at once than one OpExpire may remove. The next OpExpire
// must remove the rest.
func TestExpireIsBounded(t *testing.T) {
	const limit, rest = 256, 50 // the limit must not change: members must replay old logs alike
	s := New(1000)
	s.Apply(1, batch(limit+rest, func(i int) Command {
		return Command{Op: OpSet, Path: fmt.Sprintf("/%03d", i), Expires: 5 * second}
	}))
	for i, left := range []int64{rest, 0, 0} {
		s.Apply(6*second, []Command{{Op: OpExpire}})
		s.Announce()
		if got := s.View().Nodes(); got != left {
			t.Fatalf("command %d leaves %d nodes, want %d", i+1, got, left)
		}
	}
}
