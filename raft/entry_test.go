package raft

import (
	"errors"
	"reflect"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"pando/members"
	"pando/tree"
	"pando/tree/users"
)

// seedBatches are entries as nodes write them.
func seedBatches() [][]byte {
	head := appendBatchHead(nil, 8, 1, 1_700_000_000_000_000_000)
	var all []byte
	seeds := [][]byte{head}
	for _, c := range []tree.Command{
		{Op: tree.OpSet, Path: "/a", Value: "1"},
		{Op: tree.OpSet, Path: "/d", Dir: true, Expires: 1_700_000_000_000_000_001},
		{Op: tree.OpCreateInOrder, Path: "/", Value: "\x00é\xff"},
		{Op: tree.OpCompareAndSwap, Path: "/a", Value: "2", PrevValue: "1", PrevIndex: 1 << 63},
		{Op: tree.OpDelete, Path: "/d", Recursive: true, Dir: true},
		{Op: tree.OpUpdate, Path: "/a", Refresh: true, Expires: -1},
		{Op: tree.OpExpire},
		{Op: tree.OpSet, Path: "/a", AuthRevision: 7},
		{Op: tree.OpUsers, AuthRevision: 7, Change: putUser("ann", "hash")},
		{Op: tree.OpUsers, Change: &users.Change{Op: users.PutRole, Name: "r", GrantPermissions: users.Permissions{
			Read: []users.Range{users.ParsePattern("/a*")}}}},
	} {
		encoded := tree.AppendCommand(nil, &c)
		all = append(all, encoded...)
		seeds = append(seeds, append(head[:len(head):len(head)], encoded...))
	}
	return append(seeds, append(head[:len(head):len(head)], all...))
}

func encodeBatch(b batch) []byte {
	data := appendBatchHead(nil, b.proposer, b.number, b.time)
	for i := range b.commands {
		data = tree.AppendCommand(data, &b.commands[i])
	}
	return data
}

func TestDecodeBatch(t *testing.T) {
	for _, seed := range seedBatches() {
		b, err := decodeBatch(seed, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := encodeBatch(b); string(got) != string(seed) {
			t.Errorf("decoded and encoded again, %q is %q", seed, got)
		}
		for cut := range len(seed) {
			_, err := decodeBatch(seed[:cut], nil)
			if cut < batchHead && !errors.Is(err, errEntry) {
				t.Errorf("cut at %d: error %v, want %v", cut, err, errEntry)
			}
		}
	}
}

func TestDecodeAttributes(t *testing.T) {
	want := attributes{ID: 8, Name: "one", ClientURLs: []string{"http://127.0.0.1:2379"}}
	data, err := encodeAttributes(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeAttributes(data)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if _, err := decodeAttributes([]byte{kindAttributes, '{'}); !errors.Is(err, errEntry) {
		t.Errorf("error %v, want %v", err, errEntry)
	}
}

func FuzzDecodeBatch(f *testing.F) {
	for _, seed := range seedBatches() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := decodeBatch(data, nil)
		if err != nil {
			if !errors.Is(err, errEntry) {
				t.Errorf("error %v, want %v", err, errEntry)
			}
			return
		}
		again, err := decodeBatch(encodeBatch(b), nil)
		if err != nil || !reflect.DeepEqual(again, b) {
			t.Errorf("%+v became %+v, %v", b, again, err)
		}
		// A batch that decodes can be applied.
		tree.New(10).Apply(b.time, b.commands)
	})
}

