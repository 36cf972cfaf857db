package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
)

// This file reads bbolt files that may be damaged. bbolt itself trusts its pages: it maps
// them into memory and follows their pointers. A damaged page can end the process or make
// it loop forever, and a file that is too short raises SIGBUS. The reader here checks every
// page and every element before it uses them, maps nothing, and never writes to the file.
// bbolt stores numbers in the byte order of the machine.

var native = binary.NativeEndian

const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeaderBytes = 16
	elementBytes    = 16 // of branch and leaf pages alike
	bucketBytes     = 16
	metaBytes       = 64 // the last 8 are the checksum
	maxPageBytes    = 16 << 20

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10

	bucketElement = 0x01
	noFreelist    = ^uint64(0)
	manyFree      = 0xFFFF // with this count, the first number of the freelist is the real count
)

// boltReader reads one bbolt file.
type boltReader struct {
	src       io.ReaderAt
	size      int64
	pageSize  int64
	root      uint64
	freelist  uint64
	pageCount uint64   // the number of pages, free ones included
	seen      []bool   // pages to which something refers
	levels    [][]byte // a buffer for the page at each depth of the tree
}

// bucketRef is the place of the elements of a bucket: below the page root, or, when root is
// zero, inline in the element that names the bucket.
type bucketRef struct {
	root   uint64
	inline []byte
}

// visitor takes the elements of a bucket in the order of their keys. key and value are
// valid only during the call. For a nested bucket, ref is set and value is nil.
type visitor func(key, value []byte, ref *bucketRef) error

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// openBoltReader uses the newer one of the two meta pages that is intact.
func openBoltReader(src io.ReaderAt, size int64) (*boltReader, error) {
	p := &boltReader{src: src, size: size}
	var newest uint64
	found := p.readMeta(0, &newest)
	for pos := int64(1024); pos <= maxPageBytes && pos < size; pos <<= 1 {
		if found && pos != p.pageSize {
			continue
		}
		if p.readMeta(pos, &newest) {
			found = true
		}
	}
	switch {
	case !found:
		return nil, damaged("neither of the two meta pages is intact")
	case p.pageCount > uint64(size/p.pageSize):
		return nil, damaged("the file has %d bytes, but %d pages of %d bytes", size, p.pageCount, p.pageSize)
	case p.pageCount < 4 || p.root >= p.pageCount:
		return nil, damaged("the meta page contradicts itself")
	}
	p.seen = make([]bool, p.pageCount)
	p.seen[0], p.seen[1] = true, true
	return p, nil
}

// readMeta reports whether the meta page at pos is intact, and uses it if it is the newest.
func (p *boltReader) readMeta(pos int64, newest *uint64) bool {
	var buf [pageHeaderBytes + metaBytes]byte
	if _, err := p.src.ReadAt(buf[:], pos); err != nil {
		return false
	}
	m := buf[pageHeaderBytes:]
	h := fnv.New64a()
	h.Write(m[:metaBytes-8])
	if native.Uint32(m) != boltMagic || native.Uint32(m[4:]) != boltVersion || native.Uint64(m[56:]) != h.Sum64() {
		return false
	}
	pageSize, txid := int64(native.Uint32(m[8:])), native.Uint64(m[48:])
	if pageSize < 1024 || pageSize > maxPageBytes || pageSize&(pageSize-1) != 0 || pos != 0 && pos != pageSize {
		return false
	}
	if p.pageSize != 0 && txid <= *newest {
		return true
	}
	*newest = txid
	p.pageSize = pageSize
	p.root, p.freelist, p.pageCount = native.Uint64(m[16:]), native.Uint64(m[32:]), native.Uint64(m[40:])
	return true
}

// claim marks the pages of one node as used. Pages outside of the file, or used twice, are
// damage. So the reader visits each page at most once.
func (p *boltReader) claim(id, overflow uint64) error {
	if id < 2 || id >= p.pageCount || overflow >= p.pageCount-id {
		return damaged("page %d is outside of the file", id)
	}
	for i := id; i <= id+overflow; i++ {
		if p.seen[i] {
			return damaged("page %d is used twice", i)
		}
		p.seen[i] = true
	}
	return nil
}

// read returns page id and its overflow pages. They are valid until the next read at the same
// level.
func (p *boltReader) read(id uint64, level int) ([]byte, error) {
	if id < 2 || id >= p.pageCount {
		return nil, damaged("page %d is outside of the file", id)
	}
	for len(p.levels) <= level {
		p.levels = append(p.levels, make([]byte, p.pageSize))
	}
	buf := p.levels[level][:p.pageSize]
	at := int64(id) * p.pageSize
	if _, err := p.src.ReadAt(buf, at); err != nil {
		return nil, fmt.Errorf("read page %d: %w", id, err)
	}
	if native.Uint64(buf) != id {
		return nil, damaged("page %d has the number %d", id, native.Uint64(buf))
	}
	overflow := uint64(native.Uint32(buf[12:]))
	if err := p.claim(id, overflow); err != nil || overflow == 0 {
		return buf, err
	}
	whole := int64(overflow+1) * p.pageSize
	if int64(cap(p.levels[level])) < whole {
		p.levels[level] = make([]byte, whole)
	}
	buf = p.levels[level][:whole]
	if _, err := p.src.ReadAt(buf, at); err != nil {
		return nil, fmt.Errorf("read page %d: %w", id, err)
	}
	return buf, nil
}

