package etcdv2

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"google.golang.org/protobuf/encoding/protowire"

	"pando/tree"
)

// digest returns the checksum of a state: its position, the index, the counters, the users, the nodes and the events. The time of an
// event counts as the TTLs that it shows. The number of changes of the users does not count, because etcd has none.
func digest(s *tree.Store, at position) (sum [sha256.Size]byte) {
	d := digester{hash: sha256.New()}
	delta := s.TakeAll()
	v := delta.View
	fmt.Fprintln(d.hash, at.index, at.term, v.Index(), v.Counters(), v.Users().Enabled())
	if v.Mirror() != nil {
		d.hash.Write(v.AppendMirror(nil))
	}
	for key, record := range v.Users().Difference(nil) {
		fmt.Fprintf(d.hash, "%q %q\n", key, record)
	}
	for n := range v.Walk() {
		f := n.Fields()
		d.node(&f)
	}
	next := v.OldestEvent()
	for e := range delta.Events.All() {
		if e.Action() == tree.ActionAuth {
			continue
		}
		d.noEvents(next, e.Index())
		next = e.Index() + 1
		f := e.Fields()
		d.numbers(uint64(f.Action), protowire.EncodeBool(f.Refresh), uint64(shownTime(&f)), protowire.EncodeBool(f.Prev != nil))
		d.node(&f.Node)
		if f.Prev != nil {
			d.node(f.Prev)
		}
	}
	d.noEvents(next, v.Index()+1)
	d.hash.Sum(sum[:0])
	return sum
}

// digester adds the parts of a state to a hash. Each text comes after its length.
type digester struct {
	hash hash.Hash
	buf  []byte
}

func (d *digester) numbers(list ...uint64) {
	d.buf = d.buf[:0]
	for _, n := range list {
		d.buf = binary.AppendUvarint(d.buf, n)
	}
	d.hash.Write(d.buf)
}

func (d *digester) node(f *tree.NodeFields) {
	d.numbers(uint64(len(f.Path)), uint64(len(f.Value)), protowire.EncodeBool(f.Dir), f.Created, f.Modified, uint64(f.Expires))
	d.buf = append(append(d.buf[:0], f.Path...), f.Value...)
	d.hash.Write(d.buf)
}

// noEvents adds that the indexes from first to before end have no event that a client can see.
func (d *digester) noEvents(first, end uint64) {
	if first < end {
		d.numbers(uint64(tree.ActionAuth), first, end)
	}
}
