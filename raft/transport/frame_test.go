package transport

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"go.etcd.io/raft/v3/raftpb"
)

// frames encodes messages as frames. A nil message becomes an empty frame.
func frames(t testing.TB, messages ...*raftpb.Message) []byte {
	t.Helper()
	var b []byte
	for _, m := range messages {
		if m == nil {
			b = append(b, 0, 0, 0, 0)
			continue
		}
		var err error
		if b, _, err = appendFrame(b, m); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// nextMessage returns the next message. It skips empty frames, which may lie between any two messages.
func nextMessage(in *frameReader) (*raftpb.Message, error) {
	for {
		if m, _, err := in.next(); m != nil || err != nil {
			return m, err
		}
	}
}

// sample returns size bytes, with different content for each index.
func sample(index uint64, size int) []byte {
	return bytes.Repeat([]byte{byte(index), byte(index >> 8), 7}, size/3+1)[:size]
}

// TestFramesInPieces reads frames of many sizes that arrive in pieces. A message must not change when the reader uses its
// buffers again.
func TestFramesInPieces(t *testing.T) {
	sizes := []int{0, 1, 5, 64<<10 - 20, 64 << 10, 100 << 10, 90 << 10, 3, maxKeptBuffer, 2 * maxKeptBuffer, maxPreallocated + 1, 7, 70 << 10}
	var sent []*raftpb.Message
	for i, size := range sizes {
		sent = append(sent, message(2, uint64(i), sample(uint64(i), size)), nil)
	}
	data := frames(t, sent...)
	for name, in := range map[string]io.Reader{
		"whole":                   bytes.NewReader(data),
		"halves":                  iotest.HalfReader(bytes.NewReader(data)),
		"single bytes":            iotest.OneByteReader(bytes.NewReader(data)),
		"EOF with the last bytes": iotest.DataErrReader(bytes.NewReader(data)),
	} {
		t.Run(name, func(t *testing.T) {
			r := newFrameReader(in, testMessage)
			var got []*raftpb.Message
			for range sent {
				m, size, err := r.next()
				if err != nil {
					t.Fatalf("after %d frames: %v", len(got), err)
				}
				if got = append(got, m); m != nil && size < len(m.GetEntries()[0].GetData()) {
					t.Errorf("the size of message %d is reported as %d bytes", m.GetIndex(), size)
				}
			}
			if _, _, err := r.next(); err != io.EOF {
				t.Errorf("got %v at the end, want EOF", err)
			}
			if cap(r.buf) > maxKeptBuffer {
				t.Errorf("the reader keeps a buffer of %d bytes", cap(r.buf))
			}
			for i, m := range got {
				if (m == nil) != (sent[i] == nil) {
					t.Fatalf("frame %d: empty is %t, want %t", i, m == nil, sent[i] == nil)
				}
				if m != nil && (m.GetIndex() != uint64(i/2) || !bytes.Equal(m.GetEntries()[0].GetData(), sample(uint64(i/2), sizes[i/2]))) {
					t.Errorf("message %d arrived in place of message %d, or with other data", m.GetIndex(), i/2)
				}
			}
		})
	}
}

// TestReadAvailable reads frames that have arrived together. readAvailable must return their messages together, up to the
// first incomplete frame.
func TestReadAvailable(t *testing.T) {
	e := newEndpoint(t, 2, nil)
	var many []*raftpb.Message
	for i := range uint64(maxFrames + 10) {
		many = append(many, message(2, i, []byte("data")))
	}
	half := frames(t, message(2, 9, []byte("half")))
	half = half[:len(half)-1]
	for name, test := range map[string]struct {
		data []byte
		want []int // how many are returned by each call
		end  error
	}{
		"two and a half":         {append(frames(t, many[0], many[1]), half...), []int{2}, io.ErrUnexpectedEOF},
		"one and half a header":  {append(frames(t, many[0]), 0, 0), []int{1}, io.ErrUnexpectedEOF},
		"empty ones between":     {frames(t, nil, many[0], nil, many[1], nil), []int{2}, io.EOF},
		"one empty":              {frames(t, nil), []int{0}, io.EOF},
		"more than maxFrames":    {frames(t, many...), []int{maxFrames, 10}, io.EOF},
		"one and an invalid one": {append(frames(t, many[0]), 0, 0, 0, 1, 0xff), []int{1}, errFrame},
	} {
		t.Run(name, func(t *testing.T) {
			in := newFrameReader(bytes.NewReader(test.data), testMessage)
			next := uint64(0)
			for i, want := range test.want {
				messages, err := e.readAvailable(1, in, nil)
				if last := i == len(test.want)-1 && errors.Is(test.end, errFrame); len(messages) != want || (err != nil) != last {
					t.Fatalf("call %d returned %d messages, want %d; %v", i, len(messages), want, err)
				}
				for _, m := range messages {
					if m.GetIndex() != next {
						t.Errorf("message %d arrived in place of message %d", m.GetIndex(), next)
					}
					next++
				}
			}
			if errors.Is(test.end, errFrame) {
				return
			}
			if messages, err := e.readAvailable(1, in, nil); len(messages) > 0 || err != test.end {
				t.Errorf("at the end: %d messages, %v", len(messages), err)
			}
		})
	}
}

// TestInvalidFrames reads incomplete frames, frames above the limit, and a frame that holds no message.
func TestInvalidFrames(t *testing.T) {
	for name, data := range map[string][]byte{
		"half a header":            {0, 0},
		"half a short message":     {0, 0, 0, 9, 1},
		"half a long message":      {0, 2, 0, 0, 1},
		"half a huge message":      {1, 0, 0, 0, 1},
		"far above the limit":      {0xff, 0, 0, 0},
		"a little above the limit": frames(t, message(2, 1, sample(1, testMessage))),
		"not a message":            {0, 0, 0, 2, 0xff, 0xff},
	} {
		t.Run(name, func(t *testing.T) {
			if m, _, err := newFrameReader(bytes.NewReader(data), testMessage).next(); err == nil || err == io.EOF {
				t.Errorf("got a message of %d entries, %v; want an error", len(m.GetEntries()), err)
			}
		})
	}
}
