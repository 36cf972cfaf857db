package storage

import (
	"bytes"
	"encoding/binary"
)

// A chunk is a part of a delta: a sequence of paths, each with the stored form of its
// node. An empty node says that the path was deleted. A path that ends in a slash says
// that everything below a directory was deleted; such paths come first and have an empty
// node. The other paths are in ascending order.

// chunkBytes is the largest size of a chunk that holds more than one node. bbolt puts large
// values two by two into leaf pages, and writes the last leaf again with the next
// checkpoint: so a chunk is small beside a usual delta, and large beside a page. Two
// chunks, with what bbolt adds to them, fill sixteen pages.
const chunkBytes = 32<<10 - 64

// chunkWriter appends a delta to the bucket of the deltas.
type chunkWriter struct {
	bucket *recordBucket
	next   uint64 // the key of the next chunk
	chunk  []byte
	bytes  uint64 // size of the chunks written so far
	stored int64  // the same, with their keys and checksums
}

// newChunkWriter continues behind the chunks that the totals count: chunks are numbered
// from 1 on, without gaps. bbolt's Cursor.Last would not do after deletions in the same
// transaction: it gives nothing when they have emptied several pages.
func newChunkWriter(b *recordBucket) *chunkWriter {
	return &chunkWriter{bucket: b, next: b.totals.records + 1}
}

// add takes the next path. An empty node says that the path was deleted.
func (c *chunkWriter) add(path string, node []byte) error {
	size := len(path) + len(node) + 2*binary.MaxVarintLen32
	if len(c.chunk) > 0 && len(c.chunk)+size > chunkBytes {
		if err := c.flush(); err != nil {
			return err
		}
	}
	if c.chunk == nil {
		c.chunk = make([]byte, 0, max(size, chunkBytes)+sealBytes)
	}
	c.chunk = append(binary.AppendUvarint(c.chunk, uint64(len(path))), path...)
	c.chunk = append(binary.AppendUvarint(c.chunk, uint64(len(node))), node...)
	return nil
}

// flush writes the chunk that add has begun.
func (c *chunkWriter) flush() error {
	if len(c.chunk) == 0 {
		return nil
	}
	key := chunkKey(c.next)
	if c.bucket.bucket.Get(key) != nil {
		return damaged("chunk %d of the deltas exists, but %d chunks were stored", c.next, c.bucket.totals.records)
	}
	stored, err := c.bucket.put(key, seal(key, c.chunk))
	if err != nil {
		return err
	}
	c.bytes += uint64(len(c.chunk))
	c.stored += int64(stored)
	c.chunk = nil
	c.next++
	return nil
}

// parseChunk checks a chunk, and returns the run that consists of it and the first path of a change. Both refer to the memory of chunk.
func parseChunk(chunk []byte) (r chunkRun, first []byte, err error) {
	for rest := chunk; len(rest) > 0; {
		c, after, err := cutChange(rest)
		if err != nil {
			return chunkRun{}, nil, err
		}
		isPrefix := c.path[len(c.path)-1] == '/'
		switch {
		case isPrefix && len(first) == 0 && len(c.node) == 0:
			r.deletedDirs = append(r.deletedDirs, c.path)
			chunk = after
		case isPrefix || bytes.Compare(r.last, c.path) >= 0:
			return chunkRun{}, nil, damaged("%.80q is out of order", c.path)
		case len(first) == 0:
			first = c.path
			fallthrough
		default:
			r.last = c.path
		}
		rest = after
	}
	r.deletedDirs = outermost(r.deletedDirs)
	if len(chunk) > 0 {
		r.chunks = [][]byte{chunk}
	}
	return r, first, nil
}

// chunkChanges are the changes of chunks that parseChunk has checked.
type chunkChanges struct {
	chunks [][]byte // what is left of them
}

func (c *chunkChanges) next() (next change) {
	if len(c.chunks) == 0 {
		return change{}
	}
	next, c.chunks[0], _ = cutChange(c.chunks[0])
	if len(c.chunks[0]) == 0 {
		c.chunks[0] = nil // its memory is not needed any more
		c.chunks = c.chunks[1:]
	}
	return next
}

// cutChange cuts the first change off a chunk.
func cutChange(chunk []byte) (c change, rest []byte, err error) {
	path, rest, ok := cutCounted(chunk)
	if !ok || len(path) == 0 {
		return change{}, nil, damaged("a path of a chunk can't be read")
	}
	node, rest, ok := cutCounted(rest)
	if !ok {
		return change{}, nil, damaged("the node of %.80q can't be read", path)
	}
	return change{path, node}, rest, nil
}

// cutCounted cuts off a field that begins with its length.
func cutCounted(src []byte) (field, rest []byte, ok bool) {
	n, size := binary.Uvarint(src)
	if size <= 0 || n > uint64(len(src)-size) {
		return nil, nil, false
	}
	end := size + int(n)
	return src[size:end:end], src[end:], true
}
