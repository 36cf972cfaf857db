package program

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"pando/ctl/client"
	"pando/members/servertest"
)

// writer is a client that sends all kinds of writes for keys of its own, one after the other.
type writer struct {
	name    string
	random  *rand.Rand
	clients []*servertest.KeyClient // it changes between them
	wait    time.Duration           // between two writes

	known    map[string]string // acknowledged values by key; empty for keys that do not exist
	unknown  map[string]bool   // keys whose last write had an unknown outcome
	shown    []uint64          // indexes of acknowledged writes that watchers must see
	last     uint64            // the largest index that the client saw
	problems []string
	acked    int
}

func newWriter(t *testing.T, name string, seed uint64, wait time.Duration, urls ...string) *writer {
	w := &writer{name: name, random: rand.New(rand.NewPCG(seed, 7)), wait: wait, known: map[string]string{}, unknown: map[string]bool{}}
	for _, u := range urls {
		w.clients = append(w.clients, servertest.NewKeyClient(t, u))
	}
	return w
}

// run writes until stop is closed.
func (w *writer) run(stop <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-time.After(w.wait):
		}
		w.write(i)
	}
}

// write sends one write of a random kind.
func (w *writer) write(i int) {
	value := fmt.Sprint(w.name, "-", i)
	key := fmt.Sprintf("/load/%s/k%d", w.name, w.random.IntN(20))
	switch n := w.random.IntN(100); {
	case n < 35:
		w.set(key, value, servertest.Form("value", value))
	case n < 45:
		w.set(fmt.Sprintf("/load/%s/_hidden/h%d", w.name, w.random.IntN(5)), value, servertest.Form("value", value))
	case n < 55:
		w.set(fmt.Sprintf("/load/%s/ttl%d", w.name, w.random.IntN(5)), value, servertest.Form("value", value, "ttl", "600"))
	case n < 65: // a refresh changes no value
		key = fmt.Sprintf("/load/%s/ttl%d", w.name, w.random.IntN(5))
		if w.known[key] != "" && !w.unknown[key] {
			w.set(key+"?prevExist=true", w.known[key], servertest.Form("ttl", "900", "refresh", "true"))
		}
	case n < 70:
		w.send(http.MethodPut, fmt.Sprintf("/load/%s/short%d", w.name, i), servertest.Form("value", value, "ttl", "1"))
	case n < 80 && w.known[key] != "" && !w.unknown[key]:
		w.set(key+"?prevValue="+url.QueryEscape(w.known[key]), value, servertest.Form("value", value))
	case n < 85 && w.known[key] != "" && !w.unknown[key]:
		w.remove(key + "?prevValue=" + url.QueryEscape(w.known[key]))
	case n < 90:
		w.remove(key)
	case n < 95:
		if a := w.send(http.MethodPost, "/load/"+w.name+"/queue", servertest.Form("value", value)); a != nil {
			w.known[a.Node.Key] = value
		}
	default:
		w.send(http.MethodPut, "/load/"+w.name+"/dir/a/b?dir=true", nil)
		w.send(http.MethodDelete, "/load/"+w.name+"/dir?recursive=true", nil)
	}
}

// set writes a value. key may be followed by a query.
func (w *writer) set(key, value string, form url.Values) {
	path := pathOf(key)
	a := w.send(http.MethodPut, key, form)
	w.note(path, value, a)
}

func (w *writer) remove(key string) { w.note(pathOf(key), "", w.send(http.MethodDelete, key, nil)) }

func pathOf(key string) string {
	u, _ := url.Parse(key) // keys of a writer are always valid
	return u.Path
}

// note remembers the outcome of a write.
func (w *writer) note(path, value string, a *servertest.KeyAnswer) {
	if a == nil {
		w.unknown[path] = true
		return
	}
	delete(w.unknown, path)
	w.known[path] = value
}

// send sends a write. It returns nil if it was not acknowledged.
func (w *writer) send(method, key string, form url.Values) *servertest.KeyAnswer {
	a, err := w.clients[w.random.IntN(len(w.clients))].Do(method, key, form)
	if err != nil {
		return nil
	}
	if a.ErrorCode != 0 {
		if method == http.MethodDelete && a.ErrorCode == 100 {
			return a
		}
		return nil
	}
	w.acked++
	index := a.Node.ModifiedIndex
	if index <= w.last {
		w.problems = append(w.problems, fmt.Sprintf("%s %s has index %d after %d", method, key, index, w.last))
	}
	w.last = max(w.last, index)
	if form.Get("refresh") == "" && !strings.Contains(key, "/_hidden/") {
		w.shown = append(w.shown, index)
	}
	return a
}

// check compares the acknowledged values with those of a server.
func (w *writer) check(t *testing.T, server *servertest.KeyClient) {
	t.Helper()
	for _, p := range w.problems {
		t.Error(p)
	}
	for key, value := range w.known {
		if w.unknown[key] {
			continue
		}
		a, err := server.Do(http.MethodGet, key, nil)
		switch {
		case err != nil:
			t.Fatal(err)
		case value == "" && a.ErrorCode == 100, value != "" && a.Node != nil && a.Node.Value == value:
		default:
			t.Errorf("%s is %+v (error %d), want %q", key, a.Node, a.ErrorCode, value)
		}
	}
}

// watching is a watcher of the cluster that lasts from before the move until after it.
type watching struct {
	mu      sync.Mutex
	indexes []uint64
	err     error
}

// startWatching watches everything at a client URL from an index on.
func startWatching(t *testing.T, urls []string, index uint64) *watching {
	t.Helper()
	endpoints, err := client.ParseEndpoints(urls...)
	if err != nil {
		t.Fatal(err)
	}
	c := client.New(client.Config{Endpoints: endpoints})
	w := &watching{}
	watcher := c.Watch("/load", client.WatchOptions{Recursive: true, Index: index, Begun: true})
	ctx := t.Context()
	go func() {
		for {
			e, err := watcher.Next(ctx)
			w.mu.Lock()
			if err != nil {
				w.err = err
				w.mu.Unlock()
				return
			}
			w.indexes = append(w.indexes, e.Node.ModifiedIndex)
			w.mu.Unlock()
		}
	}()
	return w
}

// check waits until the watcher has seen an index, and checks that it has seen each of the wanted ones once and in order.
func (w *watching) check(t *testing.T, last uint64, wanted []uint64) {
	t.Helper()
	var got []uint64
	servertest.Await(t, fmt.Sprint("the watcher to see index ", last), func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		got = w.indexes
		return w.err != nil || len(got) > 0 && got[len(got)-1] >= last
	})
	if w.err != nil {
		t.Fatal(w.err)
	}
	seen := map[uint64]bool{}
	for i, index := range got {
		if i > 0 && index <= got[i-1] {
			t.Errorf("the watcher saw index %d after %d", index, got[i-1])
		}
		seen[index] = true
	}
	for _, index := range wanted {
		if !seen[index] {
			t.Errorf("the watcher did not see the write at index %d", index)
		}
	}
}
