package transport

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/proto"

	"go.etcd.io/raft/v3/raftpb"
)

// A frame is the length of a message, in headSize bytes, and the message. An idle stream carries empty frames.
const headSize = 4

// maxKept bounds the memory for encoded frames that is kept for the next ones, in bytes.
const maxKept = 1 << 20

// errFrame says that the bytes of a stream are no frame, or none that this member accepts.
var errFrame = errors.New("transport: a frame that is no message")

// appendFrame appends the frame of a message, and returns the size of the message's encoding.
func appendFrame(b []byte, m *raftpb.Message) ([]byte, int, error) {
	at := len(b)
	b, err := proto.MarshalOptions{}.MarshalAppend(append(b, 0, 0, 0, 0), m)
	if err != nil {
		return b, 0, err
	}
	size := len(b) - at - headSize
	binary.BigEndian.PutUint32(b[at:], uint32(size))
	return b, size, nil
}

// frameReader reads framed messages. A message shares no memory with the bytes it was decoded from, so these are
// overwritten by the next frame.
type frameReader struct {
	in    *bufio.Reader
	limit int    // the longest message, in bytes
	buf   []byte // for frames that are longer than the buffer of in
	// longFrame has room for one. A reader of a very long frame puts an element in and takes it out afterwards, so
	// that one such frame is read at a time.
	longFrame chan struct{}
}

// newFrameReader returns a reader that refuses messages of more than limit bytes.
func newFrameReader(in io.Reader, limit int) *frameReader {
	return &frameReader{in: bufio.NewReaderSize(in, 64<<10), limit: limit, longFrame: make(chan struct{}, 1)}
}

// next waits for a frame, and returns its message and the size of that. The message of an empty frame is nil.
func (r *frameReader) next() (*raftpb.Message, int, error) {
	head, err := r.peek(headSize)
	if err != nil {
		return nil, 0, err
	}
	size := binary.BigEndian.Uint32(head)
	r.skip(headSize)
	if size == 0 {
		return nil, 0, nil
	}
	if uint64(size) > uint64(r.limit) {
		return nil, 0, fmt.Errorf("%w: %d bytes, and this member takes %d: is --max-request-bytes the same on all members?", errFrame, size, r.limit)
	}
	m, err := r.message(int(size))
	return m, int(size), err
}

// ready reports whether the next frame has arrived, so that next would not wait.
func (r *frameReader) ready() bool {
	have := r.in.Buffered()
	if have < headSize {
		return false
	}
	head, err := r.in.Peek(headSize)
	return err == nil && uint64(have) >= headSize+uint64(binary.BigEndian.Uint32(head))
}

func (r *frameReader) message(size int) (*raftpb.Message, error) {
	data, err := r.bytes(size)
	if err != nil {
		return nil, err
	}
	m := &raftpb.Message{}
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("%w: %w", errFrame, err)
	}
	return m, nil
}

// bytes reads size bytes. They are valid until the next call.
func (r *frameReader) bytes(size int) ([]byte, error) {
	switch {
	case size > maxPreallocated:
		return r.veryLong(size)
	case size > r.in.Size():
		return r.long(size)
	}
	data, err := r.peek(size)
	if err == nil {
		r.skip(size)
	}
	return data, err
}

// maxPreallocated is the size up to which memory is allocated before a frame has arrived, in bytes. The length of a longer
// frame may be a lie, so its memory grows as it arrives.
const maxPreallocated = 4 << 20

// long reads a frame that is longer than the buffer of in.
func (r *frameReader) long(size int) ([]byte, error) {
	data := r.buf
	if cap(data) < size {
		data = make([]byte, size)
	}
	if cap(data) <= maxKept {
		r.buf = data
	}
	_, err := io.ReadFull(r.in, data[:size])
	return data[:size], err
}

// A very long frame is rare, and takes twice its size of memory. So the streams read one at a time, and it must arrive at a
// rate that lets the others have their turn.
const (
	minLongRate = 1 << 20 // bytes a second
	longTimeout = 2 * StreamTimeout
)

var errSlow = errors.New("transport: the peer sends too slowly")

// veryLong reads a frame that is longer than maxPreallocated.
func (r *frameReader) veryLong(size int) ([]byte, error) {
	timeout := time.NewTimer(longTimeout)
	defer timeout.Stop()
	select {
	case r.longFrame <- struct{}{}:
		defer func() { <-r.longFrame }()
	case <-timeout.C:
		return nil, fmt.Errorf("%w: another long message takes too long", errSlow)
	}
	end := time.Now().Add(longTimeout + time.Duration(size/minLongRate)*time.Second)
	data := make([]byte, 0, maxPreallocated)
	for len(data) < size {
		if len(data) == cap(data) {
			data = append(make([]byte, 0, min(size, 2*cap(data))), data...)
		}
		n, err := io.ReadAtLeast(r.in, data[len(data):min(size, cap(data))], 1)
		if data = data[:len(data)+n]; err != nil && len(data) < size {
			return nil, withinFrame(err)
		}
		if time.Now().After(end) {
			return nil, errSlow
		}
	}
	return data, nil
}

// withinFrame turns the end of a stream within a frame into an error of its own.
func withinFrame(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// peek waits for n bytes, which must fit into the buffer of in.
func (r *frameReader) peek(n int) ([]byte, error) {
	b, err := r.in.Peek(n)
	if len(b) > 0 {
		err = withinFrame(err)
	}
	return b, err
}

// skip drops bytes that peek has returned.
func (r *frameReader) skip(n int) { _, _ = r.in.Discard(n) }
