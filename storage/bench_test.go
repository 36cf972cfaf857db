package storage

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/raft/v3/raftpb"

	"pando/tree"
)

const benchKeys = 500_000

func productionSegments(b *testing.B) {
	old := wal.SegmentSizeBytes
	wal.SegmentSizeBytes = 64 * 1000 * 1000
	b.Cleanup(func() { wal.SegmentSizeBytes = old })
}

func benchPath(i int) string { return fmt.Sprintf("/bench/dir%03d/key-%08d", i%1000, i) }

var benchValue = string(make([]byte, 100))

// fillStore sets keys in a tree, without a log.
func fillStore(s *tree.Store, keys []int) {
	commands := make([]tree.Command, 0, 1000)
	for i, key := range keys {
		commands = append(commands, tree.Command{Op: tree.OpSet, Path: benchPath(key), Value: benchValue})
		if len(commands) == cap(commands) || i == len(keys)-1 {
			s.Apply(1, commands)
			s.Announce()
			commands = commands[:0]
		}
	}
}

// bigMember makes a member with a checkpoint of benchKeys keys. They were written in random
// order, with several checkpoints, as in a cluster in use.
func bigMember(b *testing.B) *member {
	b.Helper()
	productionSegments(b)
	m := newMember(b)
	keys := rand.New(rand.NewPCG(1, 2)).Perm(benchKeys)
	for part := range slices.Chunk(keys, benchKeys/5) {
		fillStore(m.store, part)
		m.set("/mark", "x")
		m.checkpoint()
	}
	return m
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			productionSegments(b)
			m := newMember(b)
			data := make([]byte, size)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				m.append(data)
			}
		})
	}
}

// BenchmarkCheckpoint1Percent changes 1 % of the keys and writes a checkpoint. With
// -benchtime=64x there are two compactions.
func BenchmarkCheckpoint1Percent(b *testing.B) {
	for _, order := range []string{"random", "clustered"} {
		b.Run(order, func(b *testing.B) {
			m := bigMember(b)
			m.compact()
			r := rand.New(rand.NewPCG(3, 4))
			b.ReportAllocs()
			var all CheckpointStats
			var n int64
			for b.Loop() {
				b.StopTimer()
				if order == "random" {
					m.scatter(r)
				} else {
					m.cluster()
				}
				b.StartTimer()
				s := m.checkpoint()
				all.PageBytes += s.PageBytes
				all.RecordBytes += s.RecordBytes
				all.Duration += s.Duration
				n++
			}
			b.ReportMetric(float64(all.PageBytes/n), "page-B/op")
			b.ReportMetric(float64(all.RecordBytes/n), "record-B/op")
			b.ReportMetric(float64(int64(all.Duration)/n), "uncompacted-ns/op")
		})
	}
}

// cluster changes 1 % of the keys, one directory after the other.
func (m *member) cluster() {
	keys := make([]int, benchKeys/100)
	for i := range keys {
		keys[i] = i%500*1000 + i/500
	}
	fillStore(m.store, keys)
	m.set("/mark", "x")
}

// scatter changes 1 % of the keys, anywhere.
func (m *member) scatter(r *rand.Rand) {
	keys := make([]int, benchKeys/100)
	for i := range keys {
		keys[i] = r.IntN(benchKeys)
	}
	fillStore(m.store, keys)
	m.set("/mark", "x")
}

// BenchmarkLoad500k loads a checkpoint without deltas, and one with the most that there may be.
func BenchmarkLoad500k(b *testing.B) {
	for _, name := range []string{"compacted", "deltas"} {
		b.Run(name, func(b *testing.B) {
			m := bigMember(b)
			m.compact()
			r := rand.New(rand.NewPCG(7, 8))
			bound := m.disk.compaction.bound(m.store.View().Bytes())
			for deltas := int64(0); name == "deltas" && deltas < bound*19/20; {
				m.scatter(r)
				deltas = m.checkpoint().DeltaBytes
			}
			m.close()
			m.store = nil // at a start there is only one tree
			benchmarkLoad(b, m.options)
		})
	}
}

func benchmarkLoad(b *testing.B, o Options) {
	info, err := os.Stat(filepath.Join(o.DataDir, stateName))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(info.Size())
	for b.Loop() {
		d, r, err := Open(o)
		if err != nil {
			b.Fatal(err)
		}
		if n := r.Store.View().Nodes(); n < benchKeys {
			b.Fatalf("%d nodes", n)
		}
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(info.Size()), "file-B")
}

// BenchmarkAppendBesideCheckpoint measures the latency of appends while a checkpoint of changes
// all over the tree is written.
func BenchmarkAppendBesideCheckpoint(b *testing.B) {
	for _, changes := range []int{0, 5000, 100_000} {
		b.Run(fmt.Sprintf("changes=%d", changes), func(b *testing.B) {
			m := bigMember(b)
			r := rand.New(rand.NewPCG(5, 6))
			var took []time.Duration
			m.disk.options.ObserveSync = func(d time.Duration) { took = append(took, d) }
			for b.Loop() {
				done := make(chan struct{})
				if changes > 0 {
					fillStore(m.store, r.Perm(benchKeys)[:changes])
					c := m.position()
					go func() {
						defer close(done)
						if _, err := m.disk.Checkpoint(c); err != nil {
							b.Error(err)
						}
					}()
				} else {
					time.AfterFunc(time.Second, func() { close(done) })
				}
				appendUntil(m, done)
			}
			slices.Sort(took)
			for _, q := range []float64{0.5, 0.99, 0.999, 1} {
				at := min(len(took)-1, int(float64(len(took))*q))
				b.ReportMetric(float64(took[at].Microseconds()), fmt.Sprintf("us-p%v", q*100))
			}
			b.ReportMetric(float64(len(took)), "appends")
		})
	}
}

// appendUntil appends single entries until done is closed.
func appendUntil(m *member, done chan struct{}) {
	data := make([]byte, 100)
	for {
		select {
		case <-done:
			return
		default:
		}
		m.index++
		entry := &raftpb.Entry{Index: new(m.index), Term: new(m.term), Type: raftpb.EntryNormal.Enum(), Data: data}
		state := &raftpb.HardState{Term: new(m.term), Vote: new(testIdentity.MemberID), Commit: new(m.index - 1)}
		if err := m.disk.Append(state, []*raftpb.Entry{entry}); err != nil {
			m.t.Error(err)
			return
		}
	}
}
