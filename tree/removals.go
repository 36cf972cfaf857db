package tree

import (
	"cmp"
	"slices"
	"sync"
)

// removals keeps the directories that were removed last, with all nodes below them, for the watchers of WatchEach. Any goroutine may call
// its methods, unless their comments say otherwise.
//
// Their size is bounded. A directory that is larger than the limit is kept only while watchers hold it, and beside those within the limit
// there is at most one. If a directory is dropped, the watchers that return its nodes end with an incomplete event.
type removals struct {
	mu      sync.Mutex
	limit   int64     // in bytes
	kept    []removal // those that are not larger than the limit, in the order of the indexes
	bytes   int64     // of all in kept
	large   []removal // those that are larger than the limit, in the order of the indexes; after trim at most one
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
	size := dir.bytes() + d.bytes + int64(d.nodes+1)*removedNodeBytes
	r.mu.Lock()
	defer r.mu.Unlock()
	added := removal{index: index, dir: dir, bytes: size}
	if size > r.limit {
		r.large = append(r.large, added)
		return
	}
	r.kept = append(r.kept, added)
	r.bytes += size
}

// trim drops the directories that were removed before the index oldest and that nobody holds, and those beyond the limit.
func (r *removals) trim(oldest uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.kept) > 0 && r.kept[0].index < oldest && r.kept[0].holders == 0 {
		r.dropFirst()
	}
	for r.bytes > r.limit {
		r.dropFirst()
		r.dropped++
	}
	r.trimLarge()
}

// dropFirst drops the first directory of kept. Callers must hold mu.
func (r *removals) dropFirst() {
	r.bytes -= r.kept[0].bytes
	r.kept[0] = removal{}
	r.kept = r.kept[1:]
}

// trimLarge drops all directories of large but the last one that is held. Callers must hold mu.
func (r *removals) trimLarge() {
	var last []removal
	for _, l := range r.large {
		if l.holders > 0 {
			last = []removal{l}
		}
	}
	r.dropped += uint64(len(r.large) - len(last))
	r.large = last
}

// use returns about the memory of all directories, and the number of those that were dropped for the limit.
func (r *removals) use() (bytes int64, dropped uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	bytes = r.bytes
	for _, l := range r.large {
		bytes += l.bytes
	}
	return bytes, r.dropped
}

// reset drops all directories.
func (r *removals) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept, r.large, r.bytes = nil, nil, 0
}

// find returns the removal with an index, or nil. It is valid until mu is unlocked. Callers must hold mu.
func (r *removals) find(index uint64) *removal {
	i, found := slices.BinarySearchFunc(r.kept, index, func(k removal, index uint64) int { return cmp.Compare(k.index, index) })
	if found {
		return &r.kept[i]
	}
	for i := range r.large {
		if r.large[i].index == index {
			return &r.large[i]
		}
	}
	return nil
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

// hold keeps a directory that is larger than the limit until release is called, or until another such directory is held. It returns false
// if the directory is not kept.
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
		r.trimLarge()
	}
}
