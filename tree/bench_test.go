package tree

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

// grow returns a store with n keys in dirs directories, or in the root if dirs is zero. The
// values have 100 bytes. The commands are encoded and decoded, as if they came from the log.
func grow(b testing.TB, n, dirs int) *Store {
	b.Helper()
	s := New(1000)
	value := strings.Repeat("v", 100)
	var log []byte
	for i := 0; i < n; {
		var commands []Command
		for ; i < n && len(commands) < 500; i++ {
			log = AppendCommand(log[:0], &Command{Op: OpSet, Path: benchPath(i, dirs), Value: value})
			c, _, err := DecodeCommand(log)
			if err != nil {
				b.Fatal(err)
			}
			commands = append(commands, c)
		}
		s.Apply(1, commands)
		s.Announce()
	}
	s.TakeDelta()
	return s
}

func benchPath(i, dirs int) string {
	if dirs == 0 {
		return fmt.Sprintf("/key%07d", i)
	}
	return fmt.Sprintf("/dir%05d/key%07d", i%dirs, i)
}

var layouts = []struct {
	name       string
	keys, dirs int
}{
	{"root of 5k", 5_000, 0},
	{"root of 500k", 500_000, 0},
	{"dirs of 100", 100_000, 1000},
	{"dir of 200k", 200_000, 1},
}

func BenchmarkSet(b *testing.B) {
	for _, l := range layouts {
		var s *Store
		for _, size := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/batch of %d", l.name, size), func(b *testing.B) {
				if s == nil {
					s = grow(b, l.keys, l.dirs)
				}
				benchSet(b, s, size, func() string { return benchPath(rand.IntN(l.keys), l.dirs) })
			})
		}
	}
}

// benchSet measures the time of one OpSet in batches of size commands.
func benchSet(b *testing.B, s *Store, size int, path func() string) {
	benchCommands(b, s, size, func() Command { return Command{Op: OpSet, Path: path(), Value: "value"} })
}

// benchCommands measures the time of one command in batches of size commands.
func benchCommands(b *testing.B, s *Store, size int, command func() Command) {
	commands := make([][]Command, 256)
	for i := range commands {
		commands[i] = batch(size, func(int) Command { return command() })
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += size {
		s.Apply(1, commands[i/size%len(commands)])
		s.Announce()
		if s.DirtyPaths() > 100_000 {
			s.TakeDelta()
		}
	}
}

func BenchmarkCreateAndDelete(b *testing.B) {
	s := grow(b, 100_000, 1000)
	b.ReportAllocs()
	for b.Loop() {
		s.Apply(1, []Command{
			{Op: OpCreate, Path: "/dir00500/new", Value: "value"},
			{Op: OpCompareAndDelete, Path: "/dir00500/new", PrevValue: "value"},
		})
		s.Announce()
		if s.DirtyPaths() > 100_000 {
			s.TakeDelta()
		}
	}
}

func BenchmarkExpire(b *testing.B) {
	const keys = ExpireLimit
	s := grow(b, 100_000, 1000)
	commands := batch(keys, func(i int) Command {
		return Command{Op: OpSet, Path: fmt.Sprintf("/ttl/%d", i), Expires: second}
	})
	b.ReportAllocs()
	for b.Loop() {
		s.Apply(0, commands)
		s.Apply(second, []Command{{Op: OpExpire}})
		s.Announce()
		s.TakeDelta()
	}
	if n := s.View().Nodes(); n != 101_001 {
		b.Errorf("%d nodes", n)
	}
}

func BenchmarkGet(b *testing.B) {
	for _, l := range layouts {
		b.Run(l.name, func(b *testing.B) {
			v := grow(b, l.keys, l.dirs).View()
			paths := make([]string, 1024)
			for i := range paths {
				paths[i] = benchPath(rand.IntN(l.keys), l.dirs)
			}
			var body []byte
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				n, err := v.Get(paths[i%len(paths)])
				if err != nil {
					b.Fatal(err)
				}
				body = EncodeGet(n, 1, Shallow).Append(body[:0])
				i++
			}
		})
	}
}

