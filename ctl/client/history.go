package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"pando/tree"
)

// Position is the index of the store of a member, and the cluster of the member.
type Position struct {
	Index     uint64
	ClusterID string // empty if the member does not send it
}

func positionOf(h http.Header) Position {
	index, _ := strconv.ParseUint(h.Get(indexHeader), 10, 64) // zero if the header is missing
	return Position{Index: index, ClusterID: h.Get(clusterIDHeader)}
}

// probeKey is a hidden key that nobody is expected to have. A request for it is cheap, and its response has the index of the store.
const probeKey = "/_pando_position"

// Position returns the position of a member. With quorum it is at or above the index of every write that was acknowledged before.
func (c *Client) Position(ctx context.Context, quorum bool) (Position, error) {
	query := url.Values{"quorum": {strconv.FormatBool(quorum)}}
	a, err := c.send(ctx, &request{method: http.MethodGet, path: keyPath(probeKey), query: query})
	if err != nil {
		return Position{}, err
	}
	switch err := parseAPIError(a.status, a.body); {
	case a.status == http.StatusOK, HasCode(err, tree.CodeKeyNotFound):
		return positionOf(a.header), nil
	default:
		return Position{}, err
	}
}

// ReadHistory returns the first change at or below key whose index is at least since, if the member has it in its history. Unlike a watch
// it also returns changes of hidden keys. Neither returns refreshed TTLs. The event is nil if there is no such change up to the
// index of the position: then the member sends only the header of a response, and ReadHistory waits for patience after it.
//
// If the history of the member begins after since, the error has the code CodeHistoryCleared. If the index of the position is below
// since, the event may be missing though it comes later. c should have one endpoint, because the positions of members differ.
func (c *Client) ReadHistory(ctx context.Context, key string, since uint64, patience time.Duration) (*Event, Position, error) {
	polling, cancel := context.WithCancel(ctx)
	defer cancel()
	var at Position
	e, err := c.keys(polling, &request{
		method: http.MethodGet,
		path:   keyPath(key),
		query:  url.Values{"recursive": {"true"}, "wait": {"true"}, "waitIndex": {strconv.FormatUint(since, 10)}},
		onHeader: func(h http.Header) {
			at = positionOf(h)
			time.AfterFunc(patience, cancel)
		},
	})
	if err != nil && polling.Err() != nil && ctx.Err() == nil {
		return nil, at, nil
	}
	return e, at, err
}
