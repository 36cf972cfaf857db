package program

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"testing"

	"pando/members/servertest"
)

// TestImportEtcdRandom sends random requests, many of which fail, and imports the directory: with a log alone, and with snapshots.
func TestImportEtcdRandom(t *testing.T) {
	servertest.SkipShort(t, "it sends many requests")
	for _, count := range []string{"100000", "170"} {
		t.Run("snapshot-count "+count, func(t *testing.T) {
			t.Parallel()
			c, p := startCorpus(t, "--snapshot-count", count)
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			r := rand.New(rand.NewPCG(seed, 1))
			for range 900 {
				randomWrite(t, c, r)
			}
			c.put(t, "/last", "value", "x", "ttl", "100000")
			c.hidden = []string{"/r/_h"}
			servertest.Await(t, "the short TTLs to end", func() bool {
				a, err := c.Do(http.MethodGet, "/short", nil)
				return err == nil && a.Status == http.StatusNotFound
			})
			want := observe(t, c)
			p.Terminate()
			compareImported(t, c, want, c.member.DataDir)
		})
	}
}

// randomWrite sends a random request for one of a few keys.
func randomWrite(t *testing.T, c *corpus, r *rand.Rand) {
	t.Helper()
	pick := func(texts ...string) string { return texts[r.IntN(len(texts))] }
	names := []string{"a", "b", "b-c", "_h", "d"}
	key := "/r"
	for range 1 + r.IntN(3) {
		key += "/" + pick(names...)
	}
	form := url.Values{}
	set := func(name string, chance int, values ...string) {
		if r.IntN(chance) == 0 {
			form.Set(name, pick(values...))
		}
	}
	method := pick("PUT", "PUT", "PUT", "PUT", "POST", "DELETE", "DELETE")
	set("prevValue", 6, "v1", "v2", "v3")
	set("prevIndex", 8, servertest.Itoa(1+r.Uint64N(900)))
	set("dir", 5, "true", "false")
	switch method {
	case "DELETE":
		set("recursive", 2, "true")
		c.try(t, method, key+"?"+form.Encode())
		return
	case "PUT":
		set("prevExist", 4, "true", "true", "false")
		if r.IntN(8) == 0 { // a refresh with a value is refused
			form.Set("refresh", "true")
			form.Set("ttl", servertest.Itoa(5000+r.IntN(100)))
			c.try(t, method, key, pairs(form)...)
			return
		}
	}
	form.Set("value", pick("v1", "v2", "v3", ""))
	set("ttl", 4, fmt.Sprint(6000+r.IntN(100)))
	if r.IntN(40) == 0 {
		key, method = "/short/"+pick(names...), "PUT"
		form = servertest.Form("value", "s", "ttl", "1")
	}
	c.try(t, method, key, pairs(form)...)
	if key[:2] == "/s" { // the directory ends, too, so that the test can wait for it
		c.try(t, "PUT", "/short?prevExist=true", "dir", "true", "ttl", "2")
	}
}

// pairs returns the names and values of a form by turns.
func pairs(form url.Values) []string {
	var list []string
	for name, values := range form {
		list = append(list, name, values[0])
	}
	return list
}
