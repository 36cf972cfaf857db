package rpc

import (
	"bytes"
	"compress/gzip"
	"io"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Clients may compress their messages with gzip, as with etcd. Responses are not compressed.

const gzipEncoding = "gzip"

// message is a message of a client.
type message struct {
	body       []byte // nil if there is no message
	compressed bool   // the body is compressed with gzip
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

// expand returns the decompressed message. It returns an error if the result is longer than limit bytes.
func (m message) expand(limit int) ([]byte, error) {
	if !m.compressed {
		return m.body, nil
	}
	r, _ := gzipReaders.Get().(*gzip.Reader)
	if r == nil {
		r = new(gzip.Reader)
	}
	defer gzipReaders.Put(r)
	err := r.Reset(bytes.NewReader(m.body))
	var b []byte
	if err == nil {
		b, err = io.ReadAll(io.LimitReader(r, int64(limit)+1))
	}
	switch {
	case err != nil:
		return nil, status.Errorf(codes.Internal, "grpc: failed to decompress the received message: %v", err)
	case len(b) > limit:
		return nil, status.Errorf(codes.ResourceExhausted, "grpc: received message after decompression larger than max %d", limit)
	}
	return b, nil
}
