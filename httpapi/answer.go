package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"

	"pando/tree"
)

// jsonType is the one spelling of the content type that all clients accept.
var jsonType = []string{"application/json"}

// maxPooled is the largest buffer that is kept for the next answer.
const maxPooled = 128 << 10

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// putBuffer gives a buffer back to the pool with what it has become.
func putBuffer(p *[]byte, b []byte) {
	if cap(b) <= maxPooled {
		*p = b
		buffers.Put(p)
	}
}

// writeBody answers with what fill appends to an empty slice, which must not be
// much.
func writeBody(w http.ResponseWriter, status int, fill func([]byte) []byte) {
	p := buffers.Get().(*[]byte)
	b := fill((*p)[:0])
	writeWhole(w, status, b)
	putBuffer(p, b)
}

// writeWhole answers with a body. net/http tells the length of a small one by
// itself; a larger one it would cut into chunks and send with a write more than with
// its length in front. That the client has gone is no error of ours.
func writeWhole(w http.ResponseWriter, status int, body []byte) {
	if len(body) > smallBody {
		w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// smallBody is what net/http holds back to find out the length of a body.
const smallBody = 2 << 10

// writeEncoding answers with JSON of any size. What does not fit into one piece is
// encoded twice: once for its length, and once in pieces, as the client takes them. So
// a client that does not read costs a piece. If there is no room for that, nothing is
// answered, and the error returned.
func (s *Server) writeEncoding(w http.ResponseWriter, status int, e tree.Encoding) error {
	p := buffers.Get().(*[]byte)
	size := 0
	b, _ := e.Pieces((*p)[:0], func(piece []byte) error {
		size += len(piece)
		return nil
	})
	defer func() { putBuffer(p, b) }()
	if size == 0 {
		writeWhole(w, status, b)
		return nil
	}
	room, err := s.budget.Reserve(2*tree.PieceSize, s.StallTimeout)
	if err != nil {
		return err
	}
	defer room.Release()
	w.Header()["Content-Length"] = []string{strconv.Itoa(size + len(b))}
	w.WriteHeader(status)
	write := func(piece []byte) error {
		_, err := w.Write(piece)
		return err
	}
	if b, err = e.Pieces(b[:0], write); err == nil {
		_, _ = w.Write(b)
	}
	return nil
}

// decimals formats a number as the value of a header.
func decimals(v uint64) []string { return []string{strconv.FormatUint(v, 10)} }

// logHeaders sets the headers that every success under /v2/keys bears. Their
// values share one allocation.
func (s *Server) logHeaders(h http.Header, index uint64) {
	committed, term := s.service.Position()
	values := [3]string{strconv.FormatUint(index, 10), strconv.FormatUint(committed, 10), strconv.FormatUint(term, 10)}
	v := values[:]
	h["X-Etcd-Index"] = v[0:1:1]
	h["X-Raft-Index"] = v[1:2:2]
	h["X-Raft-Term"] = v[2:3:3]
}

// writeJSON answers with v as encoding/json writes it, without a newline.
func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// message is the JSON of an error outside of /v2/keys.
type message struct {
	Message string `json:"message"`
}

// writeJSONLine is writeJSON with a newline at the end.
func writeJSONLine(w http.ResponseWriter, status int, v any) {
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
