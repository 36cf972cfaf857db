package v2

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"pando/tree"
)

// listFields are the parameters of lists that etcd does not have.
var listFields = setOf(fieldLimit, fieldAfter, fieldKeysOnly, fieldDepth, fieldHidden, fieldCounted, fieldAtIndex, fieldRaw)

// atIndexNow is the value of atIndex that pins the current state.
const atIndexNow = "now"

// listing is what the parameters of a read ask for, of those that etcd does not have.
type listing struct {
	tree.List
	raw     bool
	pinned  bool   // the list is read from one state of the tree
	atIndex uint64 // the index of that state; 0 for the current one
}

// newListing returns what a read asks for without these parameters.
func newListing(q *request) *listing {
	l := &listing{List: tree.List{Depth: tree.Shallow}}
	if q.recursive {
		l.Depth = tree.Deep
	}
	return l
}

// listing returns what a read asks for by parameters that etcd does not have, or nil if it has none of them. q must have its other
// parameters.
func (p *parser) listing(q *request) *listing {
	if p.form.given&listFields == 0 || p.err != nil {
		return nil
	}
	l := newListing(q)
	if p.form.given.has(fieldDepth) {
		l.Depth = p.whole(fieldDepth, 0)
	}
	if p.form.given.has(fieldLimit) {
		l.Limit = p.whole(fieldLimit, 1)
	}
	l.Hidden, l.KeysOnly, l.Count = p.flag(fieldHidden), p.flag(fieldKeysOnly), p.flag(fieldCounted)
	l.After = p.after(q.path)
	l.Page = l.Limit > 0 || l.After != ""
	l.raw = p.flag(fieldRaw)
	p.atIndex(l)
	for _, pair := range [...]struct {
		one, other field
		conflict   bool
	}{
		{fieldCounted, fieldLimit, l.Count && l.Limit > 0},
		{fieldCounted, fieldAfter, l.Count && l.After != ""},
		{fieldRaw, fieldCounted, l.raw && l.Count},
		{fieldRaw, fieldKeysOnly, l.raw && l.KeysOnly},
		{fieldRaw, fieldLimit, l.raw && l.Limit > 0},
		{fieldRaw, fieldAfter, l.raw && l.After != ""},
	} {
		if pair.conflict {
			p.together(pair.one, pair.other)
		}
	}
	p.noWatch(q)
	return l
}

// noWatch refuses the parameters of lists in a watch, except keysOnly.
func (p *parser) noWatch(q *request) {
	used := p.form.given & listFields
	if !q.quorum { // with quorum=true it is no watch
		used &^= setOf(fieldKeysOnly)
	}
	if q.wait && used != 0 {
		p.together(used.first(), fieldWait)
	}
}

// together records that two fields can't be used together.
func (p *parser) together(one, other field) {
	p.fail(tree.CodeInvalidField, `"`+one.String()+`" can not be used with "`+other.String()+`"`)
}

// whole returns the value of a field that is a whole number, and at least least.
func (p *parser) whole(f field, least int) int {
	n, err := strconv.ParseUint(p.form.values[f], 10, 31)
	if err != nil || int(n) < least {
		p.invalid(tree.CodeInvalidField, f)
	}
	return int(n)
}

// after returns the key after which a page begins, or an empty string for the first page. The key must lie below the path.
func (p *parser) after(path string) string {
	key := strings.TrimSuffix(p.form.values[fieldAfter], "/")
	switch below := strings.TrimSuffix(path, "/") + "/"; {
	case !p.form.given.has(fieldAfter):
		return ""
	case !tree.ValidPath(key), !strings.HasPrefix(key, below), key == path:
		p.fail(tree.CodeInvalidField, `invalid value for "after": it is the whole key of a node below `+path)
		return ""
	}
	return key
}

// atIndex sets the state of the tree from which the list is read. As with other indexes, 0 is the same as no index.
func (p *parser) atIndex(l *listing) {
	if p.form.values[fieldAtIndex] == atIndexNow {
		l.pinned = true
		return
	}
	l.atIndex = p.index(fieldAtIndex)
	l.pinned = l.atIndex != 0
}

// needsSubtree reports whether the read shows more than a node and its children.
func (l *listing) needsSubtree() bool { return l.Hidden || l.Depth > tree.Shallow }

// setNext sets the header with the URL of the next page, if there is one. index is that of the state that was read.
func (l *listing) setNext(h http.Header, q *request, n *tree.Node, index uint64) {
	if !l.Page {
		return
	}
	last := l.End(n)
	if last == "" {
		return
	}
	v := url.Values{fieldLimit.String(): {strconv.Itoa(l.Limit)}, fieldAfter.String(): {last}}
	if l.Depth != tree.Deep && (q.recursive || l.Depth != tree.Shallow) {
		v.Set(fieldDepth.String(), strconv.Itoa(l.Depth))
	}
	for f, set := range map[field]bool{fieldRecursive: q.recursive, fieldHidden: l.Hidden, fieldKeysOnly: l.KeysOnly, fieldQuorum: q.quorum} {
		if set {
			v.Set(f.String(), "true")
		}
	}
	if l.pinned {
		v.Set(fieldAtIndex.String(), strconv.FormatUint(index, 10))
	}
	next := url.URL{Path: KeysPath + q.path, RawQuery: v.Encode()}
	h["Link"] = []string{"<" + next.String() + `>; rel="next"`}
}
