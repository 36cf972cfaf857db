package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// newQuotaFixture makes a fixture with a quota of 100 bytes, and a tree with 117 bytes of keys and values.
func newQuotaFixture(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, func(c *MemberConfig) { c.Service.QuotaBytes = 100 })
	f.do("PUT", "/v2/keys/a/small", "value=1")
	if w := f.do("PUT", "/v2/keys/a/big", "value="+strings.Repeat("x", 100)); w.Code != http.StatusCreated {
		t.Fatalf("a write below the quota: %d %s", w.Code, w.Body)
	}
	return f
}

// TestQuota writes to a tree that has reached its quota.
func TestQuota(t *testing.T) {
	f := newQuotaFixture(t)
	for _, c := range []struct {
		name, method, path, form string
		status                   int
	}{
		{"a new key", "PUT", "/v2/keys/b", "value=1", 403},
		{"an empty value", "PUT", "/v2/keys/b", "", 403},
		{"a directory", "PUT", "/v2/keys/d", "dir=true", 403},
		{"an in-order key", "POST", "/v2/keys/q", "value=1", 403},
		{"a longer value", "PUT", "/v2/keys/a/small", "value=123", 403},
		{"a longer value, compared", "PUT", "/v2/keys/a/small", "value=123&prevValue=1", 403},
		{"the same length", "PUT", "/v2/keys/a/small", "value=2", 200},
		{"a TTL", "PUT", "/v2/keys/a/small", "value=3&ttl=100", 200},
		{"a refresh", "PUT", "/v2/keys/a/small", "refresh=true&ttl=200&prevExist=true", 200},
		{"a key that exists", "PUT", "/v2/keys/a/small", "prevExist=false&value=longer", 412},
		{"a key that does not exist", "PUT", "/v2/keys/none", "prevExist=true&value=longer", 404},
		{"a directory in its place", "PUT", "/v2/keys/a", "value=1", 403},
		{"a read", "GET", "/v2/keys/a/small", "", 200},
		{"a shorter value", "PUT", "/v2/keys/a/big", "value=" + strings.Repeat("y", 99), 200},
		{"a removal", "DELETE", "/v2/keys/a/small", "", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := f.do(c.method, c.path, c.form)
			refused := strings.HasPrefix(w.Body.String(), `{"errorCode":111,"message":"Quota exceeded","cause":"the keys and values have `)
			if w.Code != c.status || refused != (c.status == 403 && c.path != "/v2/keys/a") {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
	t.Run("again below the quota", func(t *testing.T) {
		f.do("DELETE", "/v2/keys/a?recursive=true", "")
		if w := f.do("PUT", "/v2/keys/b", "value=1"); w.Code != http.StatusCreated {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
	f.awaitMetric(t, `pando_requests_total{operation="set",outcome="over_quota"} 4`)
}

// TestQuotaOfTransactions executes transactions in a tree that has reached its quota: the list that is executed must not make it larger.
func TestQuotaOfTransactions(t *testing.T) {
	long := strings.Repeat("z", 200)
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"a new key":      {`{"then":[{"action":"set","key":"/new","value":"1"}]}`, 403},
		"the other list": {`{"then":[{"action":"delete","key":"/a/small"}],"else":[{"action":"createInOrder","key":"/q"}]}`, 200},
		"room for another": {
			`{"then":[{"action":"set","key":"/a/medium","value":"1"},{"action":"delete","key":"/a/big"}]}`, 200},
		"a rename": {`{"then":[{"action":"create","key":"/b/small","value":"1"},{"action":"create","key":"/b/bog","value":"` + long[:100] +
			`"},{"action":"delete","key":"/a","recursive":true}]}`, 200},
		"removed and larger": {
			`{"then":[{"action":"delete","key":"/a/small"},{"action":"create","key":"/a/small","value":"` + long + `"}]}`, 403},
		"a directory and a larger file": {
			`{"then":[{"action":"delete","key":"/a","recursive":true},{"action":"set","key":"/a","value":"` + long + `"}]}`, 403},
		"removed twice": {`{"then":[{"action":"delete","key":"/a/big"},{"action":"delete","key":"/a","recursive":true},` +
			`{"action":"set","key":"/new","value":"` + long + `"}]}`, 403},
		"emptied and larger": {
			`{"then":[{"action":"set","key":"/a/big","value":""},{"action":"update","key":"/a/big","value":"` + long + `"}]}`, 403},
		"one that fails": {`{"then":[{"action":"set","key":"/new","value":"1"},{"action":"get","key":"/none"}]}`, 404},
	} {
		t.Run(name, func(t *testing.T) {
			f := newQuotaFixture(t)
			if w := f.txn(c.body); w.Code != c.status {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
}

// TestQuotaIsReported reads what monitoring gets before and after the tree has reached its quota.
func TestQuotaIsReported(t *testing.T) {
	below := newFixture(t, func(c *MemberConfig) { c.Service.QuotaBytes = 1000 })
	reached := newQuotaFixture(t)
	const reason = `the keys and values have 117 bytes and the quota is 100 (--quota-bytes); writes that add bytes are refused`
	for _, c := range []struct {
		f          *fixture
		path, want string
		status     int
	}{
		{below, "/health", `{"health":"true"}`, 200},
		{below, "/readyz?verbose", "[+]checkpoints ok\n[+]quota ok\nok\n", 200},
		{below, "/readyz/quota", "ok\n", 200},
		{reached, "/health", fmt.Sprintf(`{"health":"true","reason":"%s"}`, reason), 200},
		{reached, "/readyz?verbose", "[+]checkpoints ok\n[!]quota warning: " + reason + "\nok\n", 200},
		{reached, "/readyz", "ok\n", 200},
		{reached, "/readyz/quota", "[-]quota failed: " + reason + "\n", 503},
		{newFixture(t, nil), "/readyz/quota", "404", 404},
	} {
		t.Run(fmt.Sprint(c.path, c.status), func(t *testing.T) {
			w := httptest.NewRecorder()
			c.f.handler.ServeHTTP(w, httptest.NewRequest("GET", c.path, nil))
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
}
