package tree

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"pando/tree/users"
)

// keyState is what a reader sees of a key.
type keyState struct {
	value string
	mod   uint64
}

// keyStates holds the keys of a tree by revision. A command that makes several revisions has only its last one in it.
type keyStates map[uint64]map[string]keyState

// record adds the keys of a view.
func (k keyStates) record(v *View) {
	if k[v.Revision()] == nil {
		k[v.Revision()] = keysOf(v, KeyRange{})
	}
}

// keysOf returns the keys in a range.
func keysOf(r KeyReader, keys KeyRange) map[string]keyState {
	all := map[string]keyState{}
	for n := range r.Keys(keys) {
		all[n.Path()] = keyState{n.Value(), n.ModRevision()}
	}
	return all
}

// within returns the keys in a range.
func within(all map[string]keyState, keys KeyRange) map[string]keyState {
	some := map[string]keyState{}
	for key, state := range all {
		if inRange(key, keys) {
			some[key] = state
		}
	}
	return some
}

// keyReplica is a reader of a KeyWatcher that makes the changes that it gets to a map.
type keyReplica struct {
	w        *KeyWatcher
	keys     map[string]keyState
	before   map[string]keyState // the keys before the revision last
	inexact  bool                // the state at the beginning is not known
	created  map[string]bool     // the keys that the revision last has created so far
	last     uint64              // the revision of the last event
	returned uint64
	lost     bool
	merged   []*keyReplica // their watchers were merged into this one
}

// poll polls the watcher once and checks what it returns.
func (r *keyReplica) poll(t *rapid.T, states keyStates, maxBytes int) {
	b, err := r.w.Poll(maxBytes)
	if err != nil {
		if err.Code != CodeCompacted || err.Revision <= r.returned {
			t.Fatalf("revision %d was returned: %v, compacted %d", r.returned, err, err.Revision)
		}
		r.lost = true
		return
	}
	for _, one := range append(r.merged, r) {
		one.take(t, states, &b)
	}
}

// take makes the changes of a batch.
func (r *keyReplica) take(t *rapid.T, states keyStates, b *KeyBatch) {
	for i := range b.Events {
		e := &b.Events[i]
		if r.last != e.Revision() {
			r.check(t, states, r.last)
		}
		r.change(t, e)
	}
	if b.Revision < r.returned {
		t.Fatalf("the progress went from revision %d back to %d", r.returned, b.Revision)
	}
	if r.returned = b.Revision; !b.Partial {
		r.check(t, states, r.returned)
	} else if b.Revision >= r.last {
		t.Fatalf("the progress is %d within revision %d", b.Revision, r.last)
	}
}

// change makes the change of one event.
func (r *keyReplica) change(t *rapid.T, e *KeyEvent) {
	key := e.Node.Path()
	if e.Revision() < r.last || e.Revision() <= r.returned || e.Revision() < r.w.Start() || !inRange(key, r.w.Keys()) {
		t.Fatalf("event of %q at revision %d after %d, returned %d, start %d", key, e.Revision(), r.last, r.returned, r.w.Start())
	}
	if r.last != e.Revision() {
		r.last, r.before, r.created = e.Revision(), maps.Clone(r.keys), map[string]bool{}
	}
	if _, exists := r.keys[key]; !exists && !e.Deleted {
		r.created[key] = true
	}
	before, exists := r.before[key]
	exists = exists && (e.Deleted || !r.created[key])
	switch {
	case r.inexact:
	case exists != (e.Prev != nil):
		t.Fatalf("event of %q at revision %d: want prev %v, got %v", key, r.last, exists, e.Prev)
	case exists && before != keyState{e.Prev.Value(), e.Prev.ModRevision()}:
		t.Fatalf("event of %q at revision %d: prev %d, before %v", key, r.last, e.Prev.ModRevision(), before)
	}
	if _, exists := r.keys[key]; e.Deleted && !exists && !r.inexact {
		t.Fatalf("%q was deleted twice", key)
	}
	if e.Deleted {
		delete(r.keys, key)
	} else {
		r.keys[key] = keyState{e.Node.Value(), e.Node.ModRevision()}
	}
}

