package client

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestPreferredMember sends requests to a broken member and a live one. After the first request, all goroutines must send
// to the live member first, and so must a copy of the client.
func TestPreferredMember(t *testing.T) {
	var requests atomic.Int64 // to the broken member
	broken := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		requests.Add(1)
		panic(http.ErrAbortHandler)
	}))
	defer broken.Close()
	live := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"action":"get","node":{"key":"/a","value":"v","modifiedIndex":1,"createdIndex":1}}`)
	}))
	defer live.Close()
	c := newTestClient(t, Config{}, broken.URL, live.URL)
	get := func() {
		if _, err := c.Get(t.Context(), "/a", GetOptions{}); err != nil {
			t.Error(err)
		}
	}
	get()
	var all sync.WaitGroup
	for range 5 {
		all.Go(get)
	}
	all.Wait()
	if _, err := c.WithHeaderTimeout(time.Minute).Get(t.Context(), "/a", GetOptions{}); err != nil {
		t.Error(err)
	}
	if requests.Load() != 1 {
		t.Errorf("the broken member got %d requests, want 1", requests.Load())
	}
}

// TestSync checks that published URLs replace the endpoints, and that responses without a usable URL do not.
func TestSync(t *testing.T) {
	body := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
	defer s.Close()
	for name, test := range map[string]struct {
		body, want string
		ok         bool
	}{
		"published":     {`{"members":[{"id":"1","clientURLs":["http://10.0.0.1:2379"]}]}`, "[http://10.0.0.1:2379]", true},
		"unpublished":   {`{"members":[{"id":"1"}]}`, "[" + s.URL + "]", false},
		"malformed URL": {`{"members":[{"id":"1","clientURLs":["http://"]}]}`, "[" + s.URL + "]", true},
		"not a member":  {`<html>`, "[" + s.URL + "]", false},
	} {
		t.Run(name, func(t *testing.T) {
			body = test.body
			c := newTestClient(t, Config{}, s.URL)
			if err := c.Sync(t.Context()); (err == nil) != test.ok || fmt.Sprint(c.Endpoints()) != test.want {
				t.Errorf("%v, %v, want %s", c.Endpoints(), err, test.want)
			}
		})
	}
}
