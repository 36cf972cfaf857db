package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The head of an answer is written with the headers that every answer of its
// kind has folded into marks; any other is written out as it was sent.

// transcriptCORS are on every answer, each once.
var transcriptCORS = []wireHeader{
	{"Access-Control-Allow-Headers", "accept, content-type, authorization"},
	{"Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE"},
	{"Access-Control-Allow-Origin", "*"},
}

// bufferedBody is the size over which the reference sends a body in chunks,
// whose length it could have told as well: there both ways are right.
const bufferedBody = 2048

// headFolder takes the headers of an answer away, one mark after the other.
type headFolder struct {
	rest  []wireHeader
	marks []string
}

// fold replaces the headers by a mark if all of them are there with these values.
func (h *headFolder) fold(mark string, headers ...wireHeader) {
	for _, header := range headers {
		if !slices.Contains(h.rest, header) {
			return
		}
	}
	for _, header := range headers {
		i := slices.Index(h.rest, header)
		h.rest = slices.Delete(h.rest, i, i+1)
	}
	h.marks = append(h.marks, mark)
}

func (h *headFolder) value(name string) string {
	for _, header := range h.rest {
		if header.name == name { // spelled just so
			return header.value
		}
	}
	return ""
}

// head gives the lines for the head of an answer with this body.
func (p *transcriptPlayer) head(w *wireResponse, body string) []string {
	h := &headFolder{rest: slices.Clone(w.headers)}
	h.rest = slices.DeleteFunc(h.rest, func(header wireHeader) bool { return header.name == "Date" })
	h.fold("json", wireHeader{"Content-Type", "application/json"})
	h.fold("cluster", wireHeader{"X-Etcd-Cluster-Id", p.frame.server.ClusterID})
	p.foldRaft(h)
	length := h.value("Content-Length")
	n, err := strconv.Atoi(length)
	known := err == nil && (n == len(body) || w.isHead && n > 0)
	switch {
	case known && n > bufferedBody:
		h.fold("framed", wireHeader{"Content-Length", length})
	case known:
		h.fold("length", wireHeader{"Content-Length", length})
	case len(body) > bufferedBody:
		h.fold("framed", wireHeader{"Transfer-Encoding", "chunked"})
	default:
		h.fold("chunked", wireHeader{"Transfer-Encoding", "chunked"})
	}
	h.fold("cors", transcriptCORS...)

	lines := []string{strings.TrimPrefix(w.status, "HTTP/1.1 ")}
	if len(h.marks) > 0 {
		lines = append(lines, "["+strings.Join(h.marks, " ")+"]")
	}
	for _, header := range h.rest {
		value := header.value
		if strings.EqualFold(header.name, "X-Etcd-Index") {
			value = p.frame.relative(value)
		} else {
			value = collapseRuns(p.frame.body(value, &transcriptRequest{}))
		}
		lines = append(lines, fmt.Sprintf("%s: %s", header.name, value))
	}
	return lines
}

// foldRaft folds the raft headers if both are numbers above zero. The term must
// not go back from one answer to the next.
func (p *transcriptPlayer) foldRaft(h *headFolder) {
	index, term := h.value("X-Raft-Index"), h.value("X-Raft-Term")
	i, indexErr := strconv.ParseUint(index, 10, 64)
	n, termErr := strconv.ParseUint(term, 10, 64)
	if indexErr != nil || termErr != nil || i == 0 || n == 0 || n < p.lastTerm {
		return
	}
	p.lastTerm = n
	h.fold("raft", wireHeader{"X-Raft-Index", index}, wireHeader{"X-Raft-Term", term})
}
