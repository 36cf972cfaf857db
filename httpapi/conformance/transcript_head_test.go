package conformance

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pando/members/servertest"
)

// In a transcript the head of a response has marks in place of the headers that all such responses have. Other headers are written
// as they were sent.

// transcriptCORS are the headers that every response has, each once.
var transcriptCORS = []wireHeader{
	{"Access-Control-Allow-Headers", "accept, content-type, authorization"},
	{"Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE"},
	{"Access-Control-Allow-Origin", "*"},
}

// bufferedBody is the size from which on the reference sends a body in chunks although its length is known. Above it both
// framings are accepted.
const bufferedBody = 2048

// pinnedIndex is the index in the URL of the next page of a list.
var pinnedIndex = regexp.MustCompile(`atIndex=(\d+)`)

// headMarks replaces headers of a response by marks.
type headMarks struct {
	rest  []wireHeader
	marks []string
}

// mark replaces the headers by a mark if the response has all of them with these values.
func (h *headMarks) mark(name string, headers ...wireHeader) {
	for _, header := range headers {
		if !slices.Contains(h.rest, header) {
			return
		}
	}
	for _, header := range headers {
		i := slices.Index(h.rest, header)
		h.rest = slices.Delete(h.rest, i, i+1)
	}
	h.marks = append(h.marks, name)
}

func (h *headMarks) value(name string) string {
	for _, header := range h.rest {
		if header.name == name { // upper and lower case matter
			return header.value
		}
	}
	return ""
}

// head returns the lines for the head of a response with this body.
func (p *transcriptPlayer) head(w *wireResponse, body string) []string {
	h := &headMarks{rest: slices.Clone(w.headers)}
	h.rest = slices.DeleteFunc(h.rest, func(header wireHeader) bool { return header.name == "Date" })
	h.mark("json", wireHeader{"Content-Type", "application/json"})
	h.mark("cluster", wireHeader{"X-Etcd-Cluster-Id", p.frame.server.ClusterID})
	p.markRaft(h)
	length := h.value("Content-Length")
	n, err := strconv.Atoi(length)
	known := err == nil && (n == len(body) || w.isHead && n > 0)
	switch {
	case known && n > bufferedBody:
		h.mark("framed", wireHeader{"Content-Length", length})
	case known:
		h.mark("length", wireHeader{"Content-Length", length})
	case len(body) > bufferedBody:
		h.mark("framed", wireHeader{"Transfer-Encoding", "chunked"})
	default:
		h.mark("chunked", wireHeader{"Transfer-Encoding", "chunked"})
	}
	h.mark("cors", transcriptCORS...)

	lines := []string{strings.TrimPrefix(w.status, "HTTP/1.1 ")}
	if len(h.marks) > 0 {
		lines = append(lines, "["+strings.Join(h.marks, " ")+"]")
	}
	for _, header := range h.rest {
		value := header.value
		switch header.name {
		case "X-Etcd-Index", "X-Pando-Oldest-Index":
			value = p.frame.relative(value)
		case "Etag":
			value = `"` + p.frame.relative(strings.Trim(value, `"`)) + `"`
		case "Link":
			value = servertest.ReplaceGroups(pinnedIndex, value, func(m []string) string { return "atIndex=" + p.frame.relative(m[1]) })
		default:
			value = collapseRuns(p.frame.body(value, &transcriptRequest{}))
		}
		lines = append(lines, fmt.Sprintf("%s: %s", header.name, value))
	}
	return lines
}

// markRaft replaces the raft headers if both are positive numbers and the term is not less than that of the response before.
func (p *transcriptPlayer) markRaft(h *headMarks) {
	index, term := h.value("X-Raft-Index"), h.value("X-Raft-Term")
	i, indexErr := strconv.ParseUint(index, 10, 64)
	n, termErr := strconv.ParseUint(term, 10, 64)
	if indexErr != nil || termErr != nil || i == 0 || n == 0 || n < p.lastTerm {
		return
	}
	p.lastTerm = n
	h.mark("raft", wireHeader{"X-Raft-Index", index}, wireHeader{"X-Raft-Term", term})
}