// check compares the keys with those of a revision, if these are known.
func (r *keyReplica) check(t *rapid.T, states keyStates, revision uint64) {
	want := states[revision]
	if want == nil || r.inexact || revision < r.w.Start() {
		return
	}
	if want := within(want, r.w.Keys()); !maps.Equal(r.keys, want) {
		t.Fatalf("revision %d of %q: got %v, want %v", revision, r.w.Keys(), r.keys, want)
	}
}

// genKeyRange draws a range of keys.
func genKeyRange(t *rapid.T) KeyRange {
	key := genPath(t, nil)
	switch rapid.IntRange(0, 4).Draw(t, "form") {
	case 0:
		return KeyRange{From: key, To: key + "\x00"}
	case 1, 2:
		return KeyRange{From: key, To: users.PrefixEnd(key)}
	case 3:
		return KeyRange{From: key, To: genPath(t, nil)}
	}
	return KeyRange{From: rapid.SampledFrom([]string{"", "\x00", "/a"}).Draw(t, "from")}
}

// keyRun is one run of TestKeyWatchers.
type keyRun struct {
	t        *rapid.T
	s        *Store
	m        *model
	now      int64
	states   keyStates
	replicas []*keyReplica
}

// step makes one random step.
func (r *keyRun) step() {
	switch rapid.IntRange(0, 16).Draw(r.t, "step") {
	case 0, 1, 2, 3:
		r.apply()
	case 10, 11, 12:
		r.changeKey()
	case 13, 14:
		r.readPast()
	case 4:
		r.s.Announce()
	case 5:
		r.open()
	case 6, 7, 8:
		if len(r.replicas) > 0 {
			one := rapid.SampledFrom(r.replicas).Draw(r.t, "watcher")
			one.poll(r.t, r.states, rapid.SampledFrom([]int{1, 200, 1 << 20}).Draw(r.t, "bytes"))
			r.dropLost()
		}
	case 9:
		r.compact()
	case 15, 16:
		r.merge()
	}
}

// apply applies one command.
func (r *keyRun) apply() {
	r.now = genNow(r.t, r.now)
	c := genCommand(r.t, r.m, r.now)
	_, _ = r.m.do(r.now, c)
	r.s.Apply(r.now, []Command{c})
	r.states.record(r.s.View())
	if rapid.Bool().Draw(r.t, "announce") {
		r.s.Announce()
	}
}

// changeKey puts or deletes a key as the v3 API does.
func (r *keyRun) changeKey() {
	key := rapid.SampledFrom([]string{"/a", "/b", "/a/a", "/a-b/b", "/_h/a", "a", "/a/", "/a//b", ""}).Draw(r.t, "key")
	if rapid.IntRange(0, 2).Draw(r.t, "v3") == 0 {
		deleteForTest(r.s, key)
	} else {
		putForTest(r.s, key, rapid.SampledFrom(genValues).Draw(r.t, "value"))
	}
	r.states.record(r.s.View())
}

// putForTest puts a key as the v3 API does.
func putForTest(s *Store, key, value string) {
	s.epoch++
	s.startKeyHistory()
	n, prev := newFile(key, value, 0, 0), s.View().Key(key)
	e := &Event{action: ActionSet, node: n, prev: prev, v3Only: s.isV3Only(key)}
	if prev == nil {
		n.setNumbers(s.newNumbers(s.index + 1))
	} else {
		n.setNumbers(s.nextNumbers(prev))
		e.action = ActionUpdate
	}
	s.putKey(n)
	s.emit(e, nil)
	s.publish()
}

