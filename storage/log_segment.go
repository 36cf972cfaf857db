package storage

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// segmentExt is the extension of the names of segments.
const segmentExt = ".wal"

// segment is one file of the log. Its name holds its number, seq, and the index of the first
// entry that may be in it.
type segment struct {
	path  string
	seq   uint64
	index uint64
}

// segments lists the segments of a log in order. A directory that does not exist has none.
func segments(dir string) ([]segment, error) {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("storage: log: %w", err)
	}
	var list []segment
	for _, f := range files {
		if filepath.Ext(f.Name()) != segmentExt {
			continue
		}
		s := segment{path: filepath.Join(dir, f.Name())}
		stem := strings.TrimSuffix(f.Name(), segmentExt)
		if _, err := fmt.Sscanf(stem, "%016x-%016x", &s.seq, &s.index); err != nil || fmt.Sprintf("%016x-%016x", s.seq, s.index) != stem {
			return nil, fmt.Errorf("storage: %w: %s is not the name of a log segment: move the file away", ErrForeign, s.path)
		}
		list = append(list, s)
	}
	return list, nil
}

// errNotWhole means that no whole frame begins at the offset. This may be the end of the
// records, a torn write, or damage: see scan.tail.
var errNotWhole = errors.New("no whole record")

// frames reads the frames of one segment.
type frames struct {
	src  *bufio.Reader
	size int64
	at   int64 // offset of the frame that next reads
	step int64 // size of the frame that next has read
	buf  []byte
}

func newFrames(f io.Reader, size int64) *frames {
	return &frames{src: bufio.NewReaderSize(f, 256<<10), size: size}
}

// next reads the frame at r.at. The record is valid until the next call. Callers must call
// accept before they call next again. next returns io.EOF at the end of the file, and
// errNotWhole if no whole frame begins there.
func (r *frames) next() (record, error) {
	var head [frameHeadBytes]byte
	switch _, err := io.ReadFull(r.src, head[:]); {
	case err == io.EOF:
		return record{}, io.EOF
	case err == io.ErrUnexpectedEOF:
		return record{}, errNotWhole
	case err != nil:
		return record{}, err
	}
	h, ok := parseFrameHead(head[:])
	if !ok || h.record > r.size || h.size() > r.size-r.at {
		return record{}, errNotWhole
	}
	n := int(h.record + h.padding)
	if cap(r.buf) < n {
		r.buf = make([]byte, max(n, 64<<10))
	}
	body := r.buf[:n]
	if _, err := io.ReadFull(r.src, body); err != nil {
		return record{}, err
	}
	r.step = h.size()
	rec, ok := parseRecord(body[:h.record])
	if !ok || !allZero(body[h.record:]) {
		return record{}, errNotWhole
	}
	return rec, nil
}

// accept moves to the frame after the one that next has read.
func (r *frames) accept() { r.at += r.step }

func allZero(b []byte) bool {
	return len(b) == 0 || b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1])
}
