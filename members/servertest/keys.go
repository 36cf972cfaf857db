package servertest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// KeyNode is a node in a response under /v2/keys.
type KeyNode struct {
	Key           string    `json:"key"`
	Value         string    `json:"value"`
	Dir           bool      `json:"dir"`
	ModifiedIndex uint64    `json:"modifiedIndex"`
	CreatedIndex  uint64    `json:"createdIndex"`
	Expiration    string    `json:"expiration"`
	TTL           int64     `json:"ttl"`
	Nodes         []KeyNode `json:"nodes"`
}

// KeyAnswer is a response under /v2/keys: an event or an error.
type KeyAnswer struct {
	Action    string   `json:"action"`
	Node      *KeyNode `json:"node"`
	PrevNode  *KeyNode `json:"prevNode"`
	ErrorCode int      `json:"errorCode"`
	Cause     string   `json:"cause"`
	Index     uint64   `json:"index"`

	Status    int
	EtcdIndex uint64 // the header X-Etcd-Index
}

// KeyClient sends requests to one server. It shares no connections with other clients. Any goroutine may call its methods,
// except for Must.
type KeyClient struct {
	Base string // client URL
	HTTP *http.Client
}

// NewKeyClient returns a client whose connections are closed at the end of the test.
func NewKeyClient(t testing.TB, base string) *KeyClient {
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	t.Cleanup(transport.CloseIdleConnections)
	return &KeyClient{Base: base, HTTP: &http.Client{Transport: transport, Timeout: Timeout}}
}

// Do sends a request for a key. key may be followed by a query, and form may be empty. If the response holds an error code,
// Do returns the response and no error. After an error the outcome of the request is unknown.
func (c *KeyClient) Do(method, key string, form url.Values) (*KeyAnswer, error) {
	var body io.Reader
	if len(form) > 0 {
		body = strings.NewReader(form.Encode())
	}
	path, query, _ := strings.Cut(key, "?")
	request, err := http.NewRequest(method, c.Base+"/v2/keys"+(&url.URL{Path: path}).EscapedPath()+"?"+query, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	answer := &KeyAnswer{Status: response.StatusCode}
	if err := json.Unmarshal(text, answer); err != nil {
		return nil, fmt.Errorf("%s %s answered %s: %w", method, key, text, err)
	}
	answer.EtcdIndex, err = strconv.ParseUint(response.Header.Get("X-Etcd-Index"), 10, 64)
	return answer, err
}

// Must calls Do and fails the test unless the request succeeds. It repeats a read, or a write without a condition, that was not committed
// in time: a busy machine may bring about an election at any time.
func (c *KeyClient) Must(t testing.TB, method, key string, form url.Values) *KeyAnswer {
	t.Helper()
	answer, err := c.Do(method, key, form)
	for deadline := time.Now().Add(Timeout); err == nil && answer.timedOut() && repeatable(method, key, form); {
		if time.Now().After(deadline) {
			break
		}
		t.Logf("%s %s timed out, and is sent again", method, key)
		answer, err = c.Do(method, key, form)
	}
	if err != nil {
		t.Fatalf("%s %s: %v", method, key, err)
	}
	if answer.Status >= http.StatusBadRequest {
		t.Fatalf("%s %s: status %d, error %d %s", method, key, answer.Status, answer.ErrorCode, answer.Cause)
	}
	return answer
}

// timedOut reports whether the request was not committed in time. Its outcome is unknown.
func (a *KeyAnswer) timedOut() bool {
	return a.ErrorCode == 300 && a.Cause == "etcdserver: request timed out"
}

// repeatable reports whether a request has the same effect if it is carried out twice.
func repeatable(method, key string, form url.Values) bool {
	conditional := strings.Contains(key, "prev") || form.Has("prevValue") || form.Has("prevIndex") || form.Has("prevExist")
	return method == http.MethodGet || method == http.MethodPut && !conditional && !form.Has("dir")
}

// Files adds the files at and below n to a map from key to node.
func (n *KeyNode) Files(into map[string]KeyNode) {
	if !n.Dir {
		into[n.Key] = *n
	}
	for i := range n.Nodes {
		n.Nodes[i].Files(into)
	}
}

// Form returns the form of a request. pairs are names and values by turns.
func Form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// Itoa formats an integer.
func Itoa[N int | int64 | uint64](n N) string { return fmt.Sprint(n) }

// Atoi parses an integer with spaces around it.
func Atoi(t testing.TB, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// RawGet sends a GET request and returns the undecoded body of the response.
func RawGet(t testing.TB, c *KeyClient, path string) string {
	t.Helper()
	response, err := c.HTTP.Get(c.Base + path)
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
