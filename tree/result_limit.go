package tree

import "fmt"

// A small request may have a large response: a transaction may read the same keys many times. The results of a request are therefore
// bounded in bytes while they are collected, before a response is encoded.

// resultNodeBytes is an estimate of the bytes of a file in a response, without its key and value. resultOpBytes is an estimate of the bytes
// of an operation, without its files.
const (
	resultNodeBytes = 32
	resultOpBytes   = 32
)

// resultLimit bounds the results of one request. The nil resultLimit has no bound.
type resultLimit struct {
	left     int64
	exceeded bool
}

// newResultLimit returns a limit. It returns nil, which is no limit, if bytes is not positive.
func newResultLimit(bytes int64) *resultLimit {
	if bytes <= 0 {
		return nil
	}
	return &resultLimit{left: bytes}
}

// take counts bytes. It returns false if their sum exceeds the limit.
func (l *resultLimit) take(bytes int) bool {
	if l == nil {
		return true
	}
	l.left -= int64(bytes)
	l.exceeded = l.exceeded || l.left < 0
	return !l.exceeded
}

// resultSize returns about the size of a file in a response.
func resultSize(n *Node) int { return resultNodeBytes + int(n.bytes()) }

// resultSize returns about the size of a file in the response to the query.
func (q *RangeQuery) resultSize(n *Node) int {
	if q.KeysOnly {
		return resultNodeBytes + len(n.Path())
	}
	return resultSize(n)
}

// isExceeded reports whether take has returned false.
func (l *resultLimit) isExceeded() bool { return l != nil && l.exceeded }

// resultTooLarge returns the error of a request whose results exceed a limit. what is the end of its text.
func resultTooLarge(bytes int64, what string) *Error {
	return NewError(CodeResultTooLarge, fmt.Sprintf("the response would have more than %d bytes (--max-response-bytes); %s", bytes, what))
}

// readTooLarge is resultTooLarge for a request that changes nothing.
func readTooLarge(bytes int64) *Error {
	return resultTooLarge(bytes, "ask for fewer keys, with a limit, or for the keys alone")
}

// SetResultLimit bounds the results of commands of the v3 API. If the files in the result of a command exceed the limit, with their keys
// and values, all of them are left out, and KVResult.TooLarge is set. The changes that a command makes do not depend on the limit, so
// members may have different ones. Zero, the default, is no limit. SetResultLimit must be called before the first Apply.
func (s *Store) SetResultLimit(bytes int64) { s.resultBytes = bytes }

// TooLargeError returns the error for a result whose TooLarge is set, and otherwise nil.
func (s *Store) TooLargeError(r *KVResult) *Error {
	if r == nil || !r.TooLarge {
		return nil
	}
	return resultTooLarge(s.resultBytes, "the changes of the request were made, but its results are left out")
}

// RunWithin is Run with a limit of the result in bytes. Zero is no limit. It returns an *Error of CodeResultTooLarge if the result exceeds
// the limit.
func (q *RangeQuery) RunWithin(keys KeyReader, bytes int64) (RangeResult, *Error) {
	if _, single := q.single(); single {
		return q.run(keys, nil), nil // one file is at most as large as the request that wrote it
	}
	limit := newResultLimit(bytes)
	r := q.run(keys, limit)
	if limit.isExceeded() {
		return RangeResult{}, readTooLarge(bytes)
	}
	return r, nil
}

// dropNodes sets TooLarge, and removes the files from a result.
func (r *KVResult) dropNodes() {
	r.TooLarge = true
	for i := range r.Ops {
		o := &r.Ops[i]
		o.Prev, o.Range.Nodes = nil, nil
		if o.Txn != nil {
			o.Txn.dropNodes()
		}
	}
}
