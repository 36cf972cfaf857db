package tree

import "sync"

// EventCache keeps the JSON of events that several watchers read, so that it is
// encoded once for all of them. It keeps a bounded number of bytes: the large events
// that are acquired, and in the room beside them the small events that were encoded
// last. Any goroutine may call it. An event must not be given to two caches.
type EventCache struct {
	limit int

	encodeLarge sync.Mutex // held while a large event is encoded; locked before mu
	scratch     []byte     // guarded by encodeLarge

	mu    sync.Mutex
	small []*Event // the small events in the cache, the oldest first
	bytes int      // of all JSON in the cache, and of what is being encoded
}

// encoded is the JSON of an event in the cache.
type encoded struct {
	json []byte
	refs int // of a large event: how often it is acquired; guarded by EventCache.mu
}

// NewEventCache makes a cache that keeps at most limit bytes.
func NewEventCache(limit int) *EventCache { return &EventCache{limit: limit} }

// JSON returns the JSON of a small event, as Event.AppendJSON writes it. The caller
// must neither change nor keep the bytes.
func (c *EventCache) JSON(e *Event) []byte {
	if cached := e.encoded.Load(); cached != nil {
		return cached.json
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

// Acquire returns the JSON of a large event, as Event.AppendJSON writes it, and keeps
// it until Release is called as often as Acquire was. The caller must not change the
// bytes. Acquire returns false if there is no room for the event: the caller then has
// to encode it in pieces.
func (c *EventCache) Acquire(e *Event) (json []byte, ok bool) {
	if json, ok = c.acquireCached(e); ok {
		return json, true
	}
	c.encodeLarge.Lock()
	defer c.encodeLarge.Unlock()
	if json, ok = c.acquireCached(e); ok {
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
	e.encoded.Store(&encoded{json: json, refs: 1})
	return json, true
}

// acquireCached is Acquire for an event that is in the cache.
func (c *EventCache) acquireCached(e *Event) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cached := e.encoded.Load()
	if cached == nil {
		return nil, false
	}
	cached.refs++
	return cached.json, true
}

// Release undoes one Acquire of the event that returned true.
func (c *EventCache) Release(e *Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cached := e.encoded.Load()
	if cached.refs--; cached.refs == 0 {
		e.encoded.Store(nil)
		c.bytes -= len(cached.json)
	}
}

// reserve counts size bytes more, and drops the oldest small events for them. It
// returns false, and counts nothing, if there is no room even without small events.
// Callers must hold mu.
func (c *EventCache) reserve(size int) bool {
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
