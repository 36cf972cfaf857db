package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
)

// jsonType is the one spelling of the content type that all clients accept.
var jsonType = []string{"application/json"}

// maxPooled is the largest buffer that is kept for the next answer.
const maxPooled = 64 << 10

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// writeBody answers with what fill appends to an empty slice. net/http tells the
// length of a small body by itself; a larger one it would cut into chunks and
// send with a write more than with its length in front. That the client has gone
// is no error of ours.
func writeBody(w http.ResponseWriter, status int, fill func([]byte) []byte) {
	p := buffers.Get().(*[]byte)
	b := fill((*p)[:0])
	if len(b) > smallBody {
		w.Header()["Content-Length"] = []string{strconv.Itoa(len(b))}
	}
	w.WriteHeader(status)
	_, _ = w.Write(b)
	if cap(b) <= maxPooled {
		*p = b
		buffers.Put(p)
	}
}

// smallBody is what net/http holds back to find out the length of a body.
const smallBody = 2 << 10

// decimals formats a number as the value of a header.
func decimals(v uint64) []string { return []string{strconv.FormatUint(v, 10)} }

// logHeaders sets the headers that every success under /v2/keys bears. Their
// values share one allocation.
func (s *Server) logHeaders(h http.Header, index uint64) {
	values := [3]string{
		strconv.FormatUint(index, 10),
		strconv.FormatUint(s.Log.Index(), 10),
		strconv.FormatUint(s.Log.Term(), 10),
	}
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
