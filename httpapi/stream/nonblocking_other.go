//go:build !unix

package stream

// nonblockingWriter writes nothing on systems without a non-blocking write: a goroutine writes everything.
type nonblockingWriter struct{}

func (*nonblockingWriter) write(*conn, []byte) (int, error) { return 0, nil }
