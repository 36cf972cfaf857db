package tree

import (
	"slices"
	"sync"
)

// removals keeps the directories that were removed last, with all nodes below them, for the watchers of WatchEach. Any goroutine may call
// its methods, unless their comments say otherwise.
//
// Their size is bounded. A directory that is larger than the limit is kept only while watchers hold it, and no other directory is kept
// beside it. If a directory is dropped, the watchers that return its nodes end with an incomplete event.
type removals struct {
	mu      sync.Mutex
	limit   int64     // in bytes
	kept    []removal // in the order of the indexes
	bytes   int64     // of all that are kept
	dropped uint64    // the number of directories that were dropped for the limit
}

// removal is a directory that was removed by the event with an index.
type removal struct {
	index   uint64
	dir     *Node
	bytes   int64
	holders int // the number of calls of hold minus those of release
}

// removedNodeBytes is about the memory that a node needs beside its path and value.
const removedNodeBytes = 128

// add adds a directory. Only the applying goroutine may call it, and it must call trim after the event was announced.
func (r *removals) add(index uint64, dir *Node) {
	d := dir.directory()
	size := dir.bytes() + d.bytes + (d.nodes+1)*removedNodeBytes
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append(r.kept, removal{index: index, dir: dir, bytes: size})
	r.bytes += size
}

// trim drops the directories that were removed before the index oldest and that nobody holds, and the oldest ones beyond the limit.
func (r *removals) trim(oldest uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.kept) > 0 && r.kept[0].index < oldest && r.kept[0].holders == 0 {
		r.drop(0)
	}
	r.trimLocked()
}

// trimLocked drops what is beyond the limit. Callers must hold mu.
func (r *removals) trimLocked() {
	if last := len(r.kept) - 1; last >= 0 && r.kept[last].bytes > r.limit && r.kept[last].holders == 0 {
		r.drop(last) // otherwise all others would be dropped for it
		r.dropped++
	}
	for r.bytes > r.limit && len(r.kept) > 1 {
		r.drop(0)
		r.dropped++
	}
}

func (r *removals) drop(i int) {
	r.bytes -= r.kept[i].bytes
	r.kept = slices.Delete(r.kept, i, i+1)
}

// reset drops all directories.
func (r *removals) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept, r.bytes = nil, 0
}

// find returns the removal with an index, or nil. It is valid until mu is unlocked. Callers must hold mu.
func (r *removals) find(index uint64) *removal {
	i, found := slices.BinarySearchFunc(r.kept, index, func(k removal, index uint64) int {
		switch {
		case k.index < index:
			return -1
		case k.index > index:
			return 1
		}
		return 0
	})
	if !found {
		return nil
	}
	return &r.kept[i]
}

// dir returns the directory that the event with an index removed, or nil if it is not kept.
func (r *removals) dir(index uint64) *Node {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.find(index); k != nil {
		return k.dir
	}
	return nil
}

// hold keeps a directory that is larger than the limit until release is called. It returns false if the directory is not kept.
func (r *removals) hold(index uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.find(index)
	if k == nil {
		return false
	}
	k.holders++
	return true
}

// release ends a hold.
func (r *removals) release(index uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.find(index); k != nil {
		k.holders--
		r.trimLocked()
	}
}
