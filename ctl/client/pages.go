package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"pando/tree"
)

// The number of nodes on a page. It follows the size of the pages, because one value may have a megabyte and more.
const (
	firstPage   = 256
	largestPage = 8192
	smallBody   = 1 << 20 // bytes; after a smaller page the next page has twice as many nodes
	largeBody   = 8 << 20 // bytes; after a larger page the next page has half as many nodes
)

// ErrHiddenUnlisted is returned by Walk if WalkOptions.Hidden is set and the server can't list hidden nodes, as etcd.
var ErrHiddenUnlisted = errors.New("client: the server does not list hidden keys; only Pando does")

// WalkOptions are the parameters of Walk.
type WalkOptions struct {
	Depth    int  // levels below the key; 0: all
	Hidden   bool // include nodes whose name begins with '_', and all nodes below them
	KeysOnly bool // leave out the values, if the server can
	Quorum   bool // see every write that was acknowledged before the first request
	// Note receives a message if the pages do not show one state of the tree. It may be nil.
	Note func(text string)
}

// Walk returns the node at key and the nodes below it, one after the other: a directory, the nodes below it in the order of their names,
// and then its next sibling; see CompareKeys. No node has Nodes.
//
// Pando sends the nodes by pages, which show one state of the tree, so the memory does not depend on the number of nodes. If the member
// can't keep that state, the list continues with the current state, and WalkOptions.Note is called. Other servers send all nodes in one
// response. After an error the sequence ends. A second use of the sequence sends the requests again.
func (c *Client) Walk(ctx context.Context, key string, o WalkOptions) iter.Seq2[*Node, error] {
	return func(yield func(*Node, error) bool) {
		p := &pager{client: c, key: key, o: o, limit: firstPage, atIndex: "now"}
		for first := true; first || p.after != ""; first = false {
			root, err := p.next(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			if first {
				alone := *root
				alone.Nodes = nil
				if !yield(&alone, nil) {
					return
				}
			}
			if !p.yieldBelow(root, 1, yield) {
				return
			}
		}
	}
}

// CompareKeys compares two keys in the order of Walk: a directory is before what is below it, and that is before its next sibling.
func CompareKeys(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		switch {
		case a[i] == b[i]:
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		default:
			return int(a[i]) - int(b[i])
		}
	}
	return len(a) - len(b)
}

// pager requests the pages of one Walk.
type pager struct {
	client  *Client
	key     string
	o       WalkOptions
	limit   int    // nodes on the next page
	after   string // the key after which the next page begins; empty: the first page, or no further one
	atIndex string // the state of the tree to read; empty: that at the time of each page
}

// next requests a page, and returns the node at the key with the nodes of the page.
func (p *pager) next(ctx context.Context) (*Node, error) {
	first := p.after == ""
	root, err := p.request(ctx)
	if first && p.o.Quorum && HasCode(err, tree.CodeFollowing) {
		p.o.Quorum = false // a cluster that follows an etcd has no quorum of its own
		root, err = p.request(ctx)
	}
	if first && p.atIndex != "" && IsUnavailable(err) && ctx.Err() == nil {
		// A member that keeps as many states as it may responds with 503, as one without a leader.
		p.atIndex = ""
		refused := err
		if root, err = p.request(ctx); err != nil {
			return nil, refused
		}
		p.note("the member keeps the states of too many lists already: changes during this list may be in it or not")
	}
	if !first && p.atIndex != "" && HasCode(err, tree.CodeHistoryCleared) {
		// The page was not read for too long, or another member has responded.
		p.note("the member no longer keeps the state of index %s: from %s on, the list shows the current state", p.atIndex, p.after)
		p.atIndex = ""
		return p.request(ctx)
	}
	return root, err
}

func (p *pager) note(format string, args ...any) {
	if p.o.Note != nil {
		p.o.Note(fmt.Sprintf("list of %s: ", p.key) + fmt.Sprintf(format, args...))
	}
}

// request sends the request for one page.
func (p *pager) request(ctx context.Context) (*Node, error) {
	query := url.Values{"recursive": {"true"}, "sorted": {"true"}, "limit": {strconv.Itoa(p.limit)}}
	for name, set := range map[string]bool{"quorum": p.o.Quorum, "hidden": p.o.Hidden, "keysOnly": p.o.KeysOnly} {
		if set {
			query.Set(name, "true")
		}
	}
	if p.o.Depth > 0 {
		query.Set("depth", strconv.Itoa(p.o.Depth))
	}
	if p.atIndex != "" {
		query.Set("atIndex", p.atIndex)
	}
	if p.after != "" {
		query.Set("after", p.after)
	}
	a, err := p.client.send(ctx, &request{method: http.MethodGet, path: keyPath(p.key), query: query})
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, parseAPIError(a.status, a.body)
	}
	e := &Event{}
	if err := json.Unmarshal(a.body, e); err != nil || e.Node == nil {
		return nil, watchRefusal(a.body)
	}
	if e.Node.Key == "" {
		e.Node.Key = "/"
	}
	return e.Node, p.advance(a)
}

// advance prepares the request for the page after a response. Only Pando sends an ETag.
func (p *pager) advance(a *answer) error {
	p.after = ""
	if a.header.Get("Etag") == "" {
		if p.o.Hidden {
			return ErrHiddenUnlisted
		}
		return nil
	}
	if p.atIndex == "now" {
		p.atIndex = a.header.Get(indexHeader)
	}
	link, _, isNext := strings.Cut(a.header.Get("Link"), `>; rel="next"`)
	if !isNext {
		return nil
	}
	next, err := url.Parse(strings.TrimPrefix(link, "<"))
	if err != nil || next.Query().Get("after") == "" {
		return errInvalidJSON
	}
	p.after = next.Query().Get("after")
	switch {
	case len(a.body) < smallBody:
		p.limit = min(2*p.limit, largestPage)
	case len(a.body) > largeBody:
		p.limit = max(p.limit/2, 1)
	}
	return nil
}

// yieldBelow yields the nodes below n, which are at a level below the key. It returns false if yield does. A server without pages
// responds with all levels.
func (p *pager) yieldBelow(n *Node, level int, yield func(*Node, error) bool) bool {
	if p.o.Depth > 0 && level > p.o.Depth {
		return true
	}
	for i, child := range n.Nodes {
		n.Nodes[i] = nil // so that the nodes of a large response can be freed
		nodes := child.Nodes
		child.Nodes = nil
		if !yield(child, nil) || !p.yieldBelow(&Node{Nodes: nodes}, level+1, yield) {
			return false
		}
	}
	return true
}