func BenchmarkList(b *testing.B) {
	for _, keys := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("%d keys", keys), func(b *testing.B) {
			v := grow(b, keys, 1).View()
			var body []byte
			b.ReportAllocs()
			for b.Loop() {
				n, err := v.Get("/dir00000")
				if err != nil {
					b.Fatal(err)
				}
				body = EncodeGet(n, 1, Deep).Append(body[:0])
			}
			b.SetBytes(int64(len(body)))
		})
	}
}

func BenchmarkEncodeEvent(b *testing.B) {
	s := grow(b, 1, 1)
	e := must(b, s, Command{Op: OpSet, Path: benchPath(0, 1), Value: strings.Repeat("v", 100), Expires: second})
	b.Run("JSON", func(b *testing.B) {
		var body []byte
		b.ReportAllocs()
		for b.Loop() {
			body = e.AppendJSON(body[:0])
		}
		b.SetBytes(int64(len(body)))
	})
	b.Run("stored", func(b *testing.B) {
		var body []byte
		b.ReportAllocs()
		for b.Loop() {
			body = AppendEvent(body[:0], e)
		}
		b.SetBytes(int64(len(body)))
	})
}

func BenchmarkDecodeCommand(b *testing.B) {
	log := AppendCommand(nil, &Command{Op: OpSet, Path: benchPath(0, 1), Value: strings.Repeat("v", 100)})
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := DecodeCommand(log); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDelta takes and sorts a delta of 10,000 changes, and encodes its nodes and
// events as a checkpoint does.
func BenchmarkDelta(b *testing.B) {
	const changes = 10_000
	s := grow(b, 500_000, 1000)
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		s.Apply(1, batch(changes, func(int) Command {
			return Command{Op: OpSet, Path: benchPath(rand.IntN(500_000), 1000), Value: "value"}
		}))
		s.Announce()
		b.StartTimer()
		d := s.TakeDelta()
		d.Sort()
		out = out[:0]
		for _, path := range d.Changed {
			out = AppendNode(out, d.View.Lookup(path))
		}
		for e := range d.Events.All() {
			out = AppendEvent(out, e)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	const keys = 500_000
	s := grow(b, keys, 1000)
	state := s.View().AppendState(nil)
	var paths []string
	var nodes [][]byte
	walk(s.View().root, func(n *Node) {
		if n.Path() != "/" {
			paths, nodes = append(paths, n.Path()), append(nodes, AppendNode(nil, n))
		}
	})
	b.ReportAllocs()
	for b.Loop() {
		l := NewLoader(1000)
		if err := l.State(state); err != nil {
			b.Fatal(err)
		}
		for i := range paths {
			if err := l.Node(paths[i], nodes[i]); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := l.Finish(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(nodes)), "ns/node")
}

// BenchmarkMemory measures the memory for each key, with a value of 100 bytes and a path
// of 12 or 21 bytes. The measure includes the directories.
func BenchmarkMemory(b *testing.B) {
	value := strings.Repeat("v", 100)
	for _, tc := range []struct {
		name string
		keys int
		path func(i int) string
	}{
		{"one dir in order", 200_000, func(i int) string { return fmt.Sprintf("/d/k%08d", i) }},
		{"one dir at random", 200_000, func(i int) string { return fmt.Sprintf("/d/k%08d", i*7919%200_000) }},
		{"dirs of 100", 200_000, func(i int) string { return fmt.Sprintf("/d%05d/k%08d", i/100, i) }},
		{"dirs of 4", 200_000, func(i int) string { return fmt.Sprintf("/d%05d/k%08d", i/4, i) }},
		{"dirs of 1", 200_000, func(i int) string { return fmt.Sprintf("/d%06d/k", i) }},
	} {
		b.Run(tc.name, func(b *testing.B) {
			var used, shown int64
			for b.Loop() {
				before := heapInUse()
				s := New(1)
				var log []byte
				for i := range tc.keys {
					log = AppendCommand(log[:0], &Command{Op: OpSet, Path: tc.path(i), Value: value})
					c, _, err := DecodeCommand(log)
					if err != nil {
						b.Fatal(err)
					}
					s.Apply(1, []Command{c})
					s.Announce()
				}
				s.TakeDelta()
				used, shown = heapInUse()-before, s.View().Bytes()
				runtime.KeepAlive(s)
			}
			b.ReportMetric(float64(used)/float64(tc.keys), "bytes/key")
			b.ReportMetric(float64(shown)/float64(tc.keys), "shown-bytes/key")
		})
	}
}
