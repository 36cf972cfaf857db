package tree

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// kvModel is the state of the v3 API: a map of keys, and the leases.
type kvModel struct {
	revision uint64
	keys     map[string]kvModelKey
	leases   map[int64]int64 // ID -> TTL
	past     map[uint64]map[string]kvModelKey
	// start is the revision before the first command of the v3 API, or zero. Reads of the log can't go back before it.
	start, compacted uint64
}

type kvModelKey struct {
	key, value           string
	create, mod, version uint64
	lease                int64
}

func (k *kvModelKey) String() string {
	return fmt.Sprintf("%q=%q create %d mod %d version %d lease %d", k.key, k.value, k.create, k.mod, k.version, k.lease)
}

func newKVModel(revision uint64) *kvModel {
	m := &kvModel{revision: revision, keys: map[string]kvModelKey{}, leases: map[int64]int64{}, past: map[uint64]map[string]kvModelKey{}}
	m.past[revision] = maps.Clone(m.keys)
	return m
}

// change executes a function that changes keys at the next revision, and takes this revision if it does.
func (m *kvModel) change(do func(revision uint64) (changed bool)) {
	if do(m.revision + 1) {
		m.revision++
		m.past[m.revision] = maps.Clone(m.keys)
	}
}

func (m *kvModel) put(revision uint64, key, value string, lease int64) {
	k := m.keys[key]
	if k.version == 0 {
		k.create = revision
	}
	m.keys[key] = kvModelKey{key: key, value: value, create: k.create, mod: revision, version: k.version + 1, lease: lease}
}

// in returns the keys of a range in their order.
func in(keys map[string]kvModelKey, r KeyRange) (list []kvModelKey) {
	for key, k := range keys {
		if key >= r.From && (r.To == "" || key < r.To) {
			list = append(list, k)
		}
	}
	slices.SortFunc(list, func(a, b kvModelKey) int { return cmp.Compare(a.key, b.key) })
	return list
}

// holds evaluates a compare.
func (m *kvModel) holds(c *KVCompare) bool {
	list := in(m.keys, c.KeyRange)
	if len(list) == 0 {
		if c.Target == KVTargetValue {
			return false
		}
		list = []kvModelKey{{}}
	}
	for _, k := range list {
		order := map[KVTarget]int{
			KVTargetVersion: cmp.Compare(int64(k.version), c.Number), KVTargetCreate: cmp.Compare(int64(k.create), c.Number),
			KVTargetMod: cmp.Compare(int64(k.mod), c.Number), KVTargetLease: cmp.Compare(k.lease, c.Number),
			KVTargetValue: strings.Compare(k.value, c.Value),
		}[c.Target]
		if !map[KVRelation]bool{KVEqual: order == 0, KVGreater: order > 0, KVLess: order < 0, KVNotEqual: order != 0}[c.Result] {
			return false
		}
	}
	return true
}

// kvModelResult is the expected result of a transaction, in a form that can be compared.
type kvModelResult struct {
	lines []string
}

