package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// conn is a connection of HTTP/2 to one server. One goroutine uses it: it reads the frames of the server, passes the messages of gRPC to
// the owner of their stream, and writes all frames that it has made when there is nothing more to read. A request costs the load program
// about 2 µs of a processor. A client of grpc-go takes 15 µs, which the server lacks if both share the processors.
type conn struct {
	net    net.Conn
	in     *bufio.Reader
	out    bytes.Buffer
	framer *http2.Framer

	encoder   *hpack.Encoder
	headers   bytes.Buffer // what the encoder has written
	heads     map[string][]byte
	decoder   *hpack.Decoder
	lastEnd   []byte // encoded trailers of success that do not change the table of the decoder
	authority string

	nextID   uint32
	streams  map[uint32]*stream
	ready    bool      // the server has sent its SETTINGS
	window   int64     // bytes of messages that the server accepts
	waiting  []*stream // streams whose message does not fit into the window
	received int       // bytes for which no WINDOW_UPDATE was sent
	free     []*stream // ended streams, which are reused
	message  func(*stream, []byte) error
	ended    func(*stream) error
}

// stream is one call, or one stream of gRPC.
type stream struct {
	id      uint32
	client  int
	begun   time.Time
	partial []byte // the beginning of a message that is not complete
	unsent  []byte // a message that waits for the window
	end     bool   // the client sends nothing after the message

	messages int // number of messages that have arrived
}

const (
	// receiveWindow is the number of bytes that the server may send before it gets a WINDOW_UPDATE.
	receiveWindow = 1 << 30
	// messageHead is the number of bytes before a message of gRPC: the flag for compression, and the length.
	messageHead = 5
	maxFrame    = 16 << 10
)

// dial opens a connection and waits for the SETTINGS of the server.
func dial(address string) (*conn, error) {
	n, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c := &conn{
		net: n, in: bufio.NewReaderSize(n, 64<<10), heads: map[string][]byte{}, decoder: hpack.NewDecoder(4096, nil), nextID: 1,
		streams: map[uint32]*stream{}, window: 65535, authority: address,
	}
	c.encoder = hpack.NewEncoder(&c.headers)
	c.framer = http2.NewFramer(&c.out, c.in)
	c.framer.SetReuseFrames()
	c.out.WriteString(http2.ClientPreface)
	if err := c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: receiveWindow}); err != nil {
		return nil, err
	}
	if err := c.framer.WriteWindowUpdate(0, receiveWindow); err != nil {
		return nil, err
	}
	for !c.ready {
		if err := c.step(); err != nil {
			return nil, fmt.Errorf("connecting to %s: %w", address, err)
		}
	}
	return c, nil
}

// open begins a call of a method with a message, which includes its head. If end is true, the client sends no other message.
func (c *conn) open(method string, client int, message []byte, end bool) error {
	s := &stream{}
	if n := len(c.free); n > 0 {
		s, c.free = c.free[n-1], c.free[:n-1]
	}
	*s = stream{id: c.nextID, client: client, begun: time.Now(), partial: s.partial[:0], unsent: s.unsent[:0], end: end}
	c.nextID += 2
	c.streams[s.id] = s
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: c.head(method), EndHeaders: true})
	if err != nil {
		return err
	}
	return c.send(s, message)
}

// send sends a message, or keeps it until the server takes it. There is at most one such message for a stream.
func (c *conn) send(s *stream, message []byte) error {
	if int64(len(message)) > c.window {
		s.unsent = append(s.unsent[:0], message...)
		c.waiting = append(c.waiting, s)
		return nil
	}
	c.window -= int64(len(message))
	for len(message) > maxFrame {
		if err := c.framer.WriteData(s.id, false, message[:maxFrame]); err != nil {
			return err
		}
		message = message[maxFrame:]
	}
	return c.framer.WriteData(s.id, s.end, message)
}

// head returns the headers of a request, as a client of grpc-go sends them. From the second request on, all of them are in the table of the
// server.
func (c *conn) head(method string) []byte {
	if head := c.heads[method]; head != nil {
		return head
	}
	first := append([]byte(nil), c.encodeHead(method)...)
	c.heads[method] = append([]byte(nil), c.encodeHead(method)...)
	return first
}

func (c *conn) encodeHead(method string) []byte {
	c.headers.Reset()
	for _, field := range [...][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", "/etcdserverpb." + method}, {":authority", c.authority},
		{"content-type", "application/grpc"}, {"user-agent", "grpc-go/1.83.2"}, {"te", "trailers"},
	} {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}) // a buffer returns no error
	}
	return c.headers.Bytes()
}

