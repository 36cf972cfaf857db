package v2

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pando/tree"
)

// request is a decoded request for keys.
type request struct {
	path                            string
	recursive, wait, stream, quorum bool
	noValueOnSuccess                bool // the response to a change has only the action
	waitIndex                       uint64
	raw                             bool         // the value is the body of the request
	command                         tree.Command // of a change
	form                            string       // the body of the request, if it is a form
	listing                         *listing     // what a read asks for besides; nil for nothing
	conditions                      *conditions  // from the headers; nil for none
}

// decode decodes a request from its method, its clean URL path, the parameters of p and its conditions, which may be nil. A TTL counts
// from now. Errors are *tree.Error. The checks are in the order of the reference, so that the first of several errors is the same.
// Parameters and conditions that etcd ignores are checked last.
func (p *parser) decode(method, urlPath string, conditions *conditions, now time.Time) (q request, err error) {
	f := &p.form
	q.conditions = conditions
	q.path, q.form = keyPath(urlPath), f.body
	if !tree.ValidPath(q.path) {
		return q, tree.NewError(tree.CodeInvalidField, fmt.Sprintf(
			"the path is longer than %d bytes or deeper than %d levels", tree.MaxPathBytes, tree.MaxPathDepth))
	}
	c := &q.command
	c.Path = q.path
	c.PrevIndex = p.index(fieldPrevIndex)
	q.waitIndex = p.index(fieldWaitIndex)
	q.recursive = p.flag(fieldRecursive)
	p.flag(fieldSorted) // only checked: lists are always sorted
	q.wait = p.flag(fieldWait)
	c.Dir = p.flag(fieldDir)
	q.quorum = p.flag(fieldQuorum)
	q.stream = p.flag(fieldStream)
	if p.err == nil && q.wait && method != http.MethodGet {
		p.fail(tree.CodeInvalidField, `"wait" can only be used with GET requests`)
	}
	if c.PrevValue = f.values[fieldPrevValue]; p.err == nil && f.given.has(fieldPrevValue) && c.PrevValue == "" {
		p.fail(tree.CodePrevValue, `"prevValue" cannot be empty`)
	}
	q.noValueOnSuccess = p.flag(fieldNoValue)
	expires := p.expires(now)
	exist := p.existence()
	c.Refresh = p.flag(fieldRefresh)
	if p.err == nil && c.Refresh {
		switch {
		case f.values[fieldValue] != "":
			p.fail(tree.CodeRefreshValue, "A value was provided on a refresh")
		case expires == 0:
			p.fail(tree.CodeRefreshTTL, "No TTL value set")
		}
	}
	if isRead(method) {
		q.listing = p.listing(&q)
		if !q.wait || q.quorum { // watches have no conditions
			conditions.requireTags(p)
		}
	} else {
		exist = p.extendChange(method, &q, exist)
	}
	if p.err != nil {
		return q, p.err
	}
	c.Expires = expires
	c.Value = f.values[fieldValue]
	c.Recursive = q.recursive
	c.Op = treeOp(method, exist, c)
	if c.Op == tree.OpCreate || c.Op == tree.OpCreateInOrder {
		c.Refresh = false // a new node wakes watchers: there is nothing to refresh
	}
	return q, nil
}

// extendChange checks the parameters and conditions of a change that etcd ignores. It returns the existence that they demand.
func (p *parser) extendChange(method string, q *request, exist existence) existence {
	if method != http.MethodDelete && p.flag(fieldRaw) {
		q.raw = true
		p.checkRaw(&q.command)
	}
	if q.conditions == nil {
		return exist
	}
	return q.conditions.require(p, method, &q.command, exist)
}

// existence says whether a node may or must exist before a change.
type existence int

const (
	mayExist existence = iota
	mustExist
	mustNotExist
)

// treeOp returns the tree's operation for a method and its conditions.
func treeOp(method string, exist existence, c *tree.Command) tree.Op {
	compare := c.PrevValue != "" || c.PrevIndex != 0
	switch {
	case method == http.MethodPost:
		return tree.OpCreateInOrder
	case method == http.MethodDelete && compare:
		return tree.OpCompareAndDelete
	case method == http.MethodDelete:
		return tree.OpDelete
	case exist == mustNotExist:
		return tree.OpCreate
	case compare:
		return tree.OpCompareAndSwap
	case exist == mustExist:
		return tree.OpUpdate
	}
	return tree.OpSet
}

// parser parses fields of a form. It keeps the first error.
type parser struct {
	form form
	err  *tree.Error
}

// fail records an error, unless there was one before.
func (p *parser) fail(code tree.Code, cause string) {
	if p.err == nil {
		p.err = tree.NewError(code, cause)
	}
}

// invalid records that the value of a field is invalid.
func (p *parser) invalid(code tree.Code, f field) {
	name := `"` + f.String() + `"`
	if f == fieldPrevExist || f == fieldRefresh { // the reference has no quotes here
		name = f.String()
	}
	p.fail(code, "invalid value for "+name)
}

// flag returns the value of a boolean field, or false if the field was not given.
func (p *parser) flag(f field) bool {
	if !p.form.given.has(f) {
		return false
	}
	v, err := strconv.ParseBool(p.form.values[f])
	if err != nil {
		p.invalid(tree.CodeInvalidField, f)
	}
	return v
}

// index returns the value of a field that is an index, or 0 if the field was not given.
func (p *parser) index(f field) uint64 {
	if !p.form.given.has(f) {
		return 0
	}
	v, err := strconv.ParseUint(p.form.values[f], 10, 64)
	if err != nil {
		p.invalid(tree.CodeIndexNaN, f)
	}
	return v
}

// existence returns the condition that prevExist sets.
func (p *parser) existence() existence {
	if !p.form.given.has(fieldPrevExist) {
		return mayExist
	}
	if p.flag(fieldPrevExist) {
		return mustExist
	}
	return mustNotExist
}

// expires returns the time at which the TTL of the request ends, in nanoseconds since 1970, or 0 for never.
func (p *parser) expires(now time.Time) int64 {
	v := p.form.values[fieldTTL]
	if v == "" {
		return 0
	}
	seconds, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		p.invalid(tree.CodeTTLNaN, fieldTTL)
		return 0
	}
	at, ok := expiresAt(now, seconds)
	if !ok {
		p.fail(tree.CodeTTLNaN, fmt.Sprintf(`"ttl" of %d seconds is beyond the year 2262`, seconds))
	}
	return at
}

// expiresAt returns the time at which a TTL ends, in nanoseconds since 1970. If it can't be represented, ok is false.
func expiresAt(now time.Time, seconds uint64) (at int64, ok bool) {
	at = now.UnixNano()
	if seconds > uint64(math.MaxInt64-at)/uint64(time.Second) {
		return 0, false
	}
	return at + int64(seconds)*int64(time.Second), true
}

// keyPath returns the path in the tree for the clean path of a URL.
func keyPath(urlPath string) string {
	p := strings.TrimSuffix(strings.TrimPrefix(urlPath, KeysPath), "/")
	if p == "" {
		return "/"
	}
	return p
}
