package client

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// pagedServer serves /v2/keys/d with the keys /d/0000 and so on, by pages as Pando does.
type pagedServer struct {
	keys, bytes int // number of keys, length of each value
	pins        int // how many requests with atIndex=now may succeed; -1: any
	forget      int // number of pages after which the state is gone; 0: never
	limits      []int
}

func (s *pagedServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, _ := strconv.Atoi(q.Get("limit"))
	s.limits = append(s.limits, limit)
	switch {
	case q.Get("atIndex") == "now" && s.pins == 0:
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"errorCode":300,"message":"too many","cause":"","index":9}`)
		return
	case q.Get("after") != "" && len(s.limits) > s.forget && s.forget > 0:
		s.pins = 0
		if q.Get("atIndex") == "" {
			break
		}
		fallthrough
	case q.Get("after") != "" && s.pins != 0 && q.Get("atIndex") != "9":
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"errorCode":401,"message":"The event in requested index is outdated and cleared","cause":"","index":9}`)
		return
	}
	first := 0
	if after := q.Get("after"); after != "" {
		n, _ := strconv.Atoi(strings.TrimPrefix(after, "/d/"))
		first = n + 1
	}
	last := min(first+limit, s.keys)
	w.Header().Set("Etag", `"9"`)
	w.Header().Set("X-Etcd-Index", "9")
	if last < s.keys {
		w.Header().Set("Link", fmt.Sprintf(`</v2/keys/d?after=%%2Fd%%2F%04d&limit=%d>; rel="next"`, last-1, limit))
	}
	var nodes []string
	for i := first; i < last; i++ {
		nodes = append(nodes, fmt.Sprintf(`{"key":"/d/%04d","value":"%s"}`, i, strings.Repeat("v", s.bytes)))
	}
	fmt.Fprintf(w, `{"action":"get","node":{"key":"/d","dir":true,"nodes":[%s]}}`, strings.Join(nodes, ","))
}

// walkAll returns the keys of a walk, the notes and the error.
func walkAll(t *testing.T, handler http.Handler, o WalkOptions) (keys, notes []string, err error) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	endpoints, _ := ParseEndpoints(server.URL)
	o.Note = func(text string) { notes = append(notes, text) }
	for n, err := range New(Config{Endpoints: endpoints, HeaderTimeout: 10 * time.Second}).Walk(t.Context(), "/d", o) {
		if err != nil {
			return keys, notes, err
		}
		keys = append(keys, n.Key)
	}
	return keys, notes, nil
}

func TestWalkByPages(t *testing.T) {
	for _, test := range []struct {
		name   string
		server *pagedServer
		limits []int // of the first requests
		notes  int
	}{
		{"small values", &pagedServer{keys: 5000, pins: -1}, []int{256, 512, 1024}, 0},
		{"large values", &pagedServer{keys: 600, bytes: 100_000, pins: -1}, []int{256, 128, 64, 64}, 0},
		{"one page", &pagedServer{keys: 3, pins: -1}, []int{256}, 0},
		{"too many states", &pagedServer{keys: 1000, pins: 0}, []int{256, 256, 512}, 1},
		{"state gone", &pagedServer{keys: 3000, pins: -1, forget: 2}, []int{256, 512, 1024, 1024, 2048}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			keys, notes, err := walkAll(t, test.server, WalkOptions{})
			if err != nil || len(keys) != test.server.keys+1 || !slices.IsSorted(keys) || len(notes) != test.notes {
				t.Errorf("%d keys, notes %q, %v", len(keys), notes, err)
			}
			if got := test.server.limits; !slices.Equal(got[:len(test.limits)], test.limits) {
				t.Errorf("pages of %d nodes, want %d", got, test.limits)
			}
		})
	}
}

// TestWalkWithoutPages: etcd ignores the parameters and sends all levels in one response.
func TestWalkWithoutPages(t *testing.T) {
	etcd := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"action":"get","node":{"key":"/d","dir":true,"nodes":[`+
			`{"key":"/d/a","dir":true,"nodes":[{"key":"/d/a/x","value":"1"}]},{"key":"/d/a-b","value":"2"}]}}`)
	})
	for _, test := range []struct {
		name string
		o    WalkOptions
		want []string
		err  error
	}{
		{"all", WalkOptions{}, []string{"/d", "/d/a", "/d/a/x", "/d/a-b"}, nil},
		{"depth", WalkOptions{Depth: 1}, []string{"/d", "/d/a", "/d/a-b"}, nil},
		{"hidden", WalkOptions{Hidden: true}, nil, ErrHiddenUnlisted},
	} {
		t.Run(test.name, func(t *testing.T) {
			keys, _, err := walkAll(t, etcd, test.o)
			if !slices.Equal(keys, test.want) || err != test.err {
				t.Errorf("%q, %v", keys, err)
			}
		})
	}
}

func TestCompareKeys(t *testing.T) {
	want := []string{"/", "/a", "/a/b", "/a/b/c", "/a/b!", "/a!", "/a-x", "/a0", "/aa", "/b"}
	got := slices.Clone(want)
	rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
	slices.SortFunc(got, CompareKeys)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
