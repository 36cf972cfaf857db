package v2

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"pando/httpapi/service"
	"pando/tree"
)

// The entity tag of a node is its index in double quotes: the modifiedIndex of a file, and tree.Node.UnchangedSince of a directory. The
// header ETag is new to v2 clients. So a response has it only if the request has a condition or another parameter that etcd does not have.

// maxTags is the largest number of tags in the conditions of a request. A change is proposed once for each tag.
const maxTags = 16

// conditions are the headers If-Match and If-None-Match of a request.
type conditions struct {
	match, noneMatch tags
}

// tags are the entity tags of a conditional header.
type tags struct {
	given bool
	any   bool     // the header is *
	list  []uint64 // the tags that are indexes, without those that the header must not match
	err   error    // the header or one of its tags is invalid
}

// conditionsOf returns the conditions of a request, or nil if it has none. The "*" of a read is no condition: without a node the response
// is an error in any case, and with one etcd ignores the header.
func conditionsOf(r *http.Request) *conditions {
	match, noneMatch := r.Header["If-Match"], r.Header["If-None-Match"]
	if match == nil && noneMatch == nil {
		return nil
	}
	c := &conditions{match: parseTags("If-Match", match), noneMatch: parseTags("If-None-Match", noneMatch)}
	if isRead(r.Method) && !c.match.listed() && !c.noneMatch.listed() {
		return nil
	}
	return c
}

// isRead reports whether requests for keys with a method change nothing.
func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// listed reports whether the header is given and has tags.
func (t *tags) listed() bool { return t.given && !t.any }

// parseTags parses the values of a conditional header. If-Match compares strongly: it never matches a weak tag. If-None-Match compares
// weakly.
func parseTags(header string, values []string) tags {
	t := tags{given: values != nil}
	text := strings.TrimSpace(strings.Join(values, ","))
	if text == "*" {
		t.any = true
		return t
	}
	for n := 0; text != ""; n++ {
		opaque, weak, rest, ok := cutTag(text)
		if !ok || n == maxTags {
			t.err = fmt.Errorf(`invalid value for %q: it takes *, or at most %d tags in double quotes, with commas between them`, header, maxTags)
			break
		}
		index, err := strconv.ParseUint(opaque, 10, 64)
		switch {
		case err != nil || index == 0:
			t.err = fmt.Errorf(`%q has the tag %.64q, and no node of this server has it: tags are indexes, such as "5"`, header, opaque)
		case weak && header == "If-Match":
			t.err = fmt.Errorf(`%q has the weak tag W/"%d", which it never matches; send the tag without W/`, header, index)
		default:
			t.list = append(t.list, index)
		}
		text = rest
	}
	if t.given && len(t.list) == 0 && t.err == nil {
		t.err = fmt.Errorf("%q has no tag", header)
	}
	slices.Sort(t.list)
	t.list = slices.Compact(t.list)
	return t
}

// cutTag splits a list of tags after the first one. It returns what is in the quotes of the tag.
func cutTag(text string) (opaque string, weak bool, rest string, ok bool) {
	text, weak = strings.CutPrefix(text, "W/")
	text, ok = strings.CutPrefix(text, `"`)
	end := strings.IndexByte(text, '"')
	if !ok || end < 0 {
		return "", weak, "", false
	}
	opaque, rest = text[:end], strings.TrimLeft(text[end+1:], " \t")
	rest, comma := strings.CutPrefix(rest, ",")
	return opaque, weak, strings.TrimLeft(rest, " \t,"), comma || rest == ""
}

// String returns the tags as they are shown in the cause of an error.
func (t *tags) String() string {
	var b strings.Builder
	for i, index := range t.list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.FormatUint(index, 10))
	}
	return b.String()
}

// find returns a tag that the node has, or 0. A directory has each tag from UnchangedSince to the index of the read: the responses to
// reads at these indexes would be the same. So a tag of one member counts at another one, whose UnchangedSince may be lower.
func (t *tags) find(read service.Read) uint64 {
	since := read.Node.UnchangedSince()
	for _, index := range t.list {
		if index == since || read.Node.IsDir() && index > since && index <= read.Index {
			return index
		}
	}
	return 0
}

// setTag sets the header with the tag of an index, and the headers that a response with a tag needs: the form of the response depends on
// the Accept header, and pages of the origins of --cors may read the headers.
func setTag(h http.Header, r *http.Request, index uint64) {
	h["Etag"] = []string{`"` + strconv.FormatUint(index, 10) + `"`}
	h["Vary"] = append(slices.Clip(h["Vary"]), "Accept")
	exposeHeaders(h, r)
}

// exposeHeaders allows a page of another origin to read the headers of Pando.
func exposeHeaders(h http.Header, r *http.Request) {
	if r.Header["Origin"] != nil {
		h["Access-Control-Expose-Headers"] = exposed
	}
}

// exposed are the headers that pages of other origins may read, if Access-Control-Allow-Origin lets them read the response.
var exposed = []string{"ETag, Link, X-Etcd-Index, X-Etcd-Cluster-Id, X-Raft-Index, X-Raft-Term, X-Pando-Oldest-Index"}

// check compares the conditions of a read with the node, and returns the tag of the response. has is true if the client has the node
// already: then the response is a 304. After an error the read must fail.
func (c *conditions) check(read service.Read) (tag uint64, has bool, err error) {
	tag = read.Node.UnchangedSince()
	switch {
	case c == nil:
		return tag, false, nil
	case c.match.listed() && c.match.find(read) == 0:
		return tag, false, &tree.Error{Code: tree.CodeCompareFailed, Index: read.Index,
			Cause: fmt.Sprintf("[%s != %d]", c.match.String(), tag)}
	}
	if known := c.noneMatch.find(read); known != 0 {
		return known, true, nil // the tag must be one that the client has sent
	}
	return tag, false, nil
}

// requireTags refuses an If-Match of a read that is invalid. An If-None-Match that is invalid has no effect, as in etcd.
func (c *conditions) requireTags(p *parser) {
	if c != nil && c.match.err != nil {
		p.fail(tree.CodeInvalidField, c.match.err.Error())
	}
}

// require adds the conditions of a change to its command, as prevIndex and prevExist do. It returns the existence that the conditions
// demand.
func (c *conditions) require(p *parser, method string, command *tree.Command, exist existence) existence {
	refuse := func(cause string) { p.fail(tree.CodeInvalidField, cause) }
	switch {
	case method == http.MethodPost:
		refuse(`"If-Match" and "If-None-Match" can not be used with POST, which makes a new node each time`)
	case c.match.given && c.noneMatch.given:
		refuse(`"If-Match" and "If-None-Match" can not be used together`)
	case p.form.given.has(fieldPrevIndex) || p.form.given.has(fieldPrevExist):
		refuse(`"If-Match" and "If-None-Match" can not be used with "prevIndex" or "prevExist", which mean the same`)
	case c.noneMatch.given && (!c.noneMatch.any || method != http.MethodPut):
		refuse(`"If-None-Match" of a change can only be * with PUT: the node must not exist`)
	case c.match.err != nil:
		refuse(c.match.err.Error())
	case c.noneMatch.any:
		return mustNotExist
	case c.match.any:
		return mustExist
	default:
		command.PrevIndex = c.match.list[0]
	}
	return exist
}