// deleteForTest deletes a key, if it exists, as the v3 API does.
func deleteForTest(s *Store, key string) {
	n := s.View().Key(key)
	if n == nil {
		return
	}
	s.epoch++
	s.startKeyHistory()
	e := &Event{action: ActionDelete, node: tombstone(n, s.nextNumbers(n)), prev: n, v3Only: s.isV3Only(key)}
	s.deleteKey(key)
	s.emit(e, nil)
	s.publish()
}

// open opens a watcher.
func (r *keyRun) open() {
	keys, v := genKeyRange(r.t), r.s.View()
	if len(r.replicas) > 0 && rapid.Bool().Draw(r.t, "same keys") {
		keys = rapid.SampledFrom(r.replicas).Draw(r.t, "watcher").w.Keys()
	}
	start := rapid.Uint64Range(0, v.Revision()+2).Draw(r.t, "start")
	w, err := r.s.WatchKeys(keys, start)
	if err != nil {
		if err.Code != CodeCompacted || err.Revision <= start || err.Revision > v.Revision()+1 {
			r.t.Fatalf("start %d: %v, compacted %d", start, err, err.Revision)
		}
		return
	}
	if start < v.CompactRevision() && start != 0 {
		r.t.Fatalf("a watch begins with revision %d, but %d is compacted", start, v.CompactRevision())
	}
	before := r.states[w.Start()-1]
	one := &keyReplica{w: w, keys: within(before, keys), inexact: before == nil, returned: min(w.Start()-1, v.Revision())}
	r.replicas = append(r.replicas, one)
}

// merge merges two watchers, if they are at the same place.
func (r *keyRun) merge() {
	if len(r.replicas) < 2 {
		return
	}
	i := rapid.IntRange(0, len(r.replicas)-2).Draw(r.t, "watcher")
	from, into := r.replicas[i], r.replicas[i+1]
	if from.w.MergeInto(into.w) {
		into.merged = append(append(into.merged, from), from.merged...)
		from.merged = nil
		r.replicas = slices.Delete(r.replicas, i, i+1)
	}
}

// compact compacts the history at a random revision, or begins to keep it.
func (r *keyRun) compact() {
	v := r.s.View()
	r.s.startKeyHistory()
	revision := rapid.Uint64Range(0, v.Revision()+1).Draw(r.t, "compact")
	err := r.s.compactHistory(revision)
	allowed := revision > v.CompactRevision() && revision <= v.Revision() || revision == 0 && v.CompactRevision() == 0
	if (err == nil) != allowed {
		r.t.Fatalf("compact %d of %d, compacted %d: %v", revision, v.Revision(), v.CompactRevision(), err)
	}
	r.s.Apply(r.now, nil)
}

func (r *keyRun) dropLost() {
	r.replicas = slices.DeleteFunc(r.replicas, func(one *keyReplica) bool {
		if one.lost {
			one.w.Close()
		}
		return one.lost
	})
}

// finish polls all watchers until they have returned everything.
func (r *keyRun) finish() {
	r.s.Announce()
	for _, one := range r.replicas {
		for !one.lost && one.returned < r.s.View().Revision() {
			one.poll(r.t, r.states, 100)
		}
	}
}

// TestKeyWatchers opens watchers at random revisions, and reads old ones, while the tree changes and the history is compacted. Each watcher
// must return every event of its range once and in order.
func TestKeyWatchers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{1, 4, 1000}).Draw(t, "history")
		r := &keyRun{t: t, s: New(size), m: newModel(size), now: 100 * second, states: keyStates{}}
		if rapid.Bool().Draw(t, "scopes") {
			r.s.SetHistoryLimits(HistoryLimits{ScopeBytes: 1 << 20})
		}
		if rapid.Bool().Draw(t, "counts") {
			r.s.StartRevisions()
		}
		r.states.record(r.s.View())
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			r.step()
		}
		r.finish()
		if n := r.s.KeyWatchers(); n != len(r.replicas) {
			t.Fatal(fmt.Sprint(n, " watchers are open"))
		}
	})
}
