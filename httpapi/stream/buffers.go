package stream

import "sync"

// buffers is the pool of the buffers for batches and for pieces of large events.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// putBuffer returns a buffer to the pool, with b in place of the slice that it had.
func putBuffer(p *[]byte, b []byte) {
	if cap(b) <= 2*maxBatch {
		*p = b
		buffers.Put(p)
	}
}
