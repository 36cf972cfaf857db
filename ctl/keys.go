package ctl

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const formType = "application/x-www-form-urlencoded"

// node is a key or directory on the wire, and in the output of -o json.
type node struct {
	Key           string     `json:"key"`
	Dir           bool       `json:"dir,omitempty"`
	Value         string     `json:"value"`
	Nodes         []*node    `json:"nodes"`
	CreatedIndex  uint64     `json:"createdIndex"`
	ModifiedIndex uint64     `json:"modifiedIndex"`
	Expiration    *time.Time `json:"expiration,omitempty"`
	TTL           int64      `json:"ttl,omitempty"`
}

// event is an answer of /v2/keys: what was done, to which node.
type event struct {
	Action   string `json:"action"`
	Node     *node  `json:"node"`
	PrevNode *node  `json:"prevNode"`
	// index is the server's index when it answered; for a watch, when the watch began.
	index uint64
}

// keyPath is the path of a key below the endpoint. The empty key is the root without its slash.
func keyPath(key string) string {
	if key != "" && key[0] != '/' {
		key = "/" + key
	}
	return "/v2/keys" + key
}

// readOptions are the parameters of a GET.
type readOptions struct{ recursive, sorted, quorum bool }

// read returns the node at key.
func (cl *client) read(ctx context.Context, key string, o readOptions) (*event, error) {
	return cl.keys(ctx, &request{
		method: http.MethodGet,
		path:   keyPath(key),
		query: url.Values{
			"quorum":    {strconv.FormatBool(o.quorum)},
			"recursive": {strconv.FormatBool(o.recursive)},
			"sorted":    {strconv.FormatBool(o.sorted)},
		},
	})
}

// conditions are the parameters of a PUT or DELETE; zero values ask for nothing.
type conditions struct {
	prevValue string
	prevIndex uint64
	prevExist string // "true", "false" or ""
	dir       bool
	recursive bool
}

func (o conditions) query() url.Values {
	q := url.Values{}
	if o.prevValue != "" {
		q.Set("prevValue", o.prevValue)
	}
	if o.prevIndex != 0 {
		q.Set("prevIndex", strconv.FormatUint(o.prevIndex, 10))
	}
	if o.prevExist != "" {
		q.Set("prevExist", o.prevExist)
	}
	if o.dir {
		q.Set("dir", "true")
	}
	if o.recursive {
		q.Set("recursive", "true")
	}
	return q
}

// repeatable says whether a PUT under these conditions may be done twice: it writes the same again, and no condition
// can fail because of its own first execution.
func (o conditions) repeatable() repetition {
	if o.prevValue != "" || o.prevIndex != 0 || o.prevExist == "false" || o.dir && o.prevExist == "" {
		return harmful
	}
	return harmless
}

// form encodes what a write stores. Directories have no value; a ttl of zero or less is none.
func form(value *string, ttl int) string {
	f := url.Values{}
	if value != nil {
		f.Set("value", *value)
	}
	if ttl > 0 {
		f.Set("ttl", strconv.Itoa(ttl))
	}
	return f.Encode()
}

// put writes the node at key. value is nil for a directory; ttl is in seconds.
func (cl *client) put(ctx context.Context, key string, value *string, ttl int, o conditions) (*event, error) {
	return cl.keys(ctx, &request{
		method: http.MethodPut, path: keyPath(key), query: o.query(),
		contentType: formType, body: form(value, ttl),
		repetition: o.repeatable(), alone: o.prevExist == "false",
	})
}

// createInOrder makes a child of key with the next number for its name.
func (cl *client) createInOrder(ctx context.Context, key, value string, ttl int) (*event, error) {
	return cl.keys(ctx, &request{
		method: http.MethodPost, path: keyPath(key),
		contentType: formType, body: form(&value, ttl),
		repetition: harmful,
	})
}

// remove deletes the node at key.
func (cl *client) remove(ctx context.Context, key string, o conditions) (*event, error) {
	return cl.keys(ctx, &request{
		method: http.MethodDelete, path: keyPath(key), query: o.query(), contentType: formType,
		repetition: harmful, alone: true,
	})
}

// keys sends a request to /v2/keys and reads the answer. A refusal is an *apiError.
func (cl *client) keys(ctx context.Context, r *request) (*event, error) {
	a, err := cl.do(ctx, r)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK && a.status != http.StatusCreated {
		return nil, parseError(a.body)
	}
	if len(a.body) == 0 {
		return nil, errEmptyBody
	}
	e := &event{}
	if header := a.header.Get("X-Etcd-Index"); header != "" {
		if e.index, err = strconv.ParseUint(header, 10, 64); err != nil {
			return nil, err
		}
	}
	if err := json.Unmarshal(a.body, e); err != nil || e.Node == nil {
		return nil, errInvalidJSON
	}
	return e, nil
}