// elements checks the header of a page and returns the number of its elements.
func elements(page []byte, kind uint16) (int, error) {
	if len(page) < pageHeaderBytes || native.Uint16(page[8:]) != kind {
		return 0, damaged("a page is of another kind than its place requires")
	}
	n := int(native.Uint16(page[10:]))
	if pageHeaderBytes+n*elementBytes > len(page) {
		return 0, damaged("a page is too small for its %d elements", n)
	}
	return n, nil
}

// span returns size bytes of a page, which begin pos bytes after the start of element i.
func span(page []byte, i int, pos, size uint32) ([]byte, error) {
	from := uint64(pageHeaderBytes+i*elementBytes) + uint64(pos)
	if to := from + uint64(size); to <= uint64(len(page)) {
		return page[from:to:to], nil
	}
	return nil, damaged("an element ends outside of its page")
}

// bucket visits all elements of a bucket.
func (p *boltReader) bucket(ref bucketRef, visit visitor) error {
	if ref.root != 0 {
		return p.node(ref.root, 0, nil, nil, visit)
	}
	return p.leaf(ref.inline, nil, nil, visit)
}

// node visits all elements below a page. Their keys must lie in [low, high).
func (p *boltReader) node(id uint64, level int, low, high []byte, visit visitor) error {
	page, err := p.read(id, level)
	if err != nil {
		return err
	}
	if native.Uint16(page[8:]) == leafPage {
		err = p.leaf(page, low, high, visit)
	} else {
		err = p.branch(page, level, low, high, visit)
	}
	return err
}

func (p *boltReader) branch(page []byte, level int, low, high []byte, visit visitor) error {
	n, err := elements(page, branchPage)
	if err != nil {
		return err
	}
	if n == 0 {
		return damaged("a branch page is empty")
	}
	key := func(i int) ([]byte, error) {
		e := page[pageHeaderBytes+i*elementBytes:]
		return span(page, i, native.Uint32(e), native.Uint32(e[4:]))
	}
	from, err := key(0)
	for i := 0; i < n && err == nil; i++ {
		to := high
		if i+1 < n {
			if to, err = key(i + 1); err != nil {
				return err
			}
		}
		if bytes.Compare(from, low) < 0 || to != nil && bytes.Compare(from, to) >= 0 {
			return damaged("the keys of a branch page are out of order")
		}
		child := native.Uint64(page[pageHeaderBytes+i*elementBytes+8:])
		err = p.node(child, level+1, from, to, visit)
		from = to
	}
	return err
}

func (p *boltReader) leaf(page []byte, low, high []byte, visit visitor) error {
	n, err := elements(page, leafPage)
	if err != nil {
		return err
	}
	var last []byte
	for i := range n {
		e := page[pageHeaderBytes+i*elementBytes:]
		flags, pos, keySize, valueSize := native.Uint32(e), native.Uint32(e[4:]), native.Uint32(e[8:]), native.Uint32(e[12:])
		both, err := span(page, i, pos, keySize)
		if err != nil || uint64(pos)+uint64(keySize) > 1<<32-1 {
			return damaged("an element ends outside of its page")
		}
		value, err := span(page, i, pos+keySize, valueSize)
		if err != nil {
			return err
		}
		key := both
		if i > 0 && bytes.Compare(key, last) <= 0 || bytes.Compare(key, low) < 0 ||
			high != nil && bytes.Compare(key, high) >= 0 {
			return damaged("key %.80q is out of order", key)
		}
		last = key
		if err := visitElement(flags, key, value, visit); err != nil {
			return err
		}
	}
	return nil
}

func visitElement(flags uint32, key, value []byte, visit visitor) error {
	switch {
	case flags == 0:
		return visit(key, value, nil)
	case flags != bucketElement || len(value) < bucketBytes:
		return damaged("key %.80q has neither a value nor a bucket", key)
	}
	ref := &bucketRef{root: native.Uint64(value)}
	if ref.root == 0 {
		ref.inline = bytes.Clone(value[bucketBytes:])
	}
	return visit(key, nil, ref)
}

// checkFreelist checks the list of free pages. Callers must have visited all buckets. bbolt
// overwrites the pages on the list, so each page must be either free or in use.
func (p *boltReader) checkFreelist() error {
	if p.freelist == noFreelist {
		return damaged("the list of free pages is missing")
	}
	page, err := p.read(p.freelist, 0)
	if err != nil {
		return err
	}
	if native.Uint16(page[8:]) != freelistPage {
		return damaged("the list of free pages is not where it should be")
	}
	n, list := uint64(native.Uint16(page[10:])), page[pageHeaderBytes:]
	if n == manyFree {
		n, list = native.Uint64(list), list[8:]
	}
	if n > uint64(len(list)/8) {
		return damaged("the list of free pages is too small for %d pages", n)
	}
	for i := range n {
		if err := p.claim(native.Uint64(list[8*i:]), 0); err != nil {
			return err
		}
	}
	for id, seen := range p.seen {
		if !seen {
			return damaged("page %d is neither free nor in use", id)
		}
	}
	return nil
}
