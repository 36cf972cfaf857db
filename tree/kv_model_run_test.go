package tree

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestKVModel compares random commands of the v3 API, mixed with those of v2, with a map of keys.
func TestKVModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(1000)
		s.StartRevisions()
		run := &kvModelRun{t: t, s: s, m: newKVModel(s.View().Revision()), disk: newCheckpoint()}
		for range rapid.IntRange(1, 30).Draw(t, "commands") {
			run.step()
			run.compare(run.s)
			if rapid.IntRange(0, 5).Draw(t, "checkpoint") == 0 {
				run.reload()
			}
		}
	})
}

type kvModelRun struct {
	t    *rapid.T
	s    *Store
	m    *kvModel
	disk *checkpoint
	now  int64
}

// apply encodes and applies a command as the log does.
func (r *kvModelRun) apply(c Command) Result {
	decoded, _, err := DecodeCommand(AppendCommand(nil, &c))
	if err != nil {
		r.t.Fatal(err)
	}
	r.now += second
	if c.Op.isV3() && r.m.start == 0 {
		r.m.start = r.m.revision
	}
	result := r.s.Apply(r.now, []Command{decoded})[0]
	r.s.Announce()
	return result
}

// step executes one random command in the store and in the model.
func (r *kvModelRun) step() {
	t, m := r.t, r.m
	switch rapid.IntRange(0, 9).Draw(t, "command") {
	case 0:
		id, ttl := rapid.SampledFrom([]int64{1, 2, -3}).Draw(t, "lease"), rapid.Int64Range(1, 9).Draw(t, "ttl")
		want := Code(0)
		if _, exists := m.leases[id]; exists {
			want = CodeLeaseExists
		} else {
			m.leases[id] = ttl
		}
		r.want(r.apply(Command{Op: OpLeaseGrant, Lease: id, TTL: ttl}).Err, want)
	case 1:
		r.revoke()
	case 2:
		o := genKVOp(t, m, 0)
		for o.Kind != KVPut {
			o = genKVOp(t, m, 0)
		}
		r.txn(Command{Op: OpPut, Path: o.Key, Value: o.Value, Lease: o.Lease, IgnoreValue: o.IgnoreValue, IgnoreLease: o.IgnoreLease},
			&KVTxn{Then: []KVOp{o}})
	case 3:
		keys, prev := genKVKeyRange(t), rapid.Bool().Draw(t, "prev")
		r.txn(Command{Op: OpDeleteRange, Path: keys.From, Value: keys.To, PrevKV: prev},
			&KVTxn{Then: []KVOp{{Kind: KVDeleteRange, Keys: keys, PrevKV: prev}}})
	case 4, 5:
		r.v2()
	case 6:
		r.compact()
	default:
		txn := genKVTxn(t, m, 2)
		if txn.Check(DefaultMaxTxnOps) == nil {
			r.txn(Command{Op: OpKV, KV: txn}, txn)
		}
	}
}

// want compares the code of an error.
func (r *kvModelRun) want(err *Error, want Code) {
	if errorCode(err) != want {
		r.t.Fatalf("got %v, want code %d", err, want)
	}
}

func (r *kvModelRun) compact() {
	revision, want := r.m.revision+2-min(r.m.revision, uint64(rapid.IntRange(0, 9).Draw(r.t, "ago"))), Code(0)
	switch {
	case revision <= r.m.compacted:
		want = CodeCompacted
	case revision > r.m.revision:
		want = CodeFutureRevision
	default:
		r.m.compacted = revision
	}
	r.want(r.apply(Command{Op: OpCompact, Revision: revision}).Err, want)
}

func (r *kvModelRun) revoke() {
	byLeader := rapid.Bool().Draw(r.t, "by the leader")
	ids := rapid.SliceOfNDistinct(rapid.SampledFrom([]int64{1, 2, -3}), 1, 2, rapid.ID[int64]).Draw(r.t, "leases")
	err := r.apply(Command{Op: OpLeaseRevoke, Leases: ids, ByLeader: byLeader}).Err
	for _, id := range ids {
		if _, exists := r.m.leases[id]; !exists && !byLeader {
			r.want(err, CodeLeaseNotFound)
			return
		}
	}
	r.want(err, 0)
	for _, id := range ids {
		delete(r.m.leases, id)
		r.m.change(func(uint64) (changed bool) {
			for key, k := range r.m.keys {
				if k.lease == id {
					delete(r.m.keys, key)
					changed = true
				}
			}
			return changed
		})
	}
}

