package migrate

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"pando/ctl/client"
)

// fewNodes is the largest number of nodes of one directory that are read one by one. More are read as the list of the directory.
const fewNodes = 4

// readNodes reads the nodes at some paths without their children, and returns them with the largest index of a response. A node that does
// not exist is not in the result. limit bounds the number of requests in a second; it may be nil.
func readNodes(
	ctx context.Context, read readFunc, paths []string, since uint64, limit *rate.Limiter,
) (map[string]*client.Node, uint64, error) {
	groups := map[string][]string{} // by directory
	var requests []nodeRequest
	for _, path := range paths {
		switch dir := parentOf(path); {
		case path == "/":
		case isHidden(path):
			requests = append(requests, nodeRequest{path: path})
		default:
			groups[dir] = append(groups[dir], path)
		}
	}
	for dir, group := range groups {
		if len(group) > fewNodes {
			requests = append(requests, nodeRequest{dir, group})
			continue
		}
		for _, path := range group {
			requests = append(requests, nodeRequest{path: path})
		}
	}
	var mu sync.Mutex
	found, last := map[string]*client.Node{}, uint64(0)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(walkWidth)
	for _, r := range requests {
		group.Go(func() error {
			if limit != nil {
				if err := limit.Wait(ctx); err != nil {
					return err
				}
			}
			n, index, err := read(ctx, r.path, since)
			mu.Lock()
			defer mu.Unlock()
			last = max(last, index)
			if err == nil && n != nil {
				r.collect(found, n)
			}
			return err
		})
	}
	err := group.Wait()
	return found, last, err
}

// nodeRequest is the read of one node, or of the list of a directory.
type nodeRequest struct {
	path   string
	wanted []string // the paths to take from the list of the directory; nil: the node itself
}

// collect adds to found what was requested.
func (r nodeRequest) collect(found map[string]*client.Node, n *client.Node) {
	if r.wanted == nil {
		found[r.path] = withoutChildren(n)
		return
	}
	children := make(map[string]*client.Node, len(n.Nodes))
	for _, child := range n.Nodes {
		children[child.Key] = child
	}
	for _, path := range r.wanted {
		if child := children[path]; child != nil {
			found[path] = withoutChildren(child)
		}
	}
}
