package diff

import (
	"time"

	"pando/ctl/client"
)

// Criteria say in which respects two nodes must be the same to be equal. They are always both keys or both directories.
type Criteria struct {
	Values  bool // the values are the same
	Expiry  bool // both expire at the same time, or never
	Indexes bool // createdIndex and modifiedIndex are the same
	// Slack is the difference between two times of expiry that counts as none.
	Slack time.Duration
	// Text compares values as JSON shows them: each byte that is not UTF-8 as U+FFFD.
	Text bool
}

// Exact requires all that a node has.
var Exact = Criteria{Values: true, Expiry: true, Indexes: true}

// Equal reports whether two nodes are the same, apart from their children. Either may be nil.
func (c *Criteria) Equal(a, b *client.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Dir == b.Dir && c.EqualValues(a, b) && c.EqualExpiry(a, b) && c.EqualIndexes(a, b)
}

// EqualValues reports whether the values of two nodes are the same, or need not be.
func (c *Criteria) EqualValues(a, b *client.Node) bool {
	return !c.Values || a.Value == b.Value || c.Text && asText(a.Value) == asText(b.Value)
}

// EqualExpiry reports whether two nodes expire at the same time, or need not do so.
func (c *Criteria) EqualExpiry(a, b *client.Node) bool {
	if !c.Expiry || a.Expiration == nil || b.Expiration == nil {
		return !c.Expiry || a.Expiration == b.Expiration
	}
	return a.Expiration.Sub(*b.Expiration).Abs() <= c.Slack
}

// EqualIndexes reports whether the indexes of two nodes are the same, or need not be.
func (c *Criteria) EqualIndexes(a, b *client.Node) bool {
	return !c.Indexes || a.CreatedIndex == b.CreatedIndex && a.ModifiedIndex == b.ModifiedIndex
}

// asText returns a value as it comes back from JSON.
func asText(value string) string { return string([]rune(value)) }
