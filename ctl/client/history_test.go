package client

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// TestReadHistory reads the history of servers that respond as members of etcd do in good and in bad moments.
func TestReadHistory(t *testing.T) {
	const event = `{"action":"set","node":{"key":"/a","value":"1","modifiedIndex":7,"createdIndex":7}}`
	const short, long = 10 * time.Millisecond, 20 * time.Second
	read := func(t *testing.T, patience time.Duration, body func(w http.ResponseWriter, r *http.Request)) (*Event, error) {
		t.Helper()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(indexHeader, "8")
			w.(http.Flusher).Flush()
			body(w, r)
		}))
		defer server.Close()
		endpoint, err := ParseEndpoint(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		e, at, err := New(Config{Endpoints: []*url.URL{endpoint}}).ReadHistory(t.Context(), "/", 7, patience)
		if at.Index != 8 {
			t.Errorf("the index is %d, want 8", at.Index)
		}
		return e, err
	}
	t.Run("no change", func(t *testing.T) {
		e, err := read(t, short, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		if e != nil || err != nil {
			t.Errorf("got %v, %v", e, err)
		}
	})
	t.Run("a late change", func(t *testing.T) {
		e, err := read(t, short, func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done() // the client has waited in vain
			_, _ = w.Write([]byte(event))
		})
		if err != nil || e == nil || e.Node.ModifiedIndex != 7 {
			t.Errorf("got %v, %v", e, err)
		}
	})
	t.Run("a proxy that breaks the connection", func(t *testing.T) {
		e, err := read(t, short, func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		})
		if e != nil || !errors.Is(err, errNoEnd) {
			t.Errorf("got %v, %v", e, err)
		}
	})
	t.Run("a member that ends the response itself", func(t *testing.T) {
		if e, err := read(t, long, func(http.ResponseWriter, *http.Request) {}); e != nil || err == nil {
			t.Errorf("got %v, %v", e, err)
		}
	})
}
