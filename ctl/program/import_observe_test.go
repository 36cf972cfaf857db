package program

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// observation is what a server says, by name.
type observation map[string]string

// ttls matches the TTLs in JSON, which depend on the time of the request.
var ttls = regexp.MustCompile(`"ttl":-?\d+,`)

// endedTTLs matches the places in JSON that have no TTL because it is 0.
var endedTTLs = regexp.MustCompile(`("expiration":"[^"]*",)("modifiedIndex")`)

// observe asks a server for everything that clients can see.
func observe(t *testing.T, c *corpus) observation {
	t.Helper()
	o := observation{}
	for _, key := range append([]string{"/"}, c.hidden...) {
		key += "?recursive=true&sorted=true"
		o["GET "+key], _ = ask(t, c, "/v2/keys"+key, "", "")
	}
	_, header := ask(t, c, "/v2/keys/", "", "")
	o["index"], o["cluster ID"] = header.Get("X-Etcd-Index"), header.Get("X-Etcd-Cluster-Id")
	for _, user := range append([][2]string{{}}, c.login...) {
		name := "as " + user[0] + " " + user[1] + " "
		for _, path := range []string{"/v2/keys/before", "/v2/keys/open/none", "/v2/auth/users", "/v2/auth/roles", "/v2/auth/enable"} {
			if len(c.login) > 0 {
				o[name+path], _ = ask(t, c, path, user[0], user[1])
			}
		}
	}
	newest := uint64(servertest.Atoi(t, o["index"]))
	if c.newest != 0 {
		newest = c.newest
	}
	for _, key := range append([]string{"/"}, c.hidden[:min(len(c.hidden), 1)]...) {
		o["history of "+key] = history(t, c, key, newest)
	}
	return o
}

// history returns the events that a client gets who watches a key, and all below it, from the oldest event on. It leaves out
// what is hidden below the key: a client of etcd gets them from the history, but not while it waits.
func history(t *testing.T, c *corpus, key string, newest uint64) string {
	t.Helper()
	user, password := "", ""
	if len(c.login) > 0 {
		user, password = c.login[0][0], c.login[0][1]
	}
	var all strings.Builder
	at := uint64(2)
	if newest > 1000 {
		at = newest - 999
	}
	for at <= newest {
		body, _ := ask(t, c, fmt.Sprintf("/v2/keys%s?wait=true&recursive=true&waitIndex=%d", key, at), user, password)
		if body == "" {
			break
		}
		if below := strings.TrimPrefix(strings.SplitN(body, `"`, 11)[9], strings.TrimSuffix(key, "/")); !strings.Contains(below, "/_") {
			all.WriteString(body)
		}
		match := regexp.MustCompile(`^\{"action":"\w+","node":\{.*?"modifiedIndex":(\d+)`).FindStringSubmatch(body)
		if match == nil {
			t.Fatalf("waitIndex %d: %s", at, body)
		}
		at = uint64(servertest.Atoi(t, match[1])) + 1
	}
	return all.String()
}

// silence is how long a watch without an event waits.
const silence = 3 * time.Second

// ask sends a GET request. A watch that gets none within silence has an empty body.
func ask(t *testing.T, c *corpus, path, user, password string) (string, http.Header) {
	t.Helper()
	u, err := url.Parse(c.Base + path)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest("GET", u.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		request.SetBasicAuth(user, password)
	}
	client := &http.Client{Transport: c.HTTP.Transport, Timeout: servertest.Timeout}
	if strings.Contains(path, "wait=true") {
		client.Timeout = silence
	}
	response, err := client.Do(request)
	if err != nil && client.Timeout == silence {
		return "", nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		if client.Timeout == silence {
			return "", nil
		}
		t.Fatal(err)
	}
	return string(text), response.Header
}

// sameText compares what two servers have said. TTLs in the history may differ by a second: the log has no times of writes.
func sameText(name, ours, theirs string) bool {
	if !strings.HasPrefix(name, "history") {
		return ttls.ReplaceAllString(ours, "") == ttls.ReplaceAllString(theirs, "")
	}
	ours, theirs = endedTTLs.ReplaceAllString(ours, `$1"ttl":0,$2`), endedTTLs.ReplaceAllString(theirs, `$1"ttl":0,$2`)
	x, y := ttls.FindAllString(ours, -1), ttls.FindAllString(theirs, -1)
	for i := range min(len(x), len(y)) {
		var a, b int
		fmt.Sscanf(x[i]+" "+y[i], `"ttl":%d, "ttl":%d,`, &a, &b)
		if a-b > 1 || b-a > 1 {
			return false
		}
	}
	return ttls.ReplaceAllString(ours, "") == ttls.ReplaceAllString(theirs, "")
}
