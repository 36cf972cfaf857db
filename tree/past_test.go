package tree

import (
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// readPast compares the keys at each revision that the history holds with those that the tree had.
func (r *keyRun) readPast() {
	v := r.s.View()
	revision := rapid.Uint64Range(1, v.Revision()+1).Draw(r.t, "revision")
	past, err := r.s.At(revision)
	switch {
	case err != nil && err.Code == CodeFutureRevision && revision > v.Revision():
		return
	case err != nil && err.Code == CodeCompacted && err.Revision > revision && err.Revision <= v.Revision():
		return
	case err != nil:
		r.t.Fatalf("revision %d: %v, compacted %d", revision, err, err.Revision)
	case past.Revision() != revision || revision < v.CompactRevision():
		r.t.Fatalf("revision %d, compacted %d: the reader has revision %d", revision, v.CompactRevision(), past.Revision())
	}
	all := r.states[revision]
	if all == nil {
		return
	}
	for range rapid.IntRange(1, 3).Draw(r.t, "reads") {
		keys := genKeyRange(r.t)
		if one := past.Key(keys.From); one != nil != (all[keys.From] != keyState{}) || one != nil && all[keys.From].value != one.Value() {
			r.t.Fatalf("revision %d of %q: got %v, want %v", revision, keys.From, one, all[keys.From])
		}
		got, want := keysOf(past, keys), within(all, keys)
		if !maps.Equal(got, want) {
			r.t.Fatalf("revision %d of %q: got %v, want %v", revision, keys, got, want)
		}
		if n := past.CountKeys(keys); n != int64(len(want)) {
			r.t.Fatalf("revision %d of %q: %d keys are counted, want %d", revision, keys, n, len(want))
		}
	}
	if r.s.View() != v || !maps.Equal(keysOf(v, KeyRange{}), r.states[v.Revision()]) {
		r.t.Fatal("a read of the past has changed the tree")
	}
}

// BenchmarkAt measures reads of a revision 100,000 events ago, each with a new reader.
func BenchmarkAt(b *testing.B) {
	const keys, events = 10_000, 100_000
	s := New(1000)
	startKeys(s)
	for i := range keys + events {
		s.Apply(1, []Command{{Op: OpSet, Path: fmt.Sprintf("/d%d/k%d", i%100, i%keys), Value: "value"}})
		s.Announce()
	}
	revision := s.View().Revision() - events
	at := func(b *testing.B) KeyReader {
		past, err := s.At(revision)
		if err != nil {
			b.Fatal(err)
		}
		return past
	}
	one := KeyRange{From: "/d7/", To: "/d70"}
	for _, tc := range []struct {
		name string
		read func(b *testing.B)
	}{
		{"one key", func(b *testing.B) { at(b).Key("/d7/k7") }},
		{"count of 100 keys", func(b *testing.B) { at(b).CountKeys(one) }},
		{"count of all keys", func(b *testing.B) { at(b).CountKeys(KeyRange{}) }},
	} {
		b.Run(tc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tc.read(b)
			}
		})
	}
}
