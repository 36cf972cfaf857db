package tree

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkKV measures the commands of the v3 API beside OpSet of v2: on 100,000 keys in 1000 directories.
func BenchmarkKV(b *testing.B) {
	s := grow(b, 100_000, 1000)
	s.StartRevisions()
	s.Apply(1, []Command{{Op: OpLeaseGrant, Lease: 1, TTL: 60}})
	path := func() string { return benchPath(rand.IntN(100_000), 1000) }
	plain := func() string { return path()[1:] }
	for _, size := range []int{1, 64} {
		for _, c := range []struct {
			name    string
			command func() Command
		}{
			{"set", func() Command { return Command{Op: OpSet, Path: path(), Value: "value"} }},
			{"put", func() Command { return Command{Op: OpPut, Path: path(), Value: "value"} }},
			{"put of a plain key", func() Command { return Command{Op: OpPut, Path: plain(), Value: "value"} }},
			{"put with a lease", func() Command { return Command{Op: OpPut, Path: path(), Value: "value", Lease: 1} }},
			{"compare and put", func() Command {
				key := path()
				return Command{Op: OpKV, KV: &KVTxn{
					Compares: []KVCompare{{KeyRange: SingleKey(key), Target: KVTargetVersion, Result: KVGreater}},
					Then:     []KVOp{kvPut(key, "value")}, Else: []KVOp{kvRange(SingleKey(key))},
				}}
			}},
			{"compare and set of v2", func() Command {
				key := path()
				return Command{Op: OpTxn, Txn: &Txn{
					Compares: []Compare{{Kind: CompareExists, Path: key}},
					Then:     []Command{{Op: OpSet, Path: key, Value: "value"}}, Else: []Command{{Op: OpGet, Path: key}},
				}}
			}},
		} {
			b.Run(fmt.Sprintf("%s/batch of %d", c.name, size), func(b *testing.B) { benchCommands(b, s, size, c.command) })
		}
	}
}

// BenchmarkDeleteRange measures the removal of all keys with a prefix: of an implied directory, of a directory that v2 has made, and of
// plain keys.
func BenchmarkDeleteRange(b *testing.B) {
	for _, keys := range []int{1000, 100_000, 1_000_000} {
		for _, c := range []struct{ name, prefix string }{{"implied", "/implied/"}, {"explicit", "/explicit/"}, {"plain", "plain/"}} {
			b.Run(fmt.Sprintf("%s/%d keys", c.name, keys), func(b *testing.B) {
				for range b.N {
					b.StopTimer()
					s := New(1000)
					s.StartRevisions()
					s.Apply(1, []Command{{Op: OpSet, Path: "/explicit", Dir: true}})
					for i := 0; i < keys; i += 500 {
						s.Apply(1, batch(min(keys-i, 500), func(j int) Command {
							return Command{Op: OpPut, Path: fmt.Sprintf("%skey%07d", c.prefix, i+j), Value: "value"}
						}))
						s.Announce()
					}
					s.TakeDelta()
					b.StartTimer()
					r := s.Apply(1, []Command{{Op: OpDeleteRange, Path: c.prefix, Value: c.prefix[:len(c.prefix)-1] + "0"}})
					s.Announce()
					b.StopTimer()
					if r[0].KV.Ops[0].Deleted != int64(keys) || s.View().CountKeys(KeyRange{}) != 0 {
						b.Fatalf("%+v", r[0].KV)
					}
				}
			})
		}
	}
}
