package rpc

import (
	"bytes"
	"compress/gzip"
	"io"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"pando/httpapi/budget"
)

// Clients may compress their messages with gzip, as with etcd. Responses are not compressed.

const gzipEncoding = "gzip"

// message is a message of a client.
type message struct {
	body       []byte // nil if there is no message
	compressed bool   // the body is compressed with gzip
	// memory is that of a long message, and of a compressed one after expand.
	memory budget.Reservation
}

// held returns the number of bytes of the message that count in stream.held while it is queued.
func (m *message) held() int {
	if m.memory.Bytes() > 0 {
		return messageHead
	}
	return messageHead + len(m.body)
}

// checkCompression returns an error if the server can't read messages with this flag.
func (h *head) checkCompression(flag byte) error {
	switch {
	case flag != 1 || h.encoding == "" || h.encoding == "identity":
		return status.Errorf(codes.Internal, "grpc: a message has the flag %d, but no header grpc-encoding", flag)
	case h.encoding != gzipEncoding:
		return status.Errorf(codes.Unimplemented, "grpc: Decompressor is not installed for grpc-encoding %q", h.encoding)
	}
	return nil
}

// gzipReaders are values of type *gzip.Reader.
var gzipReaders sync.Pool

// expand returns the decompressed message. The caller must release memory when it no longer needs the result. expand returns an error if
// the result is longer than Config.MaxMessageBytes, or if there is no memory for it.
func (m *message) expand(server *Server) ([]byte, error) {
	if !m.compressed {
		return m.body, nil
	}
	limit := server.cfg.MaxMessageBytes
	r, _ := gzipReaders.Get().(*gzip.Reader)
	if r == nil {
		r = new(gzip.Reader)
	}
	defer gzipReaders.Put(r)
	err := r.Reset(bytes.NewReader(m.body))
	var b []byte
	if err == nil {
		b, err = io.ReadAll(io.LimitReader(r, streamWindow))
	}
	if err == nil && len(b) == streamWindow {
		m.memory.Release() // that of the compressed form
		var ok bool
		if m.memory, ok = server.cfg.Memory.Messages.TryReserve(int64(limit)); !ok {
			server.count(NoMemoryForMessage)
			return nil, errNoMemoryForMessage
		}
		var rest []byte
		rest, err = io.ReadAll(io.LimitReader(r, int64(limit)+1-int64(len(b))))
		b = append(b, rest...)
	}
	switch {
	case err != nil:
		return nil, status.Errorf(codes.Internal, "grpc: failed to decompress the received message: %v", err)
	case len(b) > limit:
		server.count(MessageTooLarge)
		return nil, status.Errorf(codes.ResourceExhausted, "grpc: received message after decompression larger than max %d", limit)
	}
	if unused := m.memory.Bytes() - int64(max(len(b), len(m.body))); unused > 0 {
		m.memory.Shrink(unused)
	}
	return b, nil
}