// step writes what is to be written if nothing was received, and handles one frame.
func (c *conn) step() error {
	if c.in.Buffered() == 0 {
		if err := c.flush(); err != nil {
			return err
		}
	}
	frame, err := c.framer.ReadFrame()
	if err != nil {
		return err
	}
	switch frame := frame.(type) {
	case *http2.DataFrame:
		return c.data(frame)
	case *http2.HeadersFrame:
		return c.trailers(frame)
	case *http2.SettingsFrame:
		if frame.IsAck() {
			return nil
		}
		c.ready = true
		return c.framer.WriteSettingsAck()
	case *http2.PingFrame:
		if frame.IsAck() {
			return nil
		}
		return c.framer.WritePing(true, frame.Data)
	case *http2.WindowUpdateFrame:
		if frame.StreamID == 0 { // messages are shorter than the window of a stream
			c.window += int64(frame.Increment)
			return c.sendWaiting()
		}
	case *http2.RSTStreamFrame:
		return fmt.Errorf("the server resets a stream: %v", frame.ErrCode)
	case *http2.GoAwayFrame:
		return fmt.Errorf("the server closes the connection: %v %s", frame.ErrCode, frame.DebugData())
	}
	return nil
}

func (c *conn) flush() error {
	if c.out.Len() == 0 {
		return nil
	}
	_, err := c.net.Write(c.out.Bytes())
	c.out.Reset()
	return err
}

func (c *conn) sendWaiting() error {
	for len(c.waiting) > 0 && int64(len(c.waiting[0].unsent)) <= c.window {
		s := c.waiting[0]
		c.waiting = c.waiting[1:]
		if err := c.send(s, s.unsent); err != nil {
			return err
		}
	}
	return nil
}

var errCompressed = errors.New("a message is compressed")

// data passes the messages on that a frame completes.
func (c *conn) data(frame *http2.DataFrame) error {
	if c.received += int(frame.Length); c.received > receiveWindow/2 {
		if err := c.framer.WriteWindowUpdate(0, uint32(c.received)); err != nil {
			return err
		}
		c.received = 0
	}
	s := c.streams[frame.StreamID]
	if s == nil {
		return fmt.Errorf("a frame of the stream %d, which is not open", frame.StreamID)
	}
	data := frame.Data()
	if len(s.partial) > 0 {
		s.partial = append(s.partial, data...)
		data = s.partial
	}
	for len(data) >= messageHead {
		if data[0] != 0 {
			return errCompressed
		}
		size := messageHead + int(binary.BigEndian.Uint32(data[1:]))
		if len(data) < size {
			break
		}
		if err := c.message(s, data[messageHead:size]); err != nil {
			return err
		}
		data = data[size:]
	}
	s.partial = append(s.partial[:0], data...)
	return nil
}

// trailers ends a call. It returns an error if the call has failed.
func (c *conn) trailers(frame *http2.HeadersFrame) error {
	block := frame.HeaderBlockFragment()
	if !frame.HeadersEnded() {
		return errors.New("headers in several frames")
	}
	if !frame.StreamEnded() || !bytes.Equal(block, c.lastEnd) {
		if err := c.decode(block, frame.StreamEnded()); err != nil {
			return err
		}
	}
	if !frame.StreamEnded() {
		return nil
	}
	s := c.streams[frame.StreamID]
	if s == nil {
		return fmt.Errorf("the end of the stream %d, which is not open", frame.StreamID)
	}
	delete(c.streams, s.id)
	err := c.ended(s)
	c.free = append(c.free, s)
	return err
}

// decode decodes headers or, if end is true, trailers. Equal bytes have equal meanings as long as no block has changed the table.
func (c *conn) decode(block []byte, end bool) error {
	status, message := "", ""
	c.decoder.SetEmitFunc(func(f hpack.HeaderField) {
		switch f.Name {
		case "grpc-status":
			status = f.Value
		case "grpc-message":
			message = f.Value
		}
	})
	if _, err := c.decoder.Write(block); err != nil {
		return err
	}
	if err := c.decoder.Close(); err != nil {
		return err
	}
	if end && status != "0" {
		return fmt.Errorf("a call has failed with status %q: %s", status, message)
	}
	switch {
	case !onlyIndexed(block):
		c.lastEnd = nil
	case end:
		c.lastEnd = append(c.lastEnd[:0], block...)
	}
	return nil
}

// onlyIndexed reports whether a block refers to fields of the table alone, by indexes of one byte.
func onlyIndexed(block []byte) bool {
	for _, b := range block {
		if b < 0x80 || b == 0xff {
			return false
		}
	}
	return true
}
