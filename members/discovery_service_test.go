package members

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// keyService is the part of a v2 keys API that discovery uses: the keys of one token, and
// waits for them.
type keyService struct {
	*httptest.Server
	t testing.TB

	mu       sync.Mutex
	size     string
	keys     []registration
	index    uint64
	fail     []func(http.ResponseWriter) // answers to the next requests, in place of the usual ones
	lose     int                         // the number of registrations that succeed without an answer
	cleared  int                         // the number of waits that are answered with 401
	requests []string
	changed  chan struct{}
}

func newKeyService(t testing.TB, size string) *keyService {
	s := &keyService{t: t, size: size, index: 10, changed: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *keyService) token() string { return s.URL + "/v2/keys/disc/token" }

// add registers a member without a request.
func (s *keyService) add(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(key, value)
}

func (s *keyService) put(key, value string) {
	s.index++
	s.keys = append(s.keys, registration{Key: "/disc/token/" + key, Value: value, CreatedIndex: s.index})
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *keyService) log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.requests...)
}

func (s *keyService) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
	if len(s.fail) > 0 {
		next := s.fail[0]
		s.fail = s.fail[1:]
		next(w)
		return
	}
	w.Header().Set("X-Etcd-Index", strconv.FormatUint(s.index, 10))
	key, ours := strings.CutPrefix(r.URL.Path, "/v2/keys/disc/token")
	switch {
	case !ours || s.size == "":
		refuse(w, http.StatusNotFound, 100, "Key not found")
	case r.Method == http.MethodPut:
		s.create(w, r, strings.TrimPrefix(key, "/"))
	case key == "/_config/size":
		fmt.Fprintf(w, `{"action":"get","node":{"key":"/disc/token/_config/size","value":%q,"modifiedIndex":4,"createdIndex":4}}`, s.size)
	case r.FormValue("wait") == "true":
		s.wait(w, r)
	default:
		var nodes []string
		for _, n := range s.keys {
			nodes = append(nodes, fmt.Sprintf(`{"key":%q,"value":%q,"modifiedIndex":%d,"createdIndex":%d}`, n.Key, n.Value, n.CreatedIndex,
				n.CreatedIndex))
		}
		fmt.Fprintf(w, `{"action":"get","node":{"key":"/disc/token","dir":true,"nodes":[%s],"modifiedIndex":4,"createdIndex":4}}`,
			strings.Join(nodes, ","))
	}
}

func (s *keyService) create(w http.ResponseWriter, r *http.Request, key string) {
	if r.URL.Query().Get("prevExist") != "false" {
		s.t.Errorf("a registration without prevExist=false: %s", r.URL)
	}
	for _, n := range s.keys {
		if n.id() == key {
			refuse(w, http.StatusPreconditionFailed, 105, "Key already exists")
			return
		}
	}
	s.put(key, r.FormValue("value"))
	if s.lose > 0 {
		s.lose--
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, `{"action":"create","node":{}}`)
}

// wait answers when there is a key at or after waitIndex. Callers must hold mu.
func (s *keyService) wait(w http.ResponseWriter, r *http.Request) {
	from, err := strconv.ParseUint(r.FormValue("waitIndex"), 10, 64)
	if err != nil {
		s.t.Errorf("a wait without waitIndex: %s", r.URL)
	}
	if s.cleared > 0 {
		s.cleared--
		refuse(w, http.StatusBadRequest, 401, "The event in requested index is outdated and cleared")
		return
	}
	for {
		for _, n := range s.keys {
			if n.CreatedIndex >= from {
				fmt.Fprintf(w, `{"action":"create","node":{"key":%q,"value":%q}}`, n.Key, n.Value)
				return
			}
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
			s.mu.Lock()
		case <-r.Context().Done():
			s.mu.Lock()
			return
		}
	}
}

func refuse(w http.ResponseWriter, status, code int, text string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errorCode":%d,"message":%q,"cause":"","index":1}`, code, text)
}
