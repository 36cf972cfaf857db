// Command floor serves what no key store can do without: a chi handler that answers
// every request with a constant, and, with -log, appends a record for each PUT to a
// write-ahead log and syncs it before the answer, with all that wait sharing a sync.
// How near a server comes to it says how much it adds of its own.
package main

import (
	"flag"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:14379", "address to serve")
	dir := flag.String("log", "", "new directory of the log; PUTs are not logged without")
	flag.Parse()
	s := &server{answer: []byte(`{"action":"get","node":{"key":"/a","value":"` + strings.Repeat("x", 256) +
		`","modifiedIndex":7,"createdIndex":7}}` + "\n")}
	if *dir != "" {
		w, err := wal.Create(zap.NewNop(), *dir, nil)
		if err != nil {
			log.Fatal(err)
		}
		s.appends = make(chan request, 1024)
		go s.append(w)
	}
	r := chi.NewRouter()
	r.HandleFunc("/v2/keys/*", s.keys)
	r.HandleFunc("/health", s.keys)
	log.Fatal(http.ListenAndServe(*listen, r))
}

type server struct {
	answer  []byte
	appends chan request // nil without a log
}

// request is one PUT that waits for the log.
type request struct {
	body []byte
	done chan struct{}
}

func (s *server) keys(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if s.appends != nil {
			q := request{body, make(chan struct{})}
			s.appends <- q
			<-q.done
		}
	}
	w.Header()["Content-Type"] = []string{"application/json"}
	_, _ = w.Write(s.answer)
}

// append logs what waits as one record, again and again.
func (s *server) append(w *wal.WAL) {
	term, index := uint64(1), uint64(0)
	for q := range s.appends {
		group := []request{q}
		for more := true; more && len(group) < 512; {
			select {
			case q := <-s.appends:
				group = append(group, q)
			default:
				more = false
			}
		}
		var data []byte
		for _, q := range group {
			data = append(data, q.body...)
		}
		index++
		at := index
		state := raftpb.HardState{Term: &term, Commit: &at}
		if err := w.Save(&state, []*raftpb.Entry{{Term: &term, Index: &at, Data: data}}); err != nil {
			log.Fatal(err)
		}
		for _, q := range group {
			close(q.done)
		}
	}
}
