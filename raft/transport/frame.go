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

// A frame consists of a header of headerSize bytes, which holds the length of a message, and the message. An idle stream
// carries empty frames.
const headerSize = 4

// maxKeptBuffer is the size of the largest buffer, in bytes, that is kept for the next frames.
const maxKeptBuffer = 1 << 20

// errFrame is returned for bytes that are not a frame, and for a frame that is longer than this member accepts.
var errFrame = errors.New("transport: invalid frame")

// appendFrame appends the frame of a message to b. It also returns the size of the encoded message, without the header.
func appendFrame(b []byte, m *raftpb.Message) ([]byte, int, error) {
	at := len(b)
	b, err := proto.MarshalOptions{}.MarshalAppend(append(b, 0, 0, 0, 0), m)
	if err != nil {
		return b, 0, err
	}
	size := len(b) - at - headerSize
	binary.BigEndian.PutUint32(b[at:], uint32(size))
	return b, size, nil
}

// frameReader reads framed messages. Its buffers are used again for the next frame: a decoded message shares no memory
// with them.
type frameReader struct {
	in    *bufio.Reader
	limit int    // the longest message, in bytes
	buf   []byte // used by readLong
	// hugeFrames is a semaphore of size one. All streams of a Transport share it, so that only one huge frame is read at
	// a time.
	hugeFrames chan struct{}
}

// newFrameReader returns a reader that refuses messages of more than limit bytes.
func newFrameReader(in io.Reader, limit int) *frameReader {
	return &frameReader{in: bufio.NewReaderSize(in, 64<<10), limit: limit, hugeFrames: make(chan struct{}, 1)}
}

// next waits for a frame. It returns the message and its encoded size. The message of an empty frame is nil.
func (r *frameReader) next() (*raftpb.Message, int, error) {
	head, err := r.peek(headerSize)
	if err != nil {
		return nil, 0, err
	}
	size := binary.BigEndian.Uint32(head)
	r.skip(headerSize)
	if size == 0 {
		return nil, 0, nil
	}
	if uint64(size) > uint64(r.limit) {
		return nil, 0, fmt.Errorf("%w: the message has %d bytes, but this member accepts at most %d: "+
			"is --max-request-bytes the same on all members?", errFrame, size, r.limit)
	}
	m, err := r.readMessage(int(size))
	return m, int(size), err
}

// ready reports whether the next frame has arrived, so that next would not wait.
func (r *frameReader) ready() bool {
	have := r.in.Buffered()
	if have < headerSize {
		return false
	}
	head, err := r.in.Peek(headerSize)
	return err == nil && uint64(have) >= headerSize+uint64(binary.BigEndian.Uint32(head))
}

func (r *frameReader) readMessage(size int) (*raftpb.Message, error) {
	data, err := r.readBytes(size)
	if err != nil {
		return nil, err
	}
	m := &raftpb.Message{}
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("%w: %w", errFrame, err)
	}
	return m, nil
}

// readBytes reads size bytes. The result is valid until the next call.
func (r *frameReader) readBytes(size int) ([]byte, error) {
	switch {
	case size > maxPreallocated:
		return r.readHuge(size)
	case size > r.in.Size():
		return r.readLong(size)
	}
	data, err := r.peek(size)
	if err == nil {
		r.skip(size)
	}
	return data, err
}

// maxPreallocated is the largest size, in bytes, for which memory is allocated before the frame has arrived. A longer frame
// is called huge. Its header may be wrong, so its memory grows as its bytes arrive.
const maxPreallocated = 4 << 20

// readLong reads a message that is longer than the buffer of in, but not huge.
func (r *frameReader) readLong(size int) ([]byte, error) {
	data := r.buf
	if cap(data) < size {
		data = make([]byte, size)
	}
	if cap(data) <= maxKeptBuffer {
		r.buf = data
	}
	_, err := io.ReadFull(r.in, data[:size])
	return data[:size], err
}

// A huge frame is rare, and reading one takes memory of twice its size. So only one stream at a time reads a huge frame. A
// slow peer must not keep the other streams waiting: a huge frame must arrive within hugeTimeout, and one second more for
// each minHugeRate bytes.
const (
	minHugeRate = 1 << 20 // bytes a second
	hugeTimeout = 2 * StreamTimeout
)

var errSlow = errors.New("transport: the peer sends too slowly")

// readHuge reads a message that is longer than maxPreallocated. It waits for hugeFrames first.
func (r *frameReader) readHuge(size int) ([]byte, error) {
	timeout := time.NewTimer(hugeTimeout)
	defer timeout.Stop()
	select {
	case r.hugeFrames <- struct{}{}:
		defer func() { <-r.hugeFrames }()
	case <-timeout.C:
		return nil, fmt.Errorf("%w: waited too long for the message of another peer", errSlow)
	}
	end := time.Now().Add(hugeTimeout + time.Duration(size/minHugeRate)*time.Second)
	data := make([]byte, 0, maxPreallocated)
	for len(data) < size {
		if len(data) == cap(data) {
			data = append(make([]byte, 0, min(size, 2*cap(data))), data...)
		}
		n, err := io.ReadAtLeast(r.in, data[len(data):min(size, cap(data))], 1)
		if data = data[:len(data)+n]; err != nil && len(data) < size {
			return nil, unexpectedEOF(err)
		}
		if time.Now().After(end) {
			return nil, errSlow
		}
	}
	return data, nil
}

// unexpectedEOF replaces io.EOF by io.ErrUnexpectedEOF. It is for errors in the middle of a frame.
func unexpectedEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// peek waits for n bytes and returns them without consuming them. They must fit into the buffer of in.
func (r *frameReader) peek(n int) ([]byte, error) {
	b, err := r.in.Peek(n)
	if len(b) > 0 {
		err = unexpectedEOF(err)
	}
	return b, err
}

// skip consumes n bytes that peek has returned.
func (r *frameReader) skip(n int) { _, _ = r.in.Discard(n) }
