package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const formType = "application/x-www-form-urlencoded"

// The headers of responses of /v2/keys.
const (
	indexHeader     = "X-Etcd-Index"
	clusterIDHeader = "X-Etcd-Cluster-Id"
)

// Node is a key or a directory, as JSON on the wire.
type Node struct {
	Key           string     `json:"key"`
	Dir           bool       `json:"dir,omitempty"`
	Value         string     `json:"value"`
	Nodes         []*Node    `json:"nodes"` // the children of a directory
	CreatedIndex  uint64     `json:"createdIndex"`
	ModifiedIndex uint64     `json:"modifiedIndex"`
	Expiration    *time.Time `json:"expiration,omitempty"`
	TTL           int64      `json:"ttl,omitempty"` // seconds
}

// Event is a successful response of /v2/keys: an action, and the node after and before it.
type Event struct {
	Action   string `json:"action"`
	Node     *Node  `json:"node"` // never nil
	PrevNode *Node  `json:"prevNode"`
	// Index is the index of the store at the time of the response. For a watch it is the index when the watch began.
	Index uint64 `json:"-"`
	// ClusterID is the ID of the cluster of the member that responded. It is empty if the member does not send it.
	ClusterID string `json:"-"`
}

// GetOptions are the parameters of Get.
type GetOptions struct {
	Recursive bool // include all nodes below the key
	Sorted    bool // sort the nodes by key
	Quorum    bool // see every write that was acknowledged before the request
}

// Get returns the node at key.
func (c *Client) Get(ctx context.Context, key string, o GetOptions) (*Event, error) {
	return c.keys(ctx, &request{
		method: http.MethodGet,
		path:   keyPath(key),
		query: url.Values{
			"quorum":    {strconv.FormatBool(o.Quorum)},
			"recursive": {strconv.FormatBool(o.Recursive)},
			"sorted":    {strconv.FormatBool(o.Sorted)},
		},
	})
}

// Existence is a condition of a Put: whether the key must exist.
type Existence string

// The values of Existence.
const (
	AnyExistence Existence = ""
	MustExist    Existence = "true"
	MustNotExist Existence = "false"
)

// PutOptions are the TTL and the conditions of a Put. The zero value has neither.
type PutOptions struct {
	TTL       int       // seconds; the node has no TTL if this is 0 or less
	PrevValue string    // the required value of the node; empty: any
	PrevIndex uint64    // the required modifiedIndex of the node; 0: any
	Existence Existence // whether the key must exist
}

// Put sets the value of key.
func (c *Client) Put(ctx context.Context, key, value string, o PutOptions) (*Event, error) {
	return c.put(ctx, key, o.query(), form(&value, o.TTL), o.repetition(), o.Existence)
}

// PutDir makes a directory. With MustExist it sets the TTL of the existing node instead.
func (c *Client) PutDir(ctx context.Context, key string, o PutOptions) (*Event, error) {
	query, repetition := o.query(), o.repetition()
	query.Set("dir", "true")
	if o.Existence == AnyExistence {
		repetition = unrepeatable // a second execution fails, because the directory exists
	}
	return c.put(ctx, key, query, form(nil, o.TTL), repetition, o.Existence)
}

// Refresh sets the TTL of an existing key, in whole seconds. Watchers don't get the event.
func (c *Client) Refresh(ctx context.Context, key string, ttl time.Duration) error {
	fields := url.Values{"refresh": {"true"}, "ttl": {strconv.Itoa(int(ttl / time.Second))}}
	query := PutOptions{Existence: MustExist}.query()
	_, err := c.put(ctx, key, query, fields.Encode(), repeatable, MustExist)
	return err
}

func (c *Client) put(ctx context.Context, key string, query url.Values, body string, repetition repetition, e Existence) (*Event, error) {
	return c.keys(ctx, &request{
		method: http.MethodPut, path: keyPath(key), query: query, contentType: formType, body: body,
		repetition: repetition, bareError: e == MustNotExist,
	})
}

func (o PutOptions) query() url.Values {
	q := conditions(o.PrevValue, o.PrevIndex)
	if o.Existence != AnyExistence {
		q.Set("prevExist", string(o.Existence))
	}
	return q
}

// repetition returns repeatable unless the first execution of the Put can make one of its conditions false.
func (o PutOptions) repetition() repetition {
	if o.PrevValue != "" || o.PrevIndex != 0 || o.Existence == MustNotExist {
		return unrepeatable
	}
	return repeatable
}

// CreateInOrder makes a child of key whose name is the next index. ttl is in seconds. The child has no TTL if it is 0 or less.
func (c *Client) CreateInOrder(ctx context.Context, key, value string, ttl int) (*Event, error) {
	return c.keys(ctx, &request{
		method: http.MethodPost, path: keyPath(key), contentType: formType, body: form(&value, ttl), repetition: unrepeatable,
	})
}

// DeleteOptions are the parameters and conditions of Delete. The zero value deletes a key, whatever its value.
type DeleteOptions struct {
	PrevValue string // the required value of the node; empty: any
	PrevIndex uint64 // the required modifiedIndex of the node; 0: any
	Dir       bool   // allow deletion of an empty directory
	Recursive bool   // allow deletion of a directory with all nodes below it
}

// Delete deletes the node at key.
func (c *Client) Delete(ctx context.Context, key string, o DeleteOptions) (*Event, error) {
	q := conditions(o.PrevValue, o.PrevIndex)
	if o.Dir {
		q.Set("dir", "true")
	}
	if o.Recursive {
		q.Set("recursive", "true")
	}
	return c.keys(ctx, &request{
		method: http.MethodDelete, path: keyPath(key), query: q, contentType: formType, repetition: unrepeatable, bareError: true,
	})
}

// conditions returns the query parameters of a comparison with the node at a key.
func conditions(prevValue string, prevIndex uint64) url.Values {
	q := url.Values{}
	if prevValue != "" {
		q.Set("prevValue", prevValue)
	}
	if prevIndex != 0 {
		q.Set("prevIndex", strconv.FormatUint(prevIndex, 10))
	}
	return q
}

// form returns the form of a write. value is nil for a directory.
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

// keyPath returns the path of a key below the endpoint: /v2/keys/KEY, or /v2/keys for the empty key.
func keyPath(key string) string {
	if key != "" && key[0] != '/' {
		key = "/" + key
	}
	return "/v2/keys" + key
}

// keys sends a request to /v2/keys and decodes the response. It returns an *APIError if a member refuses the request.
func (c *Client) keys(ctx context.Context, r *request) (*Event, error) {
	a, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK && a.status != http.StatusCreated {
		return nil, parseAPIError(a.status, a.body)
	}
	if len(a.body) == 0 {
		return nil, errEmptyBody
	}
	e := &Event{ClusterID: a.header.Get(clusterIDHeader)}
	if header := a.header.Get(indexHeader); header != "" {
		if e.Index, err = strconv.ParseUint(header, 10, 64); err != nil {
			return nil, err
		}
	}
	if err := json.Unmarshal(a.body, e); err != nil || e.Node == nil {
		return nil, watchRefusal(a.body)
	}
	return e, nil
}

// watchRefusal returns the error in the body of a response whose status is that of a success. A member sends it if the user of a watch
// loses the permission after the header of the response was sent.
func watchRefusal(body []byte) error {
	e := &APIError{}
	if err := json.Unmarshal(body, e); err != nil || e.Code == 0 {
		return errInvalidJSON
	}
	return e
}
