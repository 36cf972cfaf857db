package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// keyNode is a node of an answer.
type keyNode struct {
	Key           string    `json:"key"`
	Value         string    `json:"value"`
	Dir           bool      `json:"dir"`
	ModifiedIndex uint64    `json:"modifiedIndex"`
	CreatedIndex  uint64    `json:"createdIndex"`
	Expiration    string    `json:"expiration"`
	TTL           int64     `json:"ttl"`
	Nodes         []keyNode `json:"nodes"`
}

// keyAnswer is the body of an answer under /v2/keys, be it an event or an error.
type keyAnswer struct {
	Action    string   `json:"action"`
	Node      *keyNode `json:"node"`
	PrevNode  *keyNode `json:"prevNode"`
	ErrorCode int      `json:"errorCode"`
	Cause     string   `json:"cause"`
	Index     uint64   `json:"index"`

	status    int
	etcdIndex uint64 // of the header
}

// keyClient speaks to one server, on connections of its own.
type keyClient struct {
	base string
	http *http.Client
}

func newKeyClient(t testing.TB, base string) *keyClient {
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	t.Cleanup(transport.CloseIdleConnections)
	return &keyClient{base: base, http: &http.Client{Transport: transport, Timeout: patience}}
}

// do sends a request with a form, if it is not empty. An error means that the outcome is unknown.
func (c *keyClient) do(method, key string, form url.Values) (*keyAnswer, error) {
	var body io.Reader
	if len(form) > 0 {
		body = strings.NewReader(form.Encode())
	}
	path, query, _ := strings.Cut(key, "?")
	request, err := http.NewRequest(method, c.base+"/v2/keys"+(&url.URL{Path: path}).EscapedPath()+"?"+query, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	answer := &keyAnswer{status: response.StatusCode}
	if err := json.Unmarshal(text, answer); err != nil {
		return nil, fmt.Errorf("%s %s answered %s: %w", method, key, text, err)
	}
	answer.etcdIndex, err = strconv.ParseUint(response.Header.Get("X-Etcd-Index"), 10, 64)
	return answer, err
}

// must is do for requests that have to succeed.
func (c *keyClient) must(t testing.TB, method, key string, form url.Values) *keyAnswer {
	t.Helper()
	answer, err := c.do(method, key, form)
	if err != nil {
		t.Fatalf("%s %s: %v", method, key, err)
	}
	if answer.status >= http.StatusBadRequest {
		t.Fatalf("%s %s: status %d, error %d %s", method, key, answer.status, answer.ErrorCode, answer.Cause)
	}
	return answer
}

// leaves gives the files at and below a node by their keys.
func (n *keyNode) leaves(into map[string]keyNode) {
	if !n.Dir {
		into[n.Key] = *n
	}
	for i := range n.Nodes {
		n.Nodes[i].leaves(into)
	}
}

// form builds the parameters of a request from names and values in turn.
func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func itoa[N int | int64 | uint64](n N) string { return fmt.Sprint(n) }

func atoi(t testing.TB, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// rawGet gives the body of an answer as it is.
func rawGet(t testing.TB, c *keyClient, path string) string {
	t.Helper()
	response, err := c.http.Get(c.base + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
