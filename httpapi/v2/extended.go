package v2

import (
	"net/http"
	"net/url"
	"strconv"

	"pando/httpapi/auth"
	"pando/httpapi/service"
	"pando/stats"
	"pando/tree"
	"pando/tree/users"
)

// A request is extended if it has parameters, conditions or an Accept header that etcd ignores. Responses to other requests are those of
// etcd, byte for byte.

// isExtended reports whether a read is extended.
func (q *request) isExtended(r *http.Request) bool {
	return q.listing != nil || q.conditions != nil || acceptsRaw(r.Header["Accept"])
}

// getExtended is get for an extended request. scope is the access that the request needs without the parameters of lists.
func (a *API) getExtended(
	w http.ResponseWriter, r *http.Request, q *request, scope users.Scope, consistency service.Consistency,
) (stats.Op, error) {
	a.setOldest(w, r)
	l := q.listing
	if l == nil {
		l = newListing(q)
		l.raw = acceptsRaw(r.Header["Accept"])
	}
	if l.needsSubtree() {
		scope = users.Subtree
	}
	read, err := a.readExtended(r, q.path, scope, consistency, l)
	operation := service.ReadOperation(consistency, read.Node)
	if err == service.ErrFollowing {
		err = errFollowingExtended
	}
	if err != nil {
		return operation, a.writeError(w, err)
	}
	if l.raw && read.Node.IsDir() {
		return operation, a.writeError(w, &tree.Error{Code: tree.CodeNotFile, Cause: q.path, Index: read.Index})
	}
	h := w.Header()
	tag, has, err := q.conditions.check(read)
	setTag(h, r, tag)
	if err != nil {
		return operation, a.writeError(w, err)
	}
	a.setIndexes(h, read.Index)
	switch {
	case has:
		w.WriteHeader(http.StatusNotModified) // without a body there is no Content-Type
		return operation, nil
	case l.raw:
		return operation, a.writeRaw(w, read.Node)
	}
	h["Content-Type"] = jsonType
	l.setNext(h, q, read.Node, read.Index)
	return operation, a.writeResult(w, http.StatusOK, l.Encode(read.Node, a.nowFor(read.Node)))
}

// readExtended reads the node for getExtended, from the state of the tree that l asks for.
func (a *API) readExtended(r *http.Request, path string, scope users.Scope, c service.Consistency, l *listing) (service.Read, error) {
	if l.pinned {
		return a.Service.GetPinned(detached, auth.FromRequest(r), path, scope, c, l.atIndex)
	}
	return a.Service.Get(detached, auth.FromRequest(r), path, scope, c)
}

// errFollowingExtended is the error of an extended read that only the source of the cluster could answer.
var errFollowingExtended = tree.NewError(tree.CodeFollowing,
	"this cluster follows an etcd, which can't answer a quorum read with parameters or conditions of Pando; read without quorum=true")

// errSeveralTags is the error of a change that can't be forwarded to the source of the cluster.
var errSeveralTags = tree.NewError(tree.CodeFollowing,
	`this cluster follows an etcd, which can't compare several tags: send one tag in "If-Match"`)

// translate changes the request that is forwarded to the source of the cluster: etcd takes the value from a form alone, and the conditions
// from prevIndex and prevExist alone. Parameters in the form take precedence over those in the query.
func (q *request) translate(f *forwarding) {
	v := url.Values{}
	if q.raw {
		v.Set(fieldValue.String(), q.command.Value)
	}
	switch c := q.conditions; {
	case c == nil:
	case c.noneMatch.any:
		v.Set(fieldPrevExist.String(), "false")
	case c.match.any:
		v.Set(fieldPrevExist.String(), "true")
	default:
		v.Set(fieldPrevIndex.String(), strconv.FormatUint(c.match.list[0], 10))
	}
	switch {
	case len(v) == 0:
	case f.method == http.MethodDelete:
		f.url.RawQuery = v.Encode() + "&" + f.url.RawQuery
	default:
		f.form = v.Encode() + "&" + f.form
		f.header["Content-Type"] = []string{formType}
	}
}

// severalTags reports whether a change has more than one tag to compare.
func (c *conditions) severalTags() bool { return c != nil && len(c.match.list) > 1 }

// propose proposes a command. If the conditions have several tags, it proposes the command once for each tag, in ascending order, until
// one is not refused for its index. Indexes of nodes only grow, so no tag that was refused can hold later.
func (a *API) propose(r *http.Request, c *conditions, command *tree.Command) (event *tree.Event, err error) {
	if !c.severalTags() {
		return a.Service.Propose(detached, auth.FromRequest(r), command)
	}
	for _, index := range c.match.list {
		command.PrevIndex = index
		event, err = a.Service.Propose(detached, auth.FromRequest(r), command)
		if e, ok := err.(*tree.Error); !ok || e.Code != tree.CodeCompareFailed {
			break
		}
	}
	return event, err
}
