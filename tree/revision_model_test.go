package tree

import (
	"maps"

	"pgregory.net/rapid"
)

// modelRevisions counts revisions in the model: it notes the revision and the sub of each index.
type modelRevisions struct {
	counts bool
	last   uint64
	at     map[uint64][2]uint64 // by index
	inTxn  bool
	sub    uint64 // the number of changes of the transaction
}

func (r *modelRevisions) start() { r.counts = true }

func (r *modelRevisions) clone() modelRevisions {
	c := *r
	c.at = maps.Clone(r.at)
	return c
}

// add notes the revision of an event.
func (r *modelRevisions) add(index uint64, e *modelEvent) {
	switch {
	case !r.counts:
		r.last = index
	case e.action == "auth":
	case !r.inTxn:
		r.last++
	default:
		if r.sub == 0 {
			r.last++
		}
		r.sub++
		r.at[index] = [2]uint64{r.last, r.sub - 1}
		return
	}
	r.at[index] = [2]uint64{r.last, 0}
}

// first returns the stored version of a new node.
func (r *modelRevisions) first() uint64 {
	if r.counts {
		return 1
	}
	return 0
}

// after returns the stored version of the node that replaces another one.
func (r *modelRevisions) after(old modelNode) uint64 {
	switch {
	case !r.counts || old.dir:
		return r.first()
	case old.version > 0:
		return old.version + 1
	case old.created == old.modified:
		return 2
	}
	return 3
}

// compareNumbers compares the revisions of a node with those that the model has for its indexes.
func compareNumbers(t *rapid.T, m *model, n *Node) {
	if n == nil || n.Path() == "/" && n.ModifiedIndex() == 0 {
		return
	}
	created, modified := m.numbers.revision(n.CreatedIndex()), m.numbers.revision(n.ModifiedIndex())
	if n.IsDir() {
		created = [2]uint64{}
	}
	if n.CreateRevision() != created[0] || n.ModRevision() != modified[0] || n.Sub() != modified[1] {
		t.Fatalf("%s at the indexes %d, %d has the revisions %d, %d.%d, want %d, %d", n.Path(), n.CreatedIndex(), n.ModifiedIndex(),
			n.CreateRevision(), n.ModRevision(), n.Sub(), created[0], modified)
	}
}

// revision returns the revision and the sub of an index.
func (r *modelRevisions) revision(index uint64) [2]uint64 { return r.at[index] }
