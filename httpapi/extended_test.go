package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pando/members/servertest"
	"pando/tree"
)

// transfer sends a request to a server, and returns the response and its body.
func transfer(t *testing.T, server *httptest.Server, method, target string, body io.Reader, header http.Header) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequest(method, server.URL+target, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	return resp, got
}

// TestRawValues stores values as bodies of requests on a real connection, and reads them.
func TestRawValues(t *testing.T) {
	f := newFixture(t, nil) // with a limit of 1 MiB
	server := serveFixture(t, f, (*httptest.Server).Start)
	octets := http.Header{"Content-Type": {"application/octet-stream"}}
	large := bytes.Repeat([]byte{0, 0xff, '%', '&', 0xe6, 0xa3}, 1<<20/6)
	for name, value := range map[string][]byte{"empty": {}, "small": []byte("\xff\x00%zz&a=b"), "large": large} {
		t.Run(name, func(t *testing.T) {
			for _, body := range []io.Reader{bytes.NewReader(value), io.MultiReader(bytes.NewReader(value))} { // the second one is chunked
				if resp, got := transfer(t, server, "PUT", "/v2/keys/raw/"+name+"?raw=true", body, octets); resp.StatusCode > 201 {
					t.Fatalf("%d %s", resp.StatusCode, got)
				}
			}
			resp, got := transfer(t, server, "GET", "/v2/keys/raw/"+name+"?raw=true", nil, http.Header{})
			if !bytes.Equal(got, value) || resp.ContentLength != int64(len(value)) || resp.Close {
				t.Errorf("got %d bytes with the length %d, close %t, want %d", len(got), resp.ContentLength, resp.Close, len(value))
			}
			head, got := transfer(t, server, "HEAD", "/v2/keys/raw/"+name+"?raw=true", nil, http.Header{})
			if head.ContentLength != int64(len(value)) && len(value) > 0 || len(got) > 0 || head.Header.Get("Etag") != resp.Header.Get("Etag") {
				t.Errorf("HEAD: %d bytes, %v", len(got), head.Header)
			}
		})
	}
	t.Run("too large", func(t *testing.T) {
		for _, body := range []io.Reader{bytes.NewReader(make([]byte, 1<<20+1)), io.MultiReader(bytes.NewReader(make([]byte, 1<<20+1)))} {
			resp, got := transfer(t, server, "PUT", "/v2/keys/a?raw=true", body, octets)
			if resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(got), `"errorCode":210`) {
				t.Errorf("%d %s", resp.StatusCode, got)
			}
		}
	})
	t.Run("a body that breaks off", func(t *testing.T) {
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		mustSend(t, c, "PUT /v2/keys/half?raw=true HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(c)
		if !strings.HasPrefix(string(got), "HTTP/1.1 400 ") || !strings.Contains(string(got), `"errorCode":210`) {
			t.Errorf("got %q", got)
		}
		if w := f.do("GET", "/v2/keys/half", ""); w.Code != http.StatusNotFound {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// listedPage is the response to a request for a page, and the URL of the next one.
type listedPage struct {
	Node struct{ Nodes []struct{ Key string } }
	next string
}

// page reads a page.
func (f *fixture) page(t *testing.T, target string) listedPage {
	t.Helper()
	w := f.do("GET", target, "")
	var p listedPage
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	if link := w.Header().Get("Link"); link != "" {
		var ok bool
		if p.next, ok = strings.CutSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`); !ok {
			t.Fatalf("Link is %q", link)
		}
	}
	return p
}

// TestPages follows the links of a list from page to page, while keys are changed, removed and made.
func TestPages(t *testing.T) {
	f := newFixture(t, nil)
	var want []string
	for i := range 500 {
		key := fmt.Sprintf("/l/%03d ?&é>", i)
		f.do("PUT", (&url.URL{Path: "/v2/keys" + key}).String(), "value=v")
		want = append(want, key)
	}
	// change removes and makes keys on both sides of the page that was read.
	change := func(i int) {
		f.do("DELETE", fmt.Sprintf("/v2/keys/l/x%03d", 1000-i+1), "")
		f.do("PUT", fmt.Sprintf("/v2/keys/l/x%03d", 1000-i), "value=new")
		f.do("PUT", fmt.Sprintf("/v2/keys/l/-%03d", i), "value=new")
		f.do("PUT", (&url.URL{Path: "/v2/keys" + want[i*7%500]}).String(), "value=changed")
	}
	for _, start := range []string{
		"/v2/keys/l?limit=7", "/v2/keys/l/?recursive=true&limit=7&keysOnly=true", "/v2/keys/?recursive=true&limit=7&hidden=true",
	} {
		t.Run(start, func(t *testing.T) {
			var got []string
			for target, i := start, 0; target != ""; i++ {
				p := f.page(t, target)
				for _, n := range p.Node.Nodes {
					got = append(got, n.Key)
				}
				target = p.next
				change(i)
			}
			if !slices.IsSortedFunc(got, func(a, b string) int { return strings.Compare(a, b) }) {
				t.Error("the keys are not in order")
			}
			kept := slices.DeleteFunc(slices.Clone(got), func(key string) bool { return !slices.Contains(want, key) })
			if !slices.Equal(kept, want) {
				t.Errorf("%d of %d keys that were there all the time: %q", len(kept), len(want), kept)
			}
		})
	}
	t.Run("of one state", func(t *testing.T) {
		whole := f.page(t, "/v2/keys/l?recursive=true&limit=10000&keysOnly=true")
		var got []string
		for target, i := "/v2/keys/l?recursive=true&limit=7&keysOnly=true&atIndex=now", 200; target != ""; i++ {
			p := f.page(t, target)
			for _, n := range p.Node.Nodes {
				got = append(got, n.Key)
			}
			target = p.next
			change(i)
		}
		var keys []string
		for _, n := range whole.Node.Nodes {
			keys = append(keys, n.Key)
		}
		if !slices.Equal(got, keys) {
			t.Errorf("%d keys, want the %d of the first moment", len(got), len(keys))
		}
		f.awaitMetric(t, "pando_pinned_views 1")
	})
}

// counted is a ResponseWriter that counts the bytes of the body.
type counted struct {
	discard
	bytes atomic.Int64
}

func (c *counted) Write(p []byte) (int, error) {
	c.bytes.Add(int64(len(p)))
	return len(p), nil
}

// TestMemoryOfLists lists a million keys in several ways. No list may allocate memory that grows with the number of keys.
func TestMemoryOfLists(t *testing.T) {
	servertest.SkipShort(t, "it measures the allocations for a million keys")
	f := newFixture(t, nil)
	const keys, most = 1_000_000, 2 << 20
	commands := make([]tree.Command, 1000)
	for i := 0; i < keys; i += len(commands) {
		for j := range commands {
			commands[j] = tree.Command{Op: tree.OpSet, Path: fmt.Sprintf("/l/%03d/%06d", i/1000, i+j), Value: "v"}
		}
		f.log.tree.Apply(1, commands)
		f.log.tree.Announce()
	}
	f.log.tree.TakeDelta()
	for _, tc := range []struct {
		query   string
		atLeast int64 // of bytes
	}{
		{"recursive=true", 50 * keys},
		{"recursive=true&limit=900000", 50 * 900_000},
		{"recursive=true&limit=900000&keysOnly=true&atIndex=now&after=/l/050", 30 * 900_000},
		{"recursive=true&hidden=true&depth=2", 50 * keys},
		{"recursive=true&count=true", 10},
	} {
		t.Run(tc.query, func(t *testing.T) {
			w := &counted{discard: discard{http.Header{}}}
			r := httptest.NewRequest("GET", "/v2/keys/l?"+tc.query, nil)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			f.handler.ServeHTTP(w, r)
			runtime.ReadMemStats(&after)
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > most || w.bytes.Load() < tc.atLeast {
				t.Errorf("%d bytes were allocated for a response of %d bytes", allocated, w.bytes.Load())
			}
		})
	}
}
