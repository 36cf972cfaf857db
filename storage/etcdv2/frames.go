package etcdv2

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"pando/storage/wire"

	"google.golang.org/protobuf/encoding/protowire"
)

// The types of the records of a log.
const (
	metadataRecord   = 1
	entryRecord      = 2
	stateRecord      = 3
	checksumRecord   = 4
	snapshotRecord   = 5
	lastRecordType   = snapshotRecord
	frameHeadBytes   = 8
	sectorBytes      = 512
	firstFrameBuffer = 64 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errEnd means that no record can be read at the offset, and that this can be the end of the log: the file ends, space follows that
// was allocated ahead, or, in the last file, a write was interrupted. checkTail looks at what follows.
var errEnd = errors.New("end of the records")

// frames reads the records of one file of the log.
type frames struct {
	file     string
	src      *bufio.Reader
	size     int64
	at       int64 // offset of the next frame
	last     bool  // no file follows, so its end may be torn
	checksum uint32
	started  bool // a checksum record was read, or checksum is that of the file before
	buf      []byte
	closer   io.Closer
}

// record is one record. Its data is valid until the next call of next.
type record struct {
	kind   uint64
	data   []byte
	offset int64 // of the frame in the file
}

// openFrames opens the first file of a log, which is not the last one. For other files the caller sets checksum, started and last.
func openFrames(path string) (*frames, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &frames{file: path, src: bufio.NewReaderSize(f, 256<<10), size: info.Size(), closer: f}, nil
}

// next returns the next record. At the end of the records it returns errEnd. All other errors name the file, and the offset if
// its content is damaged.
func (r *frames) next() (record, error) {
	var head [frameHeadBytes]byte
	switch _, err := io.ReadFull(r.src, head[:]); {
	case err == io.EOF:
		return record{}, errEnd
	case err == io.ErrUnexpectedEOF:
		return record{}, r.torn("the file ends within the length of a record")
	case err != nil:
		return record{}, fmt.Errorf("read %s: %w", r.file, err)
	}
	word := binary.LittleEndian.Uint64(head[:])
	if word == 0 {
		return record{}, errEnd
	}
	length, padding := frameSize(word)
	if length+padding > r.size-r.at-frameHeadBytes {
		return record{}, r.torn("the file ends within a record")
	}
	body := r.buffer(int(length + padding))
	if _, err := io.ReadFull(r.src, body); err != nil {
		return record{}, fmt.Errorf("read %s: %w", r.file, err)
	}
	rec, err := r.check(body[:length])
	if err != nil {
		if r.last && hasZeroSector(body, r.at+frameHeadBytes) {
			return record{}, errEnd
		}
		return record{}, r.damage(err.Error())
	}
	rec.offset = r.at
	r.at += frameHeadBytes + length + padding
	return rec, nil
}

// frameSize decodes the first bytes of a frame. The lowest 56 bits are the length of the record. If the highest bit is set, the three
// lowest of the last 8 bits are the number of bytes that follow it.
func frameSize(word uint64) (length, padding int64) {
	length = int64(word & (1<<56 - 1))
	if int64(word) < 0 {
		padding = int64(word >> 56 & 7)
	}
	return length, padding
}

func (r *frames) buffer(n int) []byte {
	if cap(r.buf) < n {
		r.buf = make([]byte, max(n, firstFrameBuffer))
	}
	return r.buf[:n]
}

// torn returns errEnd for the last file. In any other file the log goes on, so an incomplete record is damage.
func (r *frames) torn(text string) error {
	if r.last {
		return errEnd
	}
	return r.damage(text)
}

func (r *frames) damage(text string) error { return recordError(r.file, r.at, text) }

// check decodes a record and compares it with its checksum, which covers the data of all records of the log so far.
func (r *frames) check(message []byte) (record, error) {
	rec, stored, err := decodeRecord(message)
	if err != nil {
		return record{}, err
	}
	if rec.kind == checksumRecord {
		if r.started && r.checksum != 0 && r.checksum != stored {
			return record{}, errors.New("the checksum of the records before it is wrong: a file or a part of one is missing")
		}
		r.checksum, r.started = stored, true
		return rec, nil
	}
	sum := crc32.Update(r.checksum, castagnoli, rec.data)
	if sum != stored {
		return record{}, errors.New("wrong checksum")
	}
	r.checksum = sum
	return rec, nil
}

// decodeRecord decodes a record, and returns the checksum in it. The data shares memory with message.
func decodeRecord(message []byte) (rec record, checksum uint32, err error) {
	var stored uint64
	err = wire.Scalars(message, map[protowire.Number]*uint64{1: &rec.kind, 2: &stored}, map[protowire.Number]*[]byte{3: &rec.data})
	if err != nil {
		return record{}, 0, errors.New("the record can't be decoded")
	}
	if rec.kind == 0 || rec.kind > lastRecordType {
		return record{}, 0, fmt.Errorf("unknown type %d of a record", rec.kind)
	}
	return rec, uint32(stored), nil
}

// hasZeroSector reports whether a whole sector of the disk that holds a part of the body is zero: such a sector was never
// written. offset is that of the body in the file.
func hasZeroSector(body []byte, offset int64) bool {
	for len(body) > 0 {
		n := min(int(sectorBytes-offset%sectorBytes), len(body))
		if allZero(body[:n]) {
			return true
		}
		body, offset = body[n:], offset+int64(n)
	}
	return false
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func (r *frames) close() error { return r.closer.Close() }
