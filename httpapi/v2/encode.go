package v2

import (
	"encoding/json"
	"net/http"
	"strconv"

	"pando/tree"
)

// jsonType is the Content-Type of JSON. All responses share it, so it must not be changed.
var jsonType = []string{"application/json"}

// writeSmall writes a response. fill must append its body to the slice, which is empty.
func writeSmall(w http.ResponseWriter, status int, fill func([]byte) []byte) {
	p := buffers.Get().(*[]byte)
	b := fill((*p)[:0])
	writeWhole(w, status, b)
	putBuffer(p, b)
}

// maxUnsized is the size up to which net/http itself sets the length of a body.
const maxUnsized = 2 << 10

// writeWhole writes a response. It sets the length of a body that is larger than maxUnsized: net/http would send such a body in
// chunks, with one more write. It ignores errors of writing, which mean that the client is gone.
func writeWhole(w http.ResponseWriter, status int, body []byte) {
	if len(body) > maxUnsized {
		w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// writeEncoding writes a response with a body of any size. A body that does not fit into one piece is encoded twice: once for its
// length, and once piece by piece, as the client reads them. So a client that does not read occupies the memory of one piece only. If
// there is no memory for a piece, writeEncoding writes nothing and returns budget.ErrExhausted.
func (a *API) writeEncoding(w http.ResponseWriter, status int, e tree.Encoding) error {
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
	reserved, err := a.Budget.Reserve(2*tree.PieceSize, a.StallTimeout)
	if err != nil {
		return err
	}
	defer reserved.Release()
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

// setClusterID sets the header with the cluster's ID.
func (a *API) setClusterID(w http.ResponseWriter) { w.Header()["X-Etcd-Cluster-Id"] = a.clusterID }

// setIndexes sets the index headers of a successful response under /v2/keys. index is the value of X-Etcd-Index. The values share
// one allocation.
func (a *API) setIndexes(h http.Header, index uint64) {
	committed, term := a.Service.Position()
	values := [3]string{strconv.FormatUint(index, 10), strconv.FormatUint(committed, 10), strconv.FormatUint(term, 10)}
	v := values[:]
	h["X-Etcd-Index"] = v[0:1:1]
	h["X-Raft-Index"] = v[1:2:2]
	h["X-Raft-Term"] = v[2:3:3]
}

// oldestHeader has the index of the oldest event in the history, or the least waitIndex with which a watch could have begun. It is in the
// responses to requests that have parameters or conditions of Pando, errors included.
const oldestHeader = "X-Pando-Oldest-Index"

// setOldest sets oldestHeader to the index of the oldest event in the history.
func (a *API) setOldest(w http.ResponseWriter, r *http.Request) {
	w.Header()[oldestHeader] = []string{strconv.FormatUint(a.Service.OldestEvent(), 10)}
	exposeHeaders(w.Header(), r)
}

// writeJSONLine writes a response with v as JSON and a newline.
func writeJSONLine(w http.ResponseWriter, status int, v any) {
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // an error means that the client is gone
}