func (r *kvModelResult) add(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

// txn executes a transaction. It returns the code of the error, or zero.
func (m *kvModel) txn(t *KVTxn) (*kvModelResult, Code) {
	branches := map[*KVTxn]bool{}
	m.evaluate(t, branches)
	if code := m.check(t, branches); code != 0 {
		return nil, code
	}
	before := maps.Clone(m.keys)
	r := &kvModelResult{}
	changed := false
	code := m.execute(t, branches, r, &changed)
	switch {
	case code != 0:
		m.keys = before
		return nil, code
	case changed:
		m.change(func(uint64) bool { return true })
	}
	return r, 0
}

func (m *kvModel) evaluate(t *KVTxn, branches map[*KVTxn]bool) {
	branches[t] = true
	for i := range t.Compares {
		branches[t] = branches[t] && m.holds(&t.Compares[i])
	}
	for _, o := range t.branch(branches[t]) {
		if o.Kind == KVNested {
			m.evaluate(o.Txn, branches)
		}
	}
}

func (m *kvModel) check(t *KVTxn, branches map[*KVTxn]bool) Code {
	for _, o := range t.branch(branches[t]) {
		var code Code
		switch o.Kind {
		case KVPut:
			code = m.checkPut(&o)
		case KVRange:
			switch {
			case o.Range.Revision > m.revision:
				code = CodeFutureRevision
			case o.Range.Revision != 0 && o.Range.Revision < max(m.start, m.compacted):
				code = CodeCompacted
			}
		case KVNested:
			code = m.check(o.Txn, branches)
		}
		if code != 0 {
			return code
		}
	}
	return 0
}

func (m *kvModel) checkPut(o *KVOp) Code {
	if _, ok := m.leases[o.Lease]; o.Lease != 0 && !ok {
		return CodeLeaseNotFound
	}
	if _, ok := m.keys[o.Key]; !ok && (o.IgnoreValue || o.IgnoreLease) {
		return CodeKeyMissing
	}
	return 0
}

func (m *kvModel) execute(t *KVTxn, branches map[*KVTxn]bool, r *kvModelResult, changed *bool) Code {
	r.add("succeeded %v", branches[t])
	for _, o := range t.branch(branches[t]) {
		switch o.Kind {
		case KVPut:
			prev, exists := m.keys[o.Key]
			if !exists && (o.IgnoreValue || o.IgnoreLease) {
				return CodeKeyMissing
			}
			value, lease := o.Value, o.Lease
			if o.IgnoreValue {
				value = prev.value
			}
			if o.IgnoreLease {
				lease = prev.lease
			}
			m.put(m.revision+1, o.Key, value, lease)
			*changed = true
			if o.PrevKV && exists {
				r.add("prev %s", &prev)
			}
		case KVDeleteRange:
			removed := in(m.keys, o.Keys)
			for _, k := range removed {
				delete(m.keys, k.key)
				*changed = true
			}
			r.add("deleted %d", len(removed))
			if o.PrevKV {
				for _, k := range removed {
					r.add("prev %s", &k)
				}
			}
		case KVRange:
			m.read(o.Range, r)
		case KVNested:
			if code := m.execute(o.Txn, branches, r, changed); code != 0 {
				return code
			}
		}
		at := m.revision
		if *changed {
			at++
		}
		r.add("revision %d", at)
	}
	return 0
}

func (m *kvModel) read(q *RangeQuery, r *kvModelResult) {
	keys := m.keys
	if q.Revision != 0 {
		keys = m.past[q.Revision]
	}
	list := in(keys, q.KeyRange)
	r.add("count %d", len(list))
	if q.Limit > 0 && int64(len(list)) > q.Limit {
		list = list[:q.Limit]
		r.add("more")
	}
	for _, k := range list {
		r.add("key %s", &k)
	}
}

// kvKeyOf returns a file in the form of the model.
func kvKeyOf(n *Node) kvModelKey {
	return kvModelKey{
		key: n.Path(), value: n.Value(), create: n.CreateRevision(), mod: n.ModRevision(), version: n.Version(), lease: n.Lease(),
	}
}

// lines returns a result in the form of the model.
func (r *KVResult) addTo(m *kvModelResult) {
	m.add("succeeded %v", r.Succeeded)
	for i := range r.Ops {
		o := &r.Ops[i]
		if o.Kind == KVDeleteRange {
			m.add("deleted %d", o.Deleted)
		}
		for _, n := range o.Prev {
			k := kvKeyOf(n)
			m.add("prev %s", &k)
		}
		switch o.Kind {
		case KVRange:
			m.add("count %d", o.Range.Count)
			if o.Range.More {
				m.add("more")
			}
			for _, n := range o.Range.Nodes {
				k := kvKeyOf(n)
				m.add("key %s", &k)
			}
		case KVNested:
			o.Txn.addTo(m)
		}
		m.add("revision %d", o.Revision)
	}
}

// v2Event makes the change of an event of a v2 command.
func (m *kvModel) v2Event(revision uint64, e *Event) {
	path := e.Node().Path()
	switch {
	case e.Action().Removes() && e.Node().IsDir():
		for key := range m.keys {
			if strings.HasPrefix(key, path+"/") && isPathKey(key) {
				delete(m.keys, key)
			}
		}
	case e.Action().Removes():
		delete(m.keys, path)
	case e.Node().IsDir():
		if e.prev != nil && !e.prev.IsDir() {
			delete(m.keys, path) // the directory has replaced a file
		}
	default:
		if e.Action() == ActionSet {
			delete(m.keys, path)
		}
		m.put(revision, path, e.Node().Value(), 0)
	}
}
