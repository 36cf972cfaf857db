package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"pando/httpapi/audit"
	"pando/stats"
	"pando/tree/users"
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
	f.benchmarkGet(b, http.Header{})
}

// benchmarkGet reads one key. header is that of all requests.
func (f *fixture) benchmarkGet(b *testing.B, header http.Header) {
	r := httptest.NewRequest("GET", "/v2/keys/bench/key", nil)
	r.Header = header
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

func BenchmarkPut(b *testing.B) { newFixture(b, nil).benchmarkPut(b, http.Header{}) }

// benchmarkPut writes one key. header is that of all requests.
func (f *fixture) benchmarkPut(b *testing.B, header http.Header) {
	authorization := header["Authorization"]
	body := "value=" + strings.Repeat("x", 256)
	w := &discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		r := newRequest("PUT", "/v2/keys/bench/key", "")
		r.Header["Content-Type"] = []string{formType}
		if authorization != nil {
			r.Header["Authorization"] = authorization
		}
		r.ContentLength = int64(len(body))
		r.Body = readCloser{strings.NewReader(body)}
		f.handler.ServeHTTP(w, r)
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// BenchmarkAuth compares requests of a user among 10,000 with those of anybody while auth is disabled.
func BenchmarkAuth(b *testing.B) {
	f := newAuthBench(b)
	header := newRequestAs("alice", "GET", "/", "").Header
	for _, phase := range []struct {
		name   string
		change users.Op
	}{{"open", users.Disable}, {"authenticated", users.Enable}} {
		f.changeUsers(b, users.Change{Op: phase.change})
		b.Run("get/"+phase.name, func(b *testing.B) { f.benchmarkGet(b, header) })
		b.Run("put/"+phase.name, func(b *testing.B) { f.benchmarkPut(b, header) })
	}
}

// newAuthBench makes a fixture with 10,000 users and roles, and auth enabled.
func newAuthBench(b *testing.B) *fixture {
	f := newFixture(b, nil)
	var changes []users.Change
	for i := range 10_000 {
		name := fmt.Sprint("user", i)
		changes = append(changes, role(name, "/bench/"+name+"*"),
			users.Change{Op: users.PutUser, Name: name, PasswordHash: "x", Roles: []string{name}})
	}
	f.enableAuth(b, append(changes, role("r", "/bench*"), f.user(b, "alice", "r"))...)
	if w := f.doAs("alice", "PUT", "/v2/keys/bench/key", "value="+strings.Repeat("x", 256)); w.Code != http.StatusCreated {
		b.Fatal(w.Body)
	}
	return f
}

// BenchmarkGetAudited reads one key with an audit log.
func BenchmarkGetAudited(b *testing.B) {
	records, err := audit.Open(audit.Config{
		Path: filepath.Join(b.TempDir(), "audit.log"), Reads: true, Metrics: stats.NewMetrics(stats.Build{}).Audit(), Logger: zap.NewNop(),
	})
	if err != nil {
		b.Fatal(err)
	}
	defer records.Close()
	f := newFixture(b, func(c *MemberConfig) { c.Service.Audit = records })
	f.do("PUT", "/v2/keys/bench/key", "value="+strings.Repeat("x", 256))
	f.benchmarkGet(b, http.Header{})
}
