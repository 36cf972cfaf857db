package rpc

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// The functions of this file append frames to the output. Callers must hold conn.mu.

// minIndexing is the size of the smallest HPACK table of a client that the server uses. With a smaller one, all fields are sent as
// literals.
const minIndexing = 512

// setHeaderTable applies the size of the HPACK table of the client.
func (c *conn) setHeaderTable(size uint32) {
	c.encoder.SetMaxDynamicTableSizeLimit(min(size, headerTable))
	c.indexing = size >= minIndexing
	c.okHead, c.okEnd = commonFields{}, commonFields{}
}

// encode returns the encoded form of fields, which is valid until the next call of encode. The fields enter the table of the client, unless
// they are sensitive.
func (c *conn) encode(fields ...hpack.HeaderField) []byte {
	c.encoded.Reset()
	for _, f := range fields {
		f.Sensitive = f.Sensitive || !c.indexing
		_ = c.encoder.WriteField(f) // a buffer returns no error
	}
	return c.encoded.Bytes()
}

// encodeLiterals is encode for fields that must not enter the table of the client.
func (c *conn) encodeLiterals(fields ...hpack.HeaderField) []byte {
	for i := range fields {
		fields[i].Sensitive = true
	}
	return c.encode(fields...)
}

// commonFields are headers or trailers that most responses have. No other fields enter the table of the client. Once all of them are in the
// table, their encoded form consists of references to it and does not change any more.
type commonFields struct {
	entered bool   // the fields are in the table
	block   []byte // the references to the table; nil until all commonFields have entered it
}

// appendCommon appends the headers of a response, or its trailers with http2.FlagHeadersEndStream.
func (c *conn) appendCommon(id uint32, flags http2.Flags, common *commonFields, fields ...hpack.HeaderField) {
	block := common.block
	if block == nil {
		block = c.encode(fields...)
		if c.okHead.entered && c.okEnd.entered {
			common.block = append([]byte(nil), block...)
		}
		common.entered = true
	}
	c.appendBlock(id, flags, block)
}

// appendBlock appends encoded headers in as many frames as they need. The first frame has the flags.
func (c *conn) appendBlock(id uint32, flags http2.Flags, block []byte) {
	c.buffer()
	for kind := http2.FrameHeaders; ; kind, flags = http2.FrameContinuation, 0 {
		n := min(len(block), maxFrame)
		if n == len(block) {
			flags |= http2.FlagHeadersEndHeaders
		}
		c.out = append(appendFrameHead(c.out, n, kind, flags, id), block[:n]...)
		if block = block[n:]; len(block) == 0 {
			break
		}
	}
	c.ping.sent()
}

var headFields = [...]hpack.HeaderField{{Name: ":status", Value: httpOK}, {Name: "content-type", Value: "application/grpc"}}

// appendHead appends the headers of a response.
func (c *conn) appendHead(id uint32) { c.appendCommon(id, 0, &c.okHead, headFields[:]...) }

// appendPlainHead appends the headers of the response to a request that is no request of gRPC.
func (c *conn) appendPlainHead(id uint32, httpStatus string) {
	c.appendBlock(id, 0, c.encodeLiterals(hpack.HeaderField{Name: ":status", Value: httpStatus}, headFields[1]))
}

var endFields = [...]hpack.HeaderField{{Name: "grpc-status", Value: "0"}}

// appendEnd appends the trailers of a stream and removes the stream. If the client has not ended its side, RST_STREAM asks it to stop
// sending.
func (c *conn) appendEnd(s *stream) {
	if s.trailers == nil && s.headSent {
		c.appendCommon(s.id, http2.FlagHeadersEndStream, &c.okEnd, endFields[:]...)
	} else {
		c.appendBlock(s.id, http2.FlagHeadersEndStream, c.encodeLiterals(s.endFields()...))
	}
	if !s.ended {
		c.appendReset(s.id, http2.ErrCodeNo)
	}
	c.removeStream(s)
}

// endFields returns the trailers of a stream, together with its headers if it has sent none.
func (s *stream) endFields() (fields []hpack.HeaderField) {
	if !s.headSent {
		fields = append(fields, headFields[:]...)
	}
	st := status.Convert(s.trailers)
	fields = append(fields, hpack.HeaderField{Name: "grpc-status", Value: strconv.Itoa(int(st.Code()))})
	if text := st.Message(); text != "" {
		fields = append(fields, hpack.HeaderField{Name: "grpc-message", Value: escape(text)})
	}
	if p := st.Proto(); len(p.GetDetails()) > 0 {
		if b, err := proto.Marshal(p); err == nil {
			fields = append(fields, hpack.HeaderField{Name: "grpc-status-details-bin", Value: base64.RawStdEncoding.EncodeToString(b)})
		}
	}
	return fields
}

// escape returns the text of a status as gRPC sends it: all bytes that are not printable ASCII are percent-encoded.
func escape(text string) string {
	printable := func(b byte) bool { return b >= ' ' && b <= '~' && b != '%' }
	var out strings.Builder
	for i := range len(text) {
		if b := text[i]; printable(b) {
			out.WriteByte(b)
		} else {
			fmt.Fprintf(&out, "%%%02X", b)
		}
	}
	return out.String()
}

func (c *conn) appendSettings() {
	settings := []http2.Setting{
		{ID: http2.SettingInitialWindowSize, Val: streamWindow}, {ID: http2.SettingMaxHeaderListSize, Val: c.server.cfg.MaxHeaderBytes},
	}
	if limit := c.server.cfg.MaxStreams; limit != math.MaxUint32 {
		settings = append(settings, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: limit})
	}
	c.buffer()
	c.out = appendFrameHead(c.out, 6*len(settings), http2.FrameSettings, 0, 0)
	for _, one := range settings {
		c.out = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(c.out, uint16(one.ID)), one.Val)
	}
}

func (c *conn) appendSettingsAck() {
	c.buffer()
	c.out = appendFrameHead(c.out, 0, http2.FrameSettings, http2.FlagSettingsAck, 0)
}

// appendNumber appends a frame whose payload is a number of 32 bits.
func (c *conn) appendNumber(kind http2.FrameType, id, number uint32) {
	if c.err == nil {
		c.buffer()
		c.out = binary.BigEndian.AppendUint32(appendFrameHead(c.out, 4, kind, 0, id), number)
	}
}

func (c *conn) appendWindowUpdate(id, n uint32) { c.appendNumber(http2.FrameWindowUpdate, id, n) }

func (c *conn) appendReset(id uint32, code http2.ErrCode) {
	c.appendNumber(http2.FrameRSTStream, id, uint32(code))
}

func (c *conn) appendPing(flags http2.Flags, data [8]byte) {
	c.buffer()
	c.out = append(appendFrameHead(c.out, len(data), http2.FramePing, flags, 0), data[:]...)
}

func (c *conn) appendGoAway(last uint32, code http2.ErrCode, text string) {
	c.buffer()
	c.out = appendFrameHead(c.out, 8+len(text), http2.FrameGoAway, 0, 0)
	c.out = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(c.out, last), uint32(code))
	c.out = append(c.out, text...)
}
