package storage

import (
	"bytes"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"

	"pando/tree"
)

// A fold puts what the recent changes say into the nodes, path by path, and then
// forgets them. It takes many transactions, so that none is large, and it may end
// after any of them: until the last one the recent changes are all there, and say
// the same over nodes that hold some of them already.

// foldLimits say when recent changes are folded, and in what portions.
type foldLimits struct {
	least, most int64 // of their bytes
	batch       int   // records in a transaction
}

// usualFolds: below the least a fold would come too often in a small tree, and above
// the most it would need much memory, as would a start.
var usualFolds = foldLimits{least: 4 << 20, most: 64 << 20, batch: 8 << 10}

// foldShare: the bytes of the tree divided by this may be recent. A fold of scattered
// changes writes nearly every page of the nodes: so a change costs about twice this
// many times its size, and a start has this part more to read.
const foldShare = 3

// bound is the most bytes that a tree of so many bytes leaves unfolded.
func (l foldLimits) bound(tree int64) int64 { return min(max(l.least, tree/foldShare), l.most) }

// foldStored: nodes beyond twice those of the tree that may be stored. Deleting a large
// directory is a small change, but a start reads all that is stored.
const foldStored = 10_000

// due reports whether it is time for a fold behind a checkpoint of view.
func (l foldLimits) due(view *tree.View, stats *CheckpointStats) bool {
	return stats.Recent > l.bound(view.Bytes()) || stats.Stored > 2*view.Nodes()+foldStored
}

// Hurry makes folds give way until done is called: the one at work ends with its
// transaction, and none begins. What is left is done behind a later checkpoint. It
// is for those who wait until a checkpoint has ended.
func (d *Disk) Hurry() (done func()) {
	d.hurried.Add(1)
	return func() { d.hurried.Add(-1) }
}

// foldIfDue runs behind a checkpoint, which holds whatever becomes of the fold.
func (d *Disk) foldIfDue(view *tree.View, stats *CheckpointStats) {
	if !d.folds.due(view, stats) {
		return
	}
	start := time.Now()
	f := &fold{batch: d.folds.batch}
	err := d.fold(f, func() bool { return d.hurried.Load() == 0 })
	if err != nil {
		d.lg.Error("the checkpoint holds, but recent changes could not be folded", zap.Error(err))
	}
	if err == nil && f.done {
		stats.Recent = 0
	}
	stats.Folded = f.folded
	stats.Pages += f.pages
	stats.FoldTime = time.Since(start)
}

// fold folds as long as it may go on.
func (d *Disk) fold(f *fold, goOn func() bool) error {
	for !f.done && goOn() {
		pages, err := d.changeState(d.paths.state, f.step)
		if err != nil {
			return err
		}
		f.pages += pages
	}
	return nil
}

// fold is one at work.
type fold struct {
	batch  int
	read   recentReader
	left   *run // what is to be folded yet, its nodes being places; nil until all is read
	arena  arena
	folded int
	pages  int64
	done   bool
}

// step is the next transaction: it reads a portion of the recent changes, or writes one of
// the nodes.
func (f *fold) step(tx *bbolt.Tx) error {
	t, err := openTree(tx)
	if err != nil {
		return err
	}
	if f.left == nil {
		if more, err := f.read.portion(t); more || err != nil {
			return err
		}
		all := f.read.merged()
		f.left = &all
	}
	f.arena = arena{}
	room := room{records: f.batch, bytes: portionBytes}
	if err := f.remove(t.nodes, &room); err != nil {
		return err
	}
	if err := f.change(t, &room); err != nil {
		return err
	}
	if room.left() {
		f.done = true
		if err := t.clearRecent(); err != nil {
			return err
		}
	}
	return t.putTotals()
}

// room is what one transaction may still write.
type room struct {
	records int
	bytes   int64
}

func (r *room) left() bool { return r.records > 0 && r.bytes > 0 }

// remove deletes what is below the removed directories, as far as there is room.
func (f *fold) remove(nodes *recordBucket, room *room) error {
	for room.left() && len(f.left.removed) > 0 {
		n, err := nodes.removePrefix(f.left.removed[0], room.records)
		if err != nil {
			return err
		}
		if room.records -= n; room.left() {
			f.left.removed = f.left.removed[1:]
		}
	}
	return nil
}

