package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// newRequest returns a request without a connection. Its path is not parsed.
func newRequest(method, path, query string) *http.Request {
	return &http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{}, Proto: "HTTP/1.1"}
}

// discard is a ResponseWriter that drops the body.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

func BenchmarkGet(b *testing.B) {
	f := newFixture(b, nil)
	f.do("PUT", "/v2/keys/bench/key", "value="+strings.Repeat("x", 256))
	r := httptest.NewRequest("GET", "/v2/keys/bench/key", nil)
	w := &discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		f.handler.ServeHTTP(w, r)
	}
}

func BenchmarkListOf100(b *testing.B) {
	f := newFixture(b, nil)
	for i := range 100 {
		f.do("PUT", fmt.Sprintf("/v2/keys/bench/key%d", i), "value="+strings.Repeat("x", 256))
	}
	r := httptest.NewRequest("GET", "/v2/keys/bench?recursive=true&sorted=true", nil)
	w := &discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		f.handler.ServeHTTP(w, r)
	}
}

func BenchmarkPut(b *testing.B) {
	f := newFixture(b, nil)
	body := "value=" + strings.Repeat("x", 256)
	w := &discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		r := newRequest("PUT", "/v2/keys/bench/key", "")
		r.Header["Content-Type"] = []string{formType}
		r.ContentLength = int64(len(body))
		r.Body = readCloser{strings.NewReader(body)}
		f.handler.ServeHTTP(w, r)
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
