package migrate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"pando/ctl/client"
	"pando/tree"
)

// ErrNotFollowing is returned if the target follows no etcd.
var ErrNotFollowing = errors.New("the cluster follows no etcd")

// Target is the cluster of Pando that follows the source. Any goroutine may call its methods.
type Target struct {
	client *client.Client
}

// NewTarget returns the target at the endpoints of c. c must have the credentials of root if auth is enabled.
func NewTarget(c *client.Client) *Target { return &Target{c} }

// name returns the endpoints as one text, for messages.
func (t *Target) name() string { return strings.Join(t.client.Endpoints(), ",") }

// State returns what one member has applied.
func (t *Target) State(ctx context.Context) (*tree.MirrorState, error) {
	state, err := t.client.Mirror(ctx)
	return state, t.explain(err)
}

// explain adds to an error of the target what to do about it.
func (t *Target) explain(err error) error {
	refusal, ok := errors.AsType[*client.StatusError](err)
	switch {
	case client.IsUnavailable(err):
		return &unavailableError{fmt.Sprintf("the target %s does not respond (is --to right?): %s", t.name(), client.OneLine(err)), err}
	case client.IsUnauthorized(err):
		return fmt.Errorf("%s: %w; give the name of root with --username", t.name(), err)
	case !ok:
		return err
	case refusal.Status == http.StatusNotFound:
		return fmt.Errorf("%s is not Pando, or an older version: is --to right? (%w)", t.name(), err)
	case refusal.Status == http.StatusConflict:
		return fmt.Errorf("%s: %w", t.name(), ErrNotFollowing)
	}
	return fmt.Errorf("%s: %w", t.name(), err)
}

// following returns the state of the target, or an error that says what to do if it follows no etcd.
func (t *Target) following(ctx context.Context) (*tree.MirrorState, error) {
	state, err := t.State(ctx)
	if err == nil && state.Phase == 0 {
		err = fmt.Errorf("%s: %w: it has taken over already, or its data directories were made without --follow "+
			"(pando import-etcd DIR --data-dir NEW --follow)", t.name(), ErrNotFollowing)
	}
	return state, err
}

// change applies a change.
func (t *Target) change(ctx context.Context, c *tree.MirrorChange) error {
	_, err := t.client.ChangeMirror(ctx, c)
	return t.explain(err)
}

// read returns the node at a path with its children, and the index of the tree at that time, which is at least since. The node is nil if
// there is none.
func (t *Target) read(ctx context.Context, path string, since uint64) (*client.Node, uint64, error) {
	n, index, err := readSince(ctx, t.client, path, since, func(string) error { return nil })
	return n, index, t.explain(err)
}

// listed returns the nodes of the target that recursive reads leave out or that expire, at an index of since or above.
func (t *Target) listed(ctx context.Context, since uint64) (*list, error) {
	var backoff client.Backoff
	for {
		nodes, err := t.client.MirrorNodes(ctx)
		if err != nil {
			return nil, t.explain(err)
		}
		if nodes.Index >= since {
			return newList(nodes.Nodes), nil
		}
		if err := backoff.Wait(ctx); err != nil {
			return nil, err
		}
	}
}

// targetMember is one member of the target.
type targetMember struct {
	name   string
	client *client.Client
}

// members returns the members in the order of their names. Those that publish no client URL are left out: they have never started.
func (t *Target) members(ctx context.Context) ([]targetMember, error) {
	list, err := t.client.Members(ctx)
	if err != nil {
		return nil, t.explain(fmt.Errorf("the members of the cluster: %w", err))
	}
	var all []targetMember
	for _, m := range list {
		if len(m.ClientURLs) == 0 {
			continue
		}
		endpoint, err := client.ParseEndpoint(t.client.UsableURL(m.ClientURLs))
		if err != nil {
			return nil, fmt.Errorf("member %s publishes no client URL that can be used (%s): %w", m.Name, strings.Join(m.ClientURLs, ","), err)
		}
		all = append(all, targetMember{fmt.Sprintf("%s (%s)", m.Name, endpoint), t.client.WithEndpoints(endpoint)})
	}
	slices.SortFunc(all, func(a, b targetMember) int { return strings.Compare(a.name, b.name) })
	return all, nil
}
