package check

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"pando/docs/openapi"
)

// head are the headers of a success under /v2/keys.
const head = "X-Etcd-Cluster-Id: c1\nX-Etcd-Index: 7\nX-Raft-Index: 9\nX-Raft-Term: 2\nContent-Type: application/json"

// errorHead are the headers of an error under /v2/keys.
const errorHead = "X-Etcd-Cluster-Id: c1\nX-Etcd-Index: 7\nContent-Type: application/json"

// headersOf returns headers from lines.
func headersOf(lines string) http.Header {
	h := http.Header{}
	for line := range strings.SplitSeq(lines, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			h.Add(name, value)
		}
	}
	return h
}

// TestCheck makes sure that the description refuses wrong exchanges, each for one reason.
func TestCheck(t *testing.T) {
	const (
		node   = `{"action":"get","node":{"key":"/a","value":"1","modifiedIndex":2,"createdIndex":2}}` + "\n"
		change = `{"action":"set","node":{"key":"/a","value":"1","modifiedIndex":2,"createdIndex":2}}` + "\n"
	)
	for _, c := range []struct {
		name, method, target, header, form string
		status                             int
		response, body, problem            string
	}{
		{"a read", "GET", "/v2/keys/a/b/c", "", "", 200, head, node, ""},
		{"a slash at the end", "GET", "/v2/keys/", "", "", 200, head, `{"action":"get","node":{"dir":true}}`, ""},
		{"HEAD", "HEAD", "/v2/keys/a", "", "", 200, head, "", ""},
		{"a header that is missing", "GET", "/v2/keys/a", "", "", 200, strings.Replace(head, "X-Raft-Term: 2", "", 1), node,
			"X-Raft-Term is missing"},
		{"another header", "GET", "/v2/keys/a", "", "", 200, head + "\nX-New: 1", node, "X-New"},
		{"a header of another form", "GET", "/v2/keys/a", "", "", 200, strings.Replace(head, ": 7", ": x", 1), node, "X-Etcd-Index"},
		{"another status", "GET", "/v2/keys/a", "", "", 201, head, node, "no response with this status"},
		{"another type", "GET", "/v2/keys/a", "", "", 200, strings.Replace(head, "json", "xml", 1), node, "application/xml"},
		{"another field", "GET", "/v2/keys/a", "", "", 200, head, strings.Replace(node, `"value"`, `"val"`, 1), "val"},
		{"no JSON", "GET", "/v2/keys/a", "", "", 200, head, "ok", "invalid character"},
		{"no body", "GET", "/v2/keys/a", "", "", 200, head, "", "EOF"},
		{"two values", "GET", "/v2/keys/a", "", "", 200, head, node + node, "invalid character"},
		{"a path that is not described", "GET", "/v2/other", "", "", 200, head, node, "no response with this status"},
		{"a method that is not described", "PATCH", "/v2/keys/a", "", "", 200, head, node, "no response with this status"},
		{"a parameter", "GET", "/v2/keys/a?limit=5&unknown=x", "", "", 200, head, node, ""},
		{"a wrong parameter", "GET", "/v2/keys/a?limit=0", "", "", 200, head, node, "limit"},
		{"a wrong flag", "GET", "/v2/keys/a?recursive=maybe", "", "", 200, head, node, "recursive"},
		{"a form", "PUT", "/v2/keys/a?ttl=x", "", "value=1&ttl=5", 201, head, change, ""},
		{"a wrong form", "PUT", "/v2/keys/a", "", "ttl=soon", 201, head, change, "ttl"},
		{"a wrong header", "GET", "/v2/keys/a", "Last-Event-ID: x", "", 200, head, node, "Last-Event-ID"},
		{"a watch", "GET", "/v2/keys/a?wait=true", "", "", 200, head, change + change, ""},
		{"no event", "GET", "/v2/keys/a?wait=true", "", "", 200, head, node, "line"},
		{"a heartbeat", "GET", "/v2/keys/a?wait=true&heartbeat=5", "", "", 200, head, "\n" + change, ""},
		{"a heartbeat for nobody", "GET", "/v2/keys/a?wait=true", "", "", 200, head, "\n" + change, "line"},
		{"actions", "GET", "/v2/keys/a?wait=true&actions=set,expire", "", "", 200, head, change, ""},
		{"wrong actions", "GET", "/v2/keys/a?wait=true&actions=set,get", "", "", 200, head, change, "actions"},
		{"events", "GET", "/v2/keys/a?wait=true", "", "", 200, strings.Replace(head, "application/json", "text/event-stream", 1),
			"id: 7\ndata: " + change + "\n", ""},
		{"wrong events", "GET", "/v2/keys/a?wait=true", "", "", 200, strings.Replace(head, "application/json", "text/event-stream", 1),
			"id: 7\ndata: " + node + "\n", "line"},
		{"an error", "GET", "/v2/keys/a", "", "", 404, errorHead,
			`{"errorCode":100,"message":"Key not found","index":7}`, ""},
		{"an unknown code", "GET", "/v2/keys/a", "", "", 404, errorHead,
			`{"errorCode":99,"message":"x","index":7}`, "99"},
	} {
		t.Run(c.name, func(t *testing.T) {
			target, err := url.Parse(c.target)
			if err != nil {
				t.Fatal(err)
			}
			e := &Exchange{Method: c.method, URL: target, Header: headersOf(c.header), RequestBody: []byte(c.form),
				Status: c.status, Response: headersOf(c.response), Body: []byte(c.body)}
			if c.form != "" {
				e.Header.Set("Content-Type", formType)
			}
			err = Pando(t).Check(e)
			if (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
				t.Errorf("got %v, want an error with %q", err, c.problem)
			}
		})
	}
}

// TestEachSchemaIsValid compiles all schemas of the description.
func TestEachSchemaIsValid(t *testing.T) {
	d, count := Pando(t), 0
	var walk func(pointer string, value any)
	walk = func(pointer string, value any) {
		list, _ := value.([]any)
		for i, item := range list {
			walk(fmt.Sprintf("%s/%d", pointer, i), item)
		}
		object, _ := value.(map[string]any)
		for name, member := range object {
			below := pointer + "/" + escapePointer.Replace(name)
			if name != "schema" && name != "x-pando-lines" && !strings.HasPrefix(below, "/components/schemas/") {
				walk(below, member)
				continue
			}
			count++
			if _, err := d.schema(below); err != nil {
				t.Error(err)
			}
		}
	}
	walk("", d.root)
	if count < 100 {
		t.Errorf("only %d schemas found", count)
	}
}

// TestRelay sends requests through a Relay to a server that responds with a header that is not described.
func TestRelay(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/openapi.json" {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("ETag", `"0"`)
			w.Header().Set("Cache-Control", "no-cache")
			_, _ = w.Write(openapi.JSON)
			return
		}
		w.Header().Set("X-New", "1")
		http.NotFound(w, r)
	}))
	defer server.Close()
	var problems []error
	relay, err := Pando(t).Relay(server.Listener.Addr().String(), func(err error) { problems = append(problems, err) })
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	for _, path := range []string{"/openapi.json", "/other"} { // on one connection
		resp, err := client.Get(relay.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Error(err)
		}
		_ = resp.Body.Close()
	}
	client.CloseIdleConnections()
	relay.Close()
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), "GET /other: status 404: the header X-New") {
		t.Errorf("got %v", problems)
	}
}
