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

// A frame is the length of a message, in headSize bytes, and the message. An
// empty one says that the stream lives.
const headSize = 4

// maxKept bounds the room for frames that is kept for the next ones.
const maxKept = 1 << 20

var errFrame = errors.New("transport: a frame that is no message")

// appendFrame appends the frame of a message, and gives the message's own size.
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

// frameReader reads messages that come framed. They keep nothing of the bytes
// that they are read from, so the room for these is used again.
type frameReader struct {
	in   *bufio.Reader
	most int           // the longest message
	room []byte        // for frames that don't fit into in's buffer
	long chan struct{} // has room for one who reads a very long frame
}

// newFrameReader makes a reader that refuses messages of more than most bytes.
func newFrameReader(in io.Reader, most int) *frameReader {
	return &frameReader{in: bufio.NewReaderSize(in, 64<<10), most: most, long: make(chan struct{}, 1)}
}

// next waits for a message and gives its size; nil for an empty frame.
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
	if uint64(size) > uint64(r.most) {
		return nil, 0, fmt.Errorf("%w: %d bytes, and this member takes %d: is --max-request-bytes the same on all members?", errFrame, size, r.most)
	}
	m, err := r.message(int(size))
	return m, int(size), err
}

// ready reports whether the next frame has come, so that next would not wait.
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

// bytes reads so many bytes. They are good until the next call.
func (r *frameReader) bytes(size int) ([]byte, error) {
	if size > r.in.Size() {
		return r.longBytes(size)
	}
	data, err := r.peek(size)
	if err == nil {
		r.skip(size)
	}
	return data, err
}

// promptBytes is the size up to which memory is set aside before a frame has
// come. A longer one gets it as it comes: its length may be a lie.
const promptBytes = 4 << 20

func (r *frameReader) longBytes(size int) ([]byte, error) {
	if size > promptBytes {
		return r.longerBytes(size)
	}
	data := r.room
	if cap(data) < size {
		data = make([]byte, size)
	}
	if cap(data) <= maxKept {
		r.room = data
	}
	_, err := io.ReadFull(r.in, data[:size])
	return data[:size], err
}

// Such a long frame is rare, and takes its size twice. So one is read at a time, of
// all streams together, and it must come at a rate at which the others' turn comes.
const (
	longRate = 1 << 20 // bytes a second
	longWait = 2 * Silence
)

var errSlow = errors.New("transport: the peer sends too slowly")

func (r *frameReader) longerBytes(size int) ([]byte, error) {
	turn := time.NewTimer(longWait)
	defer turn.Stop()
	select {
	case r.long <- struct{}{}:
		defer func() { <-r.long }()
	case <-turn.C:
		return nil, fmt.Errorf("%w: another long message takes too long", errSlow)
	}
	end := time.Now().Add(longWait + time.Duration(size/longRate)*time.Second)
	data := make([]byte, 0, promptBytes)
	for len(data) < size {
		if len(data) == cap(data) {
			data = append(make([]byte, 0, min(size, 2*cap(data))), data...)
		}
		n, err := io.ReadAtLeast(r.in, data[len(data):min(size, cap(data))], 1)
		if data = data[:len(data)+n]; err != nil && len(data) < size {
			return nil, noEOF(err)
		}
		if time.Now().After(end) {
			return nil, errSlow
		}
	}
	return data, nil
}

// noEOF is for a stream that ends within a frame.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// peek waits for so many bytes, which must fit into the buffer.
func (r *frameReader) peek(n int) ([]byte, error) {
	b, err := r.in.Peek(n)
	if err == io.EOF && len(b) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// skip leaves behind bytes that were peeked at.
func (r *frameReader) skip(n int) { _, _ = r.in.Discard(n) }
