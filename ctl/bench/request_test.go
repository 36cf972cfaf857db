package bench

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"testing"
)

func TestKeyRequest(t *testing.T) {
	ep, err := newEndpoint(&url.URL{Scheme: "http", Host: "127.0.0.1:2379"}, credential{user: "root:secret"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		space keySpace
		key   uint64
		want  string
	}{
		{"one directory", keySpace{prefix: "/bench", size: 8, count: 100, dirs: 1}, 42, "/v2/keys/bench/00000042"},
		{"many directories", keySpace{prefix: "/bench", size: 4, count: 100, dirs: 16}, 42, "/v2/keys/bench/10/0042"},
		{"a prefix that needs escaping", keySpace{prefix: "/a b/ü", size: 2, count: 100, dirs: 1}, 7, "/v2/keys/a%20b/%C3%BC/07"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newKeyRequest(ep, test.space, "PUT", "?prevExist=true", "value=abc")
			r.at(99)
			req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(r.at(test.key))))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(req.Body)
			if err != nil {
				t.Fatal(err)
			}
			if req.URL.EscapedPath() != test.want || req.Method != "PUT" || req.URL.RawQuery != "prevExist=true" {
				t.Errorf("got %s %s, want PUT %s?prevExist=true", req.Method, req.URL, test.want)
			}
			if string(body) != "value=abc" || req.Host != "127.0.0.1:2379" {
				t.Errorf("got body %q, host %q", body, req.Host)
			}
			if user, password, ok := req.BasicAuth(); !ok || user != "root" || password != "secret" {
				t.Errorf("got credentials %q %q %v", user, password, ok)
			}
		})
	}
}

func TestPicker(t *testing.T) {
	t.Run("sequential takes every key once", func(t *testing.T) {
		p := newPicker(keySpace{count: 3, order: sequentialKeys}, 0)
		for op := range uint64(7) {
			if got := p.key(op); got != op%3 {
				t.Errorf("operation %d: key %d", op, got)
			}
		}
	})
	t.Run("random stays inside, reaches all, and is the same every time", func(t *testing.T) {
		p, again := newPicker(keySpace{count: 5}, 3), newPicker(keySpace{count: 5}, 3)
		seen := map[uint64]int{}
		for op := range uint64(200) {
			k := p.key(op)
			if k2 := again.key(op); k2 != k {
				t.Fatalf("operation %d: key %d, then %d", op, k, k2)
			}
			seen[k]++
		}
		for k := range uint64(5) {
			if seen[k] == 0 {
				t.Errorf("key %d was never chosen", k)
			}
		}
		if len(seen) != 5 {
			t.Errorf("chosen: %v", seen)
		}
	})
}

func TestNewTarget(t *testing.T) {
	for _, good := range []struct{ url, addr string }{
		{"127.0.0.1:2379", "127.0.0.1:2379"}, {"http://localhost:2379/", "localhost:2379"}, {"https://[::1]:2379", "[::1]:2379"},
		{"localhost", "localhost:80"}, {"https://[::1]", "[::1]:443"},
	} {
		t.Run(good.url, func(t *testing.T) {
			if got, err := newTarget([]string{good.url}, credential{}); err != nil || got.endpoint(0).addr != good.addr {
				t.Errorf("got %+v, %v, want %s", got, err, good.addr)
			}
		})
	}
	for _, bad := range []string{"", "http://", "http://:2379", "ftp://127.0.0.1:21", "http://127.0.0.1:2379/v2/keys", "http://%zz:1"} {
		t.Run("refused: "+bad, func(t *testing.T) {
			if got, err := newTarget([]string{bad}, credential{}); err == nil {
				t.Errorf("got %s, want an error", got)
			}
		})
	}
}
