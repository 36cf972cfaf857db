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

// TestStaysWithAMember: the member that answered is asked first the next time, by all goroutines, and by a client that was made
// from this one.
func TestStaysWithAMember(t *testing.T) {
	var asked atomic.Int64
	broken := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
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
	if asked.Load() != 1 {
		t.Errorf("the member that breaks off was asked %d times, want once", asked.Load())
	}
}

// TestSync: the published URLs replace the endpoints; members without URLs, or something that is no member, leave them.
func TestSync(t *testing.T) {
	body := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
	defer s.Close()
	for name, test := range map[string]struct {
		body, want string
		ok         bool
	}{
		"published":    {`{"members":[{"id":"1","clientURLs":["http://10.0.0.1:2379"]}]}`, "[http://10.0.0.1:2379]", true},
		"unpublished":  {`{"members":[{"id":"1"}]}`, "[" + s.URL + "]", false},
		"no URLs":      {`{"members":[{"id":"1","clientURLs":["http://"]}]}`, "[" + s.URL + "]", true},
		"not a member": {`<html>`, "[" + s.URL + "]", false},
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