// change writes the changed nodes, as far as there is room.
func (f *fold) change(t *treeBucket, room *room) error {
	for room.left() && len(f.left.changes) > 0 {
		n, err := f.put(t, f.left.changes[0])
		if err != nil {
			return err
		}
		f.left.changes = f.left.changes[1:]
		room.records--
		room.bytes -= int64(n)
		f.folded++
		yield(f.folded)
	}
	return nil
}

// put writes one node, and gives its size.
func (f *fold) put(t *treeBucket, c change) (int, error) {
	if len(c.node) == 0 {
		return 0, t.nodes.remove(c.path)
	}
	node, err := t.nodeAt(c.node)
	if err != nil {
		return 0, err
	}
	record := append(f.arena.begin(), node...)
	_, err = t.nodes.put(c.path, f.arena.finish(seal(c.path, record)))
	return len(node), err
}

// recentReader reads the recent changes a portion at a time. In the place of a node it
// keeps where that lies: the nodes may take many times the memory of their paths.
type recentReader struct {
	recent
	next []byte // the key of the next chunk; nil at the beginning
	got  totals
}

// portion reads the next chunks, and reports whether there are more. At the end it checks
// that they are all there.
func (r *recentReader) portion(t *treeBucket) (more bool, err error) {
	c := t.recent.bucket.Cursor()
	key, record := c.Seek(r.next)
	for room := portionBytes; key != nil && room > 0; key, record = c.Next() {
		if err := r.chunk(key, record); err != nil {
			return false, err
		}
		room -= len(record)
	}
	if r.next = bytes.Clone(key); key != nil {
		return true, nil
	}
	if r.got != t.recent.totals || r.bytes != t.recentBytes {
		return false, damaged("%d chunks of recent changes are there, %d were stored", r.got.records, t.recent.totals.records)
	}
	return false, nil
}

// chunk takes one chunk.
func (r *recentReader) chunk(key, record []byte) error {
	chunk, sum, ok := unseal(key, record)
	var number uint64
	if !ok || !readWords(key, &number) {
		return damaged("chunk %x fails its checksum", key)
	}
	parsed, err := parseChunk(chunk)
	if err != nil {
		return err
	}
	r.got.add(sum)
	r.bytes += uint64(len(chunk))
	r.append(parsed.places(number, chunk))
	return nil
}

// places is a copy of the run that a chunk holds, with places for nodes.
func (r run) places(number uint64, chunk []byte) run {
	out := run{changes: make([]change, 0, len(r.changes))}
	for _, dir := range r.removed {
		out.removed = append(out.removed, bytes.Clone(dir))
	}
	size := 0
	for _, c := range r.changes {
		size += len(c.path) + placeBytes
	}
	room := make([]byte, 0, size)
	for rest := chunk; len(rest) > 0; {
		path, behind, _ := cutCounted(rest)
		var node []byte
		node, rest, _ = cutCounted(behind)
		if path[len(path)-1] == '/' {
			continue // of removed
		}
		at := len(room)
		room = append(room, path...)
		c := change{path: room[at:len(room):len(room)]}
		if len(node) > 0 {
			at = len(room)
			room = appendWords(room, number, uint64(len(chunk)-len(rest)-len(node)), uint64(len(node)))
			c.node = room[at:len(room):len(room)]
		}
		out.changes = append(out.changes, c)
	}
	return out
}

// placeBytes is the size of a place: the number of a chunk, and where in it.
const placeBytes = 3 * 8

// nodeAt gives the node at a place, until the transaction changes something.
func (t *treeBucket) nodeAt(place []byte) ([]byte, error) {
	var number, offset, size uint64
	readWords(place, &number, &offset, &size)
	chunk := t.recent.bucket.Get(chunkKey(number))
	if offset+size > uint64(len(chunk)) {
		return nil, damaged("chunk %d of the recent changes has gone", number)
	}
	return chunk[offset : offset+size], nil
}
