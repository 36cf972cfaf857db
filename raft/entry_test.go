package raft

import (
	"errors"
	"reflect"
	"testing"

	"pando/tree"
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
