package tree

import (
	"fmt"
	"testing"

	"pando/tree/users"
)

// BenchmarkKeyWake measures a change of /hit/k while key watchers wait, until those that it concerns have returned the event.
func BenchmarkKeyWake(b *testing.B) {
	for _, tc := range []struct {
		name     string
		watchers int
		keys     func(i int) KeyRange
	}{
		{"1 of a key", 1, func(int) KeyRange { return KeyRange{From: "/hit/k", To: "/hit/k\x00"} }},
		{"10000 of distinct keys", 10_000, func(i int) KeyRange {
			key := fmt.Sprintf("/key/%d", i)
			return KeyRange{From: key, To: key + "\x00"}
		}},
		{"10000 of distinct prefixes", 10_000, func(i int) KeyRange {
			prefix := fmt.Sprintf("/prefix/%d/", i)
			return KeyRange{From: prefix, To: users.PrefixEnd(prefix)}
		}},
		{"1000 of distinct ranges", 1000, func(i int) KeyRange {
			return KeyRange{From: fmt.Sprintf("/from/%d", i), To: "/from/x"}
		}},
		{"1000 of one prefix", 1000, func(int) KeyRange { return KeyRange{From: "/hit/", To: "/hit0"} }},
	} {
		b.Run(tc.name, func(b *testing.B) { benchKeyWake(b, tc.watchers, tc.keys) })
	}
}

func benchKeyWake(b *testing.B, watchers int, keys func(i int) KeyRange) {
	s := New(1000)
	s.startKeyHistory()
	var awake []*KeyWatcher
	for i := range watchers {
		r := keys(i)
		if i == 0 {
			r = KeyRange{From: "/hit/", To: "/hit0"}
		}
		w, err := s.WatchKeys(r, 0)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(w.Close)
		if _, err := w.Poll(1 << 20); err != nil {
			b.Fatal(err)
		}
		registered := false
		w.Notify(func() {
			if registered {
				awake = append(awake, w)
			}
		})
		registered = true
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Apply(1, []Command{{Op: OpSet, Path: "/hit/k"}})
		s.Announce()
		for _, w := range awake {
			if batch, err := w.Poll(1 << 20); err != nil || len(batch.Events) != 1 {
				b.Fatal(batch, err)
			}
		}
		awake = awake[:0]
		if v := s.View(); v.Index()%10_000 == 0 {
			_ = s.compactHistory(v.Revision())
		}
	}
}
