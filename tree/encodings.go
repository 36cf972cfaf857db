package tree

import "sync"

// Encodings keeps the JSON of events while several watchers read them, so that it
// is written once for all. It holds a bounded number of bytes: of large events those that
// somebody holds, and in the room that they leave the last small ones. Any goroutine may
// call it. An event must not be given to two of them.
type Encodings struct {
	limit int

	filling sync.Mutex // held while the JSON of a large event is written; comes before mu
	scratch []byte     // for who fills

	mu    sync.Mutex
	small []*Event // those with JSON, the oldest first
	bytes int      // of all JSON, and of what is being written
}

// encoded is the JSON of an event.
type encoded struct {
	json    []byte
	holders int // of a large event; Encodings.mu must be held
}

// NewEncodings keeps at most limit bytes.
func NewEncodings(limit int) *Encodings { return &Encodings{limit: limit} }

// JSON gives a small event as the API sends it. The caller must not change the bytes,
// and must not keep them.
func (c *Encodings) JSON(e *Event) []byte {
	if there := e.encoded.Load(); there != nil {
		return there.json
	}
	json := e.AppendJSON(nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.encoded.Load() == nil && c.reserve(len(json)) {
		e.encoded.Store(&encoded{json: json})
		c.small = append(c.small, e)
	}
	return json
}

// Hold gives a large event as the API sends it, and keeps it until Release. Without
// room for it there is none: the caller has to send the event in pieces.
func (c *Encodings) Hold(e *Event) (json []byte, ok bool) {
	if json, ok = c.hold(e); ok {
		return json, true
	}
	c.filling.Lock()
	defer c.filling.Unlock()
	if json, ok = c.hold(e); ok {
		return json, true
	}
	if c.scratch == nil {
		c.scratch = make([]byte, 0, 2*PieceSize)
	}
	size := e.Encode().Size(c.scratch)
	c.mu.Lock()
	ok = c.reserve(size)
	c.mu.Unlock()
	if !ok {
		return nil, false
	}
	json = e.AppendJSON(make([]byte, 0, size))
	c.mu.Lock()
	defer c.mu.Unlock()
	e.encoded.Store(&encoded{json: json, holders: 1})
	return json, true
}

// hold holds what is there already.
func (c *Encodings) hold(e *Event) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	there := e.encoded.Load()
	if there == nil {
		return nil, false
	}
	there.holders++
	return there.json, true
}

// Release ends what Hold began.
func (c *Encodings) Release(e *Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	there := e.encoded.Load()
	if there.holders--; there.holders == 0 {
		e.encoded.Store(nil)
		c.bytes -= len(there.json)
	}
}

// Bytes is how many bytes are kept.
func (c *Encodings) Bytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}

// reserve forgets the oldest small events until there is room for size bytes more. It
// reports whether there is. Callers must hold mu.
func (c *Encodings) reserve(size int) bool {
	for c.bytes+size > c.limit && len(c.small) > 0 {
		oldest := c.small[0]
		c.small[0] = nil
		c.small = c.small[1:]
		c.bytes -= len(oldest.encoded.Load().json)
		oldest.encoded.Store(nil)
	}
	if c.bytes+size > c.limit {
		return false
	}
	c.bytes += size
	return true
}
