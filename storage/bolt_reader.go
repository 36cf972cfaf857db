package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
)

// This file reads bbolt files for loading. bbolt itself trusts its pages: it maps
// them into memory and follows their pointers, so that a damaged page can kill
// the process or send it round in circles, and a shortened file raises SIGBUS.
// Here every page and every element is checked first, nothing is mapped, and the
// file is never written. bbolt writes the numbers in the machine's byte order.

var native = binary.NativeEndian

const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeaderBytes = 16
	elementBytes    = 16 // of branch and leaf pages alike
	bucketBytes     = 16
	metaBytes       = 64 // with the checksum, which is the last 8
	maxPageBytes    = 16 << 20

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10

	bucketElement = 0x01
	noFreelist    = ^uint64(0)
	manyFree      = 0xFFFF // a freelist's count that says: see the first number
)

// pages is a bbolt file being read.
type pages struct {
	src      io.ReaderAt
	size     int64
	pageSize int64
	root     uint64
	freelist uint64
	end      uint64 // the number of pages in use, free ones included
	seen     []bool // pages that something refers to
	levels   [][]byte
}

// bucketRef is where a bucket's elements are: below a page, or within the
// element that names the bucket.
type bucketRef struct {
	root   uint64
	inline []byte
}

// visitor takes the elements of a bucket in the order of their keys. Key and
// value are valid during the call. For a bucket within the bucket, ref is set
// and value is nil.
type visitor func(key, value []byte, ref *bucketRef) error

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// openPages finds the newer of the two intact meta pages.
func openPages(src io.ReaderAt, size int64) (*pages, error) {
	p := &pages{src: src, size: size}
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
		return nil, damaged("neither of the first two pages is intact")
	case p.end > uint64(size/p.pageSize):
		return nil, damaged("%d bytes long where %d pages of %d bytes are in use", size, p.end, p.pageSize)
	case p.end < 4 || p.root >= p.end:
		return nil, damaged("the first page contradicts itself")
	}
	p.seen = make([]bool, p.end)
	p.seen[0], p.seen[1] = true, true
	return p, nil
}

// readMeta takes over the meta page at pos when it is intact and newer.
func (p *pages) readMeta(pos int64, newest *uint64) bool {
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
	p.root, p.freelist, p.end = native.Uint64(m[16:]), native.Uint64(m[32:]), native.Uint64(m[40:])
	return true
}

// claim marks the pages of one node. A page that something else refers to, or
// that is out of the file, is damage; so there are no circles.
func (p *pages) claim(id, overflow uint64) error {
	if id < 2 || id >= p.end || overflow >= p.end-id {
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

// read gives page id with what overflows it, in the buffer of its level.
func (p *pages) read(id uint64, level int) ([]byte, error) {
	if id < 2 || id >= p.end {
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
		return nil, damaged("page %d says it is page %d", id, native.Uint64(buf))
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

// elements checks the header of a page and gives the number of its elements.
func elements(page []byte, kind uint16) (int, error) {
	if len(page) < pageHeaderBytes || native.Uint16(page[8:]) != kind {
		return 0, damaged("a page is not of the kind that its place asks for")
	}
	n := int(native.Uint16(page[10:]))
	if pageHeaderBytes+n*elementBytes > len(page) {
		return 0, damaged("a page has no room for its %d elements", n)
	}
	return n, nil
}

// span cuts size bytes out of a page, pos bytes behind element i.
func span(page []byte, i int, pos, size uint32) ([]byte, error) {
	from := uint64(pageHeaderBytes+i*elementBytes) + uint64(pos)
	if to := from + uint64(size); to <= uint64(len(page)) {
		return page[from:to:to], nil
	}
	return nil, damaged("an element reaches out of its page")
}

// bucket visits the elements of a bucket.
func (p *pages) bucket(ref bucketRef, visit visitor) error {
	if ref.root != 0 {
		return p.node(ref.root, 0, nil, nil, visit)
	}
	return p.leaf(ref.inline, nil, nil, visit)
}

// node visits what is below a page, whose keys must lie in [low, high).
func (p *pages) node(id uint64, level int, low, high []byte, visit visitor) error {
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

func (p *pages) branch(page []byte, level int, low, high []byte, visit visitor) error {
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

func (p *pages) leaf(page []byte, low, high []byte, visit visitor) error {
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
			return damaged("an element reaches out of its page")
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
		return damaged("key %.80q is neither a value nor a bucket", key)
	}
	ref := &bucketRef{root: native.Uint64(value)}
	if ref.root == 0 {
		ref.inline = bytes.Clone(value[bucketBytes:])
	}
	return visit(key, nil, ref)
}

// checkFree reads the list of free pages, after all buckets were visited. bbolt
// writes over what is on the list, so each page must be either free or in use.
func (p *pages) checkFree() error {
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
		return damaged("the list of free pages has no room for %d of them", n)
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
