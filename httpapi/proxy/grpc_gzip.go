package proxy

import (
	"compress/gzip"
	"fmt"
	"io"
	"sync/atomic"

	"google.golang.org/grpc/encoding"
)

// Clients of gRPC may compress their messages with gzip. The proxy decompresses them before it passes them on, and compresses the responses
// to such a client.

// maxDecompressed is the largest number of bytes of a message after its decompression: without a limit, a short message could take all
// memory. It is the same for all proxies of the process, because grpc-go has one list of compressions. NewGRPC sets it.
var maxDecompressed atomic.Int64

func init() { encoding.RegisterCompressor(gzipCompressor{}) } // grpc-go allows it in init only

// gzipCompressor is an encoding.Compressor.
type gzipCompressor struct{}

// Name returns the value of the header grpc-encoding.
func (gzipCompressor) Name() string { return "gzip" }

// Compress returns a writer that compresses to w.
func (gzipCompressor) Compress(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }

// Decompress returns a reader of the decompressed bytes. It returns an error beyond the limit.
func (gzipCompressor) Decompress(r io.Reader) (io.Reader, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	limit := maxDecompressed.Load()
	return &limitedReader{z, limit, limit}, nil
}

// limitedReader is a reader that returns an error beyond a limit.
type limitedReader struct {
	from        io.Reader
	left, limit int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	n, err := l.from.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("it has more than %d bytes (--max-request-bytes of the proxy)", l.limit)
	}
	return n, err
}
