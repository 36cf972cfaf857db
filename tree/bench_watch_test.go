package tree

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkWake measures a change of /hit/k while watchers wait, until all matching watchers
// have returned the event.
func BenchmarkWake(b *testing.B) {
	for _, tc := range []struct {
		name     string
		watchers int
		path     func(i int) string
		woken    int // by each change of /hit/k
	}{
		{"1, hit", 1, func(int) string { return "/hit/k" }, 1},
		{"1, miss", 1, func(int) string { return "/miss/k" }, 0},
		{"10000 at one key, hit", 10_000, func(int) string { return "/hit/k" }, 10_000},
		{"10000 at one key, miss", 10_000, func(int) string { return "/miss/k" }, 0},
		{"10000 at 10000 keys, one hit", 10_000, func(i int) string {
			if i == 0 {
				return "/hit/k"
			}
			return fmt.Sprintf("/miss/%d", i)
		}, 1},
	} {
		b.Run(tc.name, func(b *testing.B) { benchWake(b, tc.watchers, tc.path, int64(tc.woken)) })
	}
}

func benchWake(b *testing.B, watchers int, path func(i int) string, woken int64) {
	s := New(1000)
	var left atomic.Int64
	all := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(context.Background())
	var waiting sync.WaitGroup
	for i := range watchers {
		w := watch(b, s, path(i), Exact, 0)
		waiting.Go(func() {
			for {
				if _, err := w.Next(ctx); err != nil {
					return
				}
				if left.Add(-1) == 0 {
					all <- struct{}{}
				}
			}
		})
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		left.Store(woken)
		s.Apply(1, []Command{{Op: OpSet, Path: "/hit/k"}})
		s.Announce()
		if woken > 0 {
			<-all
		}
	}
	b.StopTimer()
	cancel()
	waiting.Wait()
}

// BenchmarkAnnounceDelete removes a directory while many watchers watch other paths.
func BenchmarkAnnounceDelete(b *testing.B) {
	for _, watchers := range []int{0, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("%d watchers", watchers), func(b *testing.B) {
			s := New(1000)
			for i := range watchers {
				watch(b, s, fmt.Sprintf("/service/%d/leader", i), Exact, 0)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				s.Apply(1, []Command{{Op: OpSet, Path: "/dir/k"}, {Op: OpDelete, Path: "/dir", Recursive: true}})
				s.Announce()
				if s.DirtyPaths() > 100_000 {
					s.TakeDelta()
				}
			}
		})
	}
}

func BenchmarkOpenWatch(b *testing.B) {
	s := New(1000)
	fill(b, s, "/k", 2000)
	b.Run("from now", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w, err := s.Watch("/k", Exact, 0)
			if err != nil {
				b.Fatal(err)
			}
			w.Close()
		}
	})
	b.Run("through the whole history", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w, err := s.Watch("/other", Exact, 1001)
			if err != nil {
				b.Fatal(err)
			}
			wantNoEvent(b, w)
			w.Close()
		}
	})
}

// BenchmarkRetire changes keys while the events that the history drops are kept for watched subtrees.
func BenchmarkRetire(b *testing.B) {
	for _, bc := range []struct {
		name     string
		limit    int64
		subtrees int
	}{{"off", 0, 0}, {"no subtree", 16 << 20, 0}, {"1000 subtrees, one hit", 16 << 20, 1000}} {
		b.Run(bc.name, func(b *testing.B) {
			s := newScoped(1000, bc.limit)
			for i := range bc.subtrees {
				openOnce(b, s, fmt.Sprintf("/dir/%d", i), Recursive)
			}
			commands := []Command{{Op: OpSet, Path: "/dir/1/k"}}
			b.ReportAllocs()
			for b.Loop() {
				s.Apply(1, commands)
				s.Announce()
				if s.DirtyPaths() > 100_000 {
					s.TakeDelta()
				}
			}
		})
	}
}
