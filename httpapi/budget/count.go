package budget

import "sync/atomic"

// Count counts the operations of one kind that have begun and not ended, and limits their number. Its methods cost one atomic operation.
// All but Open may be called on a nil Count, which has no limit. All methods may be called from any goroutine.
type Count struct {
	limit   int64
	open    atomic.Int64
	refused func()
}

// NewCount returns a Count that allows limit operations at a time. refused is called for each operation that Begin refuses.
func NewCount(limit int, refused func()) *Count { return &Count{limit: int64(limit), refused: refused} }

// Begin counts an operation. It returns false if the limit is reached. After true the caller must call End.
func (c *Count) Begin() bool { return c.BeginAll(1) }

// BeginAll counts n operations, or none of them: it returns false if they would exceed the limit. After true the caller must call EndAll.
func (c *Count) BeginAll(n int) bool {
	if c == nil || c.open.Add(int64(n)) <= c.limit {
		return true
	}
	c.open.Add(int64(-n))
	c.refused()
	return false
}

// End ends an operation: it is no longer counted.
func (c *Count) End() { c.EndAll(1) }

// EndAll ends n operations.
func (c *Count) EndAll(n int) {
	if c != nil {
		c.open.Add(int64(-n))
	}
}

// Resume counts an operation again after End, even beyond the limit.
func (c *Count) Resume() {
	if c != nil {
		c.open.Add(1)
	}
}

// Open returns the number of operations that have begun and not ended.
func (c *Count) Open() int64 { return c.open.Load() }
