package v2

import "sync"

// maxPooled is the capacity of the largest buffer in the pool.
const maxPooled = 128 << 10

// buffers is the pool of the buffers for requests and responses.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// putBuffer returns a buffer to the pool, with b in place of the slice that it had.
func putBuffer(p *[]byte, b []byte) {
	if cap(b) <= maxPooled {
		*p = b
		buffers.Put(p)
	}
}
