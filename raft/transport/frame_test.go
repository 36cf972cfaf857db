package transport

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"go.etcd.io/raft/v3/raftpb"
)

// frames encodes messages. A nil message becomes an empty frame.
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

// nextMessage skips empty frames: on a slow machine, one may be between any two messages.
func nextMessage(in *frameReader) (*raftpb.Message, error) {
	for {
		if m, _, err := in.next(); m != nil || err != nil {
			return m, err
		}
	}
}

// sample returns data of a size that is different for each index.
func sample(index uint64, size int) []byte {
	return bytes.Repeat([]byte{byte(index), byte(index >> 8), 7}, size/3+1)[:size]
}

// TestFramesInPieces reads frames of many sizes that arrive in pieces. A message must not change when the memory of its
// frame is used again.
func TestFramesInPieces(t *testing.T) {
	sizes := []int{0, 1, 5, 64<<10 - 20, 64 << 10, 100 << 10, 90 << 10, 3, maxKept, 2 * maxKept, maxPreallocated + 1, 7, 70 << 10}
	var sent []*raftpb.Message
	for i, size := range sizes {
		sent = append(sent, message(2, uint64(i), sample(uint64(i), size)), nil)
	}
	data := frames(t, sent...)
	for name, in := range map[string]io.Reader{
		"whole":          bytes.NewReader(data),
		"halves":         iotest.HalfReader(bytes.NewReader(data)),
		"single bytes":   iotest.OneByteReader(bytes.NewReader(data)),
		"with their end": iotest.DataErrReader(bytes.NewReader(data)),
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
					t.Errorf("message %d has %d bytes", m.GetIndex(), size)
				}
			}
			if _, _, err := r.next(); err != io.EOF {
				t.Errorf("at the end: %v", err)
			}
			if cap(r.buf) > maxKept {
				t.Errorf("%d bytes are kept for frames", cap(r.buf))
			}
			for i, m := range got {
				if (m == nil) != (sent[i] == nil) {
					t.Fatalf("frame %d is empty, or must be", i)
				}
				if m != nil && (m.GetIndex() != uint64(i/2) || !bytes.Equal(m.GetEntries()[0].GetData(), sample(uint64(i/2), sizes[i/2]))) {
					t.Errorf("message %d arrived in place of message %d, or with other data", m.GetIndex(), i/2)
				}
			}
		})
	}
}

// TestReadAvailable reads frames that have arrived together. They must be returned together, up to the first incomplete one.
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
		"two and half of one": {append(frames(t, many[0], many[1]), half...), []int{2}, io.ErrUnexpectedEOF},
		"half a head":         {append(frames(t, many[0]), 0, 0), []int{1}, io.ErrUnexpectedEOF},
		"empty frames":        {frames(t, nil, many[0], nil, many[1], nil), []int{2}, io.EOF},
		"nothing else":        {frames(t, nil), []int{0}, io.EOF},
		"many":                {frames(t, many...), []int{maxFrames, 10}, io.EOF},
		"no frame behind one": {append(frames(t, many[0]), 0, 0, 0, 1, 0xff), []int{1}, errFrame},
	} {
		t.Run(name, func(t *testing.T) {
			in := newFrameReader(bytes.NewReader(test.data), testMessage)
			next := uint64(0)
			for i, want := range test.want {
				messages, err := e.readAvailable(1, in, nil)
				if last := i == len(test.want)-1 && errors.Is(test.end, errFrame); len(messages) != want || (err != nil) != last {
					t.Fatalf("%d messages are returned together, want %d; %v", len(messages), want, err)
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

// TestInvalidFrames reads frames that are cut short, too long, or no messages.
func TestInvalidFrames(t *testing.T) {
	for name, data := range map[string][]byte{
		"half a head":    {0, 0},
		"half a message": {0, 0, 0, 9, 1},
		"half a long":    {0, 2, 0, 0, 1},
		"half a longer":  {1, 0, 0, 0, 1},
		"too long":       {0xff, 0, 0, 0},
		"just too long":  frames(t, message(2, 1, sample(1, testMessage))),
		"no message":     {0, 0, 0, 2, 0xff, 0xff},
	} {
		t.Run(name, func(t *testing.T) {
			if m, _, err := newFrameReader(bytes.NewReader(data), testMessage).next(); err == nil || err == io.EOF {
				t.Errorf("a message of %d entries, %v", len(m.GetEntries()), err)
			}
		})
	}
}