// TestOwnNameIsRecognized checks that a member recognizes its own name in the list of members, whatever bytes it has.
func TestOwnNameIsRecognized(t *testing.T) {
	for _, name := range []string{"", "one", "naïve 🌲", "m\xff", "\xff\xfe\xed\xa0\x80x", "\x00\ufffd<&>\u2028"} {
		data, err := encodeAttributes(attributes{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if a, err := decodeAttributes(data); err != nil || a.Name != jsonText(name) {
			t.Errorf("%q comes back as %q, and is expected as %q, %v", name, a.Name, jsonText(name), err)
		}
	}
}

// garbage returns entries that no member can apply.
func garbage(t testing.TB) map[string]*raftpb.Entry {
	t.Helper()
	normal := func(data ...byte) *raftpb.Entry { return &raftpb.Entry{Data: data} }
	change := func(cc *raftpb.ConfChange) *raftpb.Entry {
		data, err := proto.Marshal(cc)
		if err != nil {
			t.Fatal(err)
		}
		return &raftpb.Entry{Type: raftpb.EntryConfChange.Enum(), Data: data}
	}
	head := appendBatchHead(nil, 8, 1, 1)
	set := tree.AppendCommand(head[:len(head):len(head)], &tree.Command{Op: tree.OpSet, Path: "/a", Value: "1"})
	return map[string]*raftpb.Entry{
		"an unknown kind":        normal(100),
		"half a batch's head":    normal(head[:len(head)-1]...),
		"half a command":         normal(set[:len(set)-1]...),
		"an unknown operation":   normal(append(head[:len(head):len(head)], 99, 0, 0, 0, 0, 0, 0)...),
		"a path that is unclean": normal(tree.AppendCommand(head[:len(head):len(head)], &tree.Command{Op: tree.OpSet, Path: "/a/../b"})...),
		"attributes":             normal(kindAttributes, '{'),
		"a consistency check":    normal(kindAudit, auditVersion, '{'),
		"its result":             normal(kindAuditResult, auditVersion, '['),
		"no change of a member":  {Type: raftpb.EntryConfChange.Enum(), Data: []byte{0xff}},
		"a change of no member": change(&raftpb.ConfChange{
			Type: raftpb.ConfChangeAddNode.Enum(), NodeId: new(uint64(9)), Context: []byte("{"),
		}),
		"a change of two members": change(&raftpb.ConfChange{
			Type: raftpb.ConfChangeAddNode.Enum(), NodeId: new(uint64(9)), Context: encodeMember(members.Member{ID: 10}),
		}),
		"an unknown change": change(&raftpb.ConfChange{
			Type: raftpb.ConfChangeType(9).Enum(), NodeId: new(uint64(9)), Context: encodeMember(members.Member{ID: 9}),
		}),
		"a change of another form": {Type: raftpb.EntryConfChangeV2.Enum(), Data: []byte{0xff}},
		"an unknown type":          {Type: raftpb.EntryType(7).Enum(), Data: []byte("x")},
	}
}

// TestGarbageIsRefused forwards entries that cannot be applied to a leader and to a follower: they must not get into
// the log.
func TestGarbageIsRefused(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	c.settle()
	from := uint64(c.follower().id)
	proposals := map[string][]*raftpb.Entry{"nothing": nil}
	for name, e := range garbage(t) {
		proposals[name] = []*raftpb.Entry{e}
		proposals[name+" behind a batch"] = []*raftpb.Entry{forwarded(members.ID(from), 1, "/refused", "1").Entries[0], e}
	}
	for name, entries := range proposals {
		for _, r := range c.running() {
			r.inTurnOf(func(c *core) {
				last := c.state.lastIndex
				c.receive(&raftpb.Message{Type: raftpb.MsgProp.Enum(), From: &from, Entries: entries})
				for c.raw.HasReady() {
					c.handle(c.raw.Ready())
				}
				if c.state.lastIndex != last {
					t.Errorf("%s is in the log", name)
				}
			})
		}
	}
	c.leader().set("/after", "1")
	c.settle()
	if exists(c.leader(), "/refused") {
		t.Error("half of a proposal was accepted")
	}
}

// TestMembersWithoutURLs forwards changes after which a member of the cluster would have no peer URL.
func TestMembersWithoutURLs(t *testing.T) {
	unreachable, reachable := members.Member{ID: 9}, members.Member{ID: 9, PeerURLs: []string{"http://m9:2380"}}
	for kind, asks := range map[raftpb.ConfChangeType]bool{
		raftpb.ConfChangeAddNode: true, raftpb.ConfChangeAddLearnerNode: true,
		raftpb.ConfChangeUpdateNode: true, raftpb.ConfChangeRemoveNode: false,
	} {
		check := func(m members.Member) error {
			data, err := proto.Marshal(&raftpb.ConfChange{Type: kind.Enum(), NodeId: (*uint64)(&m.ID), Context: encodeMember(m)})
			if err != nil {
				t.Fatal(err)
			}
			return checkEntry(&raftpb.Entry{Type: raftpb.EntryConfChange.Enum(), Data: data}, 0)
		}
		if err := check(unreachable); errors.Is(err, errEntry) != asks {
			t.Errorf("%v without a URL: %v", kind, err)
		}
		if err := check(reachable); err != nil {
			t.Errorf("%v: %v", kind, err)
		}
	}
}
