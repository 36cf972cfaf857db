package tree

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pando/tree/users"
)

// checkpoint is a simple implementation of a checkpoint: it follows the comment of Delta.
type checkpoint struct {
	state  []byte
	nodes  map[string][]byte
	keys   map[string][]byte // plain and shadowed files
	events map[uint64][]byte
	// removed holds the nodes that the events have removed with a directory.
	removed map[string][]byte
	mirror  []byte            // nil if there is none
	head    []byte            // of the users; nil if there are none
	users   map[string][]byte // the records of users and roles
	leases  map[string][]byte
	// decodesAll makes load decode the files of the events that are in the tree.
	decodesAll bool
}

func newCheckpoint() *checkpoint {
	return &checkpoint{
		state: New(1).View().AppendState(nil),
		nodes: map[string][]byte{}, keys: map[string][]byte{}, events: map[uint64][]byte{}, removed: map[string][]byte{},
		users: map[string][]byte{}, leases: map[string][]byte{},
	}
}

func (p *checkpoint) write(d *Delta) {
	d.Sort()
	for _, dir := range d.Removed {
		for path := range p.nodes {
			if strings.HasPrefix(path, dir+"/") {
				delete(p.nodes, path)
			}
		}
		for key := range p.keys {
			if strings.HasPrefix(key, dir+"/") && isPathKey(key) {
				delete(p.keys, key)
			}
		}
	}
	for _, path := range d.Changed {
		if n := d.View.Lookup(path); n != nil {
			p.nodes[path] = AppendNode(nil, n)
		} else {
			delete(p.nodes, path)
		}
	}
	for _, key := range d.ChangedKeys {
		if n := d.View.V3OnlyKey(key); n != nil {
			p.keys[key] = AppendNode(nil, n)
		} else {
			delete(p.keys, key)
		}
	}
	for e := range d.Events.All() {
		p.events[e.Index()] = AppendEvent(nil, e)
		for n := range d.View.RemovedNodes(e) {
			p.removed[string(n.AppendKey(nil))] = AppendNode(nil, n.Node)
		}
	}
	maps.DeleteFunc(p.removed, func(key string, _ []byte) bool {
		return binary.BigEndian.Uint64([]byte(key)) < d.OldestEvent
	})
	for i := range p.events {
		if i < d.OldestEvent {
			delete(p.events, i)
		}
	}
	p.state, p.mirror = d.View.AppendState(nil), d.View.AppendMirror(nil)
	p.writeUsers(d)
	p.writeLeases(d)
}

func (p *checkpoint) writeLeases(d *Delta) {
	for _, id := range d.ChangedLeases {
		key := string(AppendLeaseKey(nil, id))
		if lease, ok := d.View.Lease(id); ok {
			p.leases[key] = AppendLease(nil, lease)
		} else {
			delete(p.leases, key)
		}
	}
}

// writeAll is write for a delta of the whole tree. p must be new.
func (p *checkpoint) writeAll(d *Delta) {
	for n := range d.View.Walk() {
		p.nodes[n.Path()] = AppendNode(nil, n)
		if file := n.Shadowed(); file != nil {
			p.keys[file.Path()] = AppendNode(nil, file)
		}
	}
	for n := range d.View.PlainKeys() {
		p.keys[n.Path()] = AppendNode(nil, n)
	}
	for l := range d.View.Leases() {
		p.leases[string(AppendLeaseKey(nil, l.ID))] = AppendLease(nil, l)
	}
	p.write(d)
}

func (p *checkpoint) writeUsers(d *Delta) {
	now := d.View.Users()
	if now == d.UsersBefore || now.IsZero() {
		return
	}
	for key, record := range now.Difference(d.UsersBefore) {
		if record == nil {
			delete(p.users, string(key))
		} else {
			p.users[string(key)] = record
		}
	}
	p.head = now.AppendHead(nil)
}

func (p *checkpoint) load(historySize int) (*Store, error) {
	l := NewLoader(historySize)
	if err := l.State(p.state); err != nil {
		return nil, err
	}
	if p.mirror != nil {
		if err := l.Mirror(p.mirror); err != nil {
			return nil, err
		}
	}
	if p.head != nil {
		if err := l.Users(p.head); err != nil {
			return nil, err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p.users)) {
		if err := l.UserRecord([]byte(key), p.users[key]); err != nil {
			return nil, err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p.leases)) {
		if err := l.Lease([]byte(key), p.leases[key]); err != nil {
			return nil, err
		}
	}
	events := slices.Sorted(maps.Keys(p.events))
	if len(events) > 0 && !p.decodesAll {
		l.ShareFiles(events[0], uint64(len(events)))
	}
	for _, path := range slices.Sorted(maps.Keys(p.nodes)) {
		if err := l.Node(path, p.nodes[path]); err != nil {
			return nil, err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p.keys)) {
		if err := l.V3OnlyKey(key, p.keys[key]); err != nil {
			return nil, err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p.removed)) {
		if err := l.RemovedNode([]byte(key), p.removed[key]); err != nil {
			return nil, err
		}
	}
	for _, i := range events {
		if err := l.Event(p.events[i]); err != nil {
			return nil, err
		}
	}
	return l.Finish()
}

// stateBytes encodes the whole state. Two members with the same bytes have the same state.
func stateBytes(s *Store) []byte {
	v := s.View()
	b := v.AppendMirror(v.AppendState(nil))
	b = append(b, usersBytes(v.Users())...)
	for _, n := range []int64{v.Nodes(), v.Bytes(), v.NextExpiry(), int64(v.OldestEvent()), v.HistoryBytes()} {
		b = binary.AppendVarint(b, n)
	}
	b = appendTree(b, v)
	for i := s.history.next(v.OldestEvent()); i <= v.Index(); i = s.history.next(i + 1) {
		b = AppendEvent(append(b, "\nevent "...), s.history.at(i))
		b = append(b, s.history.at(i).AppendJSON(nil)...)
		for n := range v.RemovedNodes(s.history.at(i)) {
			b = AppendNode(n.AppendKey(append(b, "\nremoved "...)), n.Node)
		}
	}
	return b
}

// appendTree appends all nodes and plain keys.
func appendTree(b []byte, v *View) []byte {
	walk(v.root, func(n *Node) {
		b = append(append(b, "\nnode "...), n.Path()...)
		b = AppendNode(append(b, ' '), n)
		if n.IsDir() {
			b = appendTotals(b, n.directory())
		}
		if file := n.Shadowed(); file != nil {
			b = AppendNode(append(b, "\nshadowed "...), file)
		}
	})
	for n := range v.PlainKeys() {
		b = append(append(b, "\nplain "...), n.Path()...)
		b = AppendNode(append(b, ' '), n)
	}
	return b
}

// usersBytes encodes the users, the roles and the auth switch.
func usersBytes(s *users.State) []byte {
	b := s.AppendHead(nil)
	for key, record := range s.Difference(nil) {
		b = append(append(append(b, "\nuser "...), key...), record...)
	}
	return b
}

// appendTotals appends the totals and the TTLs of a directory.
func appendTotals(b []byte, d *directory) []byte {
	b = fmt.Appendf(b, "\nbelow: %d nodes, %d keys, %d bytes", d.nodes, d.keys, d.bytes)
	if d.due != nil {
		d.due.Scan(func(e expiry) bool {
			b = fmt.Appendf(b, ", due %d %s", e.at, e.path)
			return true
		})
	}
	return b
}

func mustLoad(t *testing.T, disk *checkpoint) *Store {
	t.Helper()
	loaded, err := disk.load(10)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}
