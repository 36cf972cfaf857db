package storage

import "encoding/binary"

// A chunk is a part of a delta: paths, each with the stored form of its node, or
// with nothing when the node is gone. A path that ends in a slash stands for all
// that was stored below a directory, and that is gone. Those come first; the
// others are in ascending order.

// chunkBytes is how large a chunk gets, unless one node alone is larger. bbolt puts
// large values two by two into nodes of their own, and writes the last of them
// again with the next checkpoint: so a chunk is small beside a usual delta, and
// large beside a page. Two of them, with what bbolt adds, fill sixteen pages.
const chunkBytes = 32<<10 - 64

// chunkWriter appends a delta to the bucket of recent changes.
type chunkWriter struct {
	bucket *recordBucket
	next   uint64 // the key of the next chunk
	chunk  []byte
	bytes  uint64 // of the chunks written so far
	stored int64  // with their keys and checksums
}

// newChunkWriter goes on behind the chunks of the totals: they are numbered from 1 on, without
// gaps. The last key would tell the same, but not behind deletions in this transaction:
// bbolt's Cursor.Last never returns where they have emptied all of several pages.
func newChunkWriter(b *recordBucket) *chunkWriter {
	return &chunkWriter{bucket: b, next: b.totals.records + 1}
}

// add takes the next path. Without a node, the path is gone.
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

// flush writes what add has taken.
func (c *chunkWriter) flush() error {
	if len(c.chunk) == 0 {
		return nil
	}
	key := chunkKey(c.next)
	if c.bucket.bucket.Get(key) != nil {
		return damaged("chunk %d of the recent changes is there, and %d were stored", c.next, c.bucket.totals.records)
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

// parseChunk reads a chunk. What it gives lies in it.
func parseChunk(chunk []byte) (run, error) {
	var r run
	for len(chunk) > 0 {
		path, rest, ok := cutCounted(chunk)
		if !ok || len(path) == 0 {
			return run{}, damaged("a path of a chunk can't be read")
		}
		node, rest, ok := cutCounted(rest)
		if !ok {
			return run{}, damaged("the node of %.80q can't be read", path)
		}
		chunk = rest
		below := path[len(path)-1] == '/'
		switch {
		case below && len(r.changes) == 0 && len(node) == 0:
			r.removed = append(r.removed, path)
		case below || !r.endsBefore(path):
			return run{}, damaged("%.80q is out of order", path)
		default:
			r.changes = append(r.changes, change{path, node})
		}
	}
	r.removed = outermost(r.removed)
	return r, nil
}

// cutCounted cuts off the bytes that a length in front of them announces.
func cutCounted(src []byte) (field, rest []byte, ok bool) {
	n, size := binary.Uvarint(src)
	if size <= 0 || n > uint64(len(src)-size) {
		return nil, nil, false
	}
	end := size + int(n)
	return src[size:end:end], src[end:], true
}