// txn executes a command that is the same as a transaction.
func (r *kvModelRun) txn(c Command, txn *KVTxn) {
	before := r.s.View()
	if r.m.start == 0 {
		r.m.start = r.m.revision
	}
	want, code := r.m.txn(txn)
	growth := before.Growth(&c)
	result := r.apply(c)
	r.want(result.Err, code)
	if got := r.s.View().Bytes() - before.Bytes(); code == 0 && got != growth {
		r.t.Fatalf("%+v: the tree grew by %d bytes, but Growth has returned %d", c, got, growth)
	}
	if after := r.s.View(); code != 0 && (after.Index() != before.Index() || after.root != before.root) {
		r.t.Fatalf("the failed command %+v has changed the tree", c)
	}
	if code != 0 || c.Op == OpPut {
		return
	}
	var got kvModelResult
	result.KV.addTo(&got)
	if !slices.Equal(got.lines, want.lines) || result.KV.Revision != r.m.revision {
		r.t.Fatalf("%+v\ngot\n%s\nwant\n%s", c, strings.Join(got.lines, "\n"), strings.Join(want.lines, "\n"))
	}
}

// v2 executes a v2 command. Its event says what it changes.
func (r *kvModelRun) v2() {
	t := r.t
	gen := func() Command {
		return Command{
			Op:    rapid.SampledFrom([]Op{OpSet, OpCreate, OpUpdate, OpDelete, OpCompareAndSwap}).Draw(t, "v2"),
			Path:  rapid.SampledFrom([]string{"/a", "/a/b", "/a/b/c", "/d", "/a-b"}).Draw(t, "path"),
			Value: rapid.SampledFrom([]string{"", "v", "2"}).Draw(t, "value"), Recursive: rapid.Bool().Draw(t, "recursive"),
		}
	}
	if rapid.Bool().Draw(t, "transaction") {
		list := []Command{gen(), gen()}
		result := r.apply(Command{Op: OpTxn, Txn: &Txn{Then: list}})
		if result.Err == nil {
			r.m.change(func(revision uint64) bool {
				for i := range result.Txn.Len() {
					r.m.v2Event(revision, result.Txn.Event(i))
				}
				return true
			})
		}
		return
	}
	c := gen()
	c.Dir = c.Op == OpSet && rapid.IntRange(0, 3).Draw(t, "dir") == 0
	if c.Dir {
		c.Value = ""
	}
	if e := r.apply(c).Event; e != nil {
		r.m.change(func(revision uint64) bool {
			r.m.v2Event(revision, e)
			return true
		})
	}
}

// compare compares a store with the model.
func (r *kvModelRun) compare(s *Store) {
	v := s.View()
	if v.Revision() != r.m.revision {
		r.t.Fatalf("revision %d, want %d", v.Revision(), r.m.revision)
	}
	var got []kvModelKey
	byLease := map[int64][]string{}
	for n := range v.Keys(KeyRange{}) {
		got = append(got, kvKeyOf(n))
		if n.Lease() != 0 {
			byLease[n.Lease()] = append(byLease[n.Lease()], n.Path())
		}
	}
	if want := in(r.m.keys, KeyRange{}); !slices.Equal(got, want) {
		r.t.Fatalf("got %+v, want %+v", got, want)
	}
	leases := map[int64]int64{}
	for l := range v.Leases() {
		leases[l.ID] = l.TTL
		if keys := s.LeaseKeys(l.ID); !slices.Equal(keys, byLease[l.ID]) {
			r.t.Fatalf("lease %d has the keys %q, want %q", l.ID, keys, byLease[l.ID])
		}
	}
	if !maps.Equal(leases, r.m.leases) || v.LeaseCount() != len(leases) {
		r.t.Fatalf("leases %v, want %v", leases, r.m.leases)
	}
	if a, b := s.leaseKeys.byKey.Len(), s.leaseKeys.byLease.Len(); a != b || a != lengths(byLease) {
		r.t.Fatalf("%d and %d attachments, want %d", a, b, lengths(byLease))
	}
}

func lengths(lists map[int64][]string) (n int) {
	for _, list := range lists {
		n += len(list)
	}
	return n
}

// reload stores a checkpoint, and compares the store that is loaded from it.
func (r *kvModelRun) reload() {
	r.disk.write(r.s.TakeDelta())
	loaded, err := r.disk.load(1000)
	if err != nil {
		r.t.Fatal(err)
	}
	r.compare(loaded)
	if a, b := r.s.View().HashState(), loaded.View().HashState(); a != b {
		r.t.Fatalf("hash %x, after loading %x", a, b)
	}
}
