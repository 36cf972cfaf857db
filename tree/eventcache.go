package tree

import "sync"

// EventCache keeps the JSON of events, so that an event is encoded once for all watchers
// that read it. The cache has a limit in bytes. It keeps the large events that are
// acquired, and in the remaining space the small events that were encoded last. Any
// goroutine may call its methods. An event must not be used with two caches.
type EventCache struct {
	limit int

	encodeLarge sync.Mutex // held while a large event is encoded; locked before mu
	scratch     []byte     // guarded by encodeLarge

	mu    sync.Mutex
	small []*Event // the small events in the cache, the oldest first
	bytes int      // size of all JSON in the cache, including a large event that is being encoded
}

// encoded is the JSON of an event in the cache.
type encoded struct {
	json []byte
	refs int // the calls of Acquire minus those of Release, for a large event; guarded by EventCache.mu
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
	if !e.isShared() {
		return json
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.encoded.Load() == nil && c.reserve(len(json)) {
		e.encoded.Store(&encoded{json: json})
		c.small = append(c.small, e)
	}
	return json
}

// Acquire returns the JSON of a large event, as Event.AppendJSON writes it, and keeps it
// in the cache. The caller must not change the bytes, and must call Release after use. If
// the event does not fit into the cache, Acquire returns false: the caller must then
// encode the event in pieces.
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

// acquireCached is Acquire for an event that is in the cache already. It returns false
// for any other event.
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

// Release releases an event after an Acquire that returned true. After the last Release
// the event is no longer in the cache.
func (c *EventCache) Release(e *Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cached := e.encoded.Load()
	if cached.refs--; cached.refs == 0 {
		e.encoded.Store(nil)
		c.bytes -= len(cached.json)
	}
}

// reserve adds size to bytes, and first removes the oldest small events until size fits
// into the limit. It returns false if size does not fit even without small events.
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
