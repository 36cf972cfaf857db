package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"pando/tree"
)

// mirrorPath is the API of a cluster of Pando that follows a running etcd. With auth enabled only root may use it.
const mirrorPath = "/v2/mirror"

// MirrorIndexError is the error for a change of a mirror whose After is not the index of the tree.
type MirrorIndexError struct {
	Index uint64 // the index of the tree
	text  string
}

func (e *MirrorIndexError) Error() string { return e.text }

// Mirror returns what a member has applied of a running etcd that its cluster follows.
func (c *Client) Mirror(ctx context.Context) (*tree.MirrorState, error) {
	return c.mirror(ctx, &request{method: http.MethodGet, path: mirrorPath})
}

// ChangeMirror applies a change of the etcd that the cluster follows. It may be sent to several members in turn, because After allows it
// to be applied only once. If After is not the index of the tree, the error is a *MirrorIndexError: the change may have been applied
// before.
func (c *Client) ChangeMirror(ctx context.Context, change *tree.MirrorChange) (*tree.MirrorState, error) {
	body, err := change.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return c.mirror(ctx, &request{method: http.MethodPost, path: mirrorPath, contentType: "application/json", body: string(body)})
}

func (c *Client) mirror(ctx context.Context, r *request) (*tree.MirrorState, error) {
	r.detailed = true
	a, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	state := &tree.MirrorState{}
	if a.status == http.StatusOK {
		return state, json.Unmarshal(a.body, state)
	}
	return nil, a.mirrorRefusal()
}

// mirrorRefusal returns the error in the body of a response.
func (a *answer) mirrorRefusal() error {
	var body struct {
		Message string
		Index   uint64
	}
	err := json.Unmarshal(a.body, &body)
	switch {
	case a.status == http.StatusPreconditionFailed && err == nil:
		return &MirrorIndexError{body.Index, body.Message}
	case err != nil || body.Message == "":
		return &StatusError{a.status, fmt.Sprintf("unexpected status code %d", a.status)}
	}
	return &StatusError{a.status, body.Message}
}

// MirrorNodes returns all nodes of a member that have a TTL or whose own name begins with an underscore, without values, and the index of
// its tree.
func (c *Client) MirrorNodes(ctx context.Context) (*tree.MirrorNodes, error) {
	a, err := c.send(ctx, &request{method: http.MethodGet, path: mirrorPath + "/nodes", detailed: true})
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, a.mirrorRefusal()
	}
	list := &tree.MirrorNodes{}
	return list, json.Unmarshal(a.body, list)
}
