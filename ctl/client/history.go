package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
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

// endTimeout limits the time in which a member ends a response after ReadHistory has closed the sending side of its connection.
const endTimeout = 10 * time.Second

// errNoEnd is returned by ReadHistory if the member fails before it has ended the response, or if something between the two does not pass
// on that the sending side was closed.
var errNoEnd = errors.New("client: the end of a watch is missing; if this goes on, " +
	"name the client URLs of etcd itself, not that of a proxy or a load balancer")

// ReadHistory returns the first change at or below key whose index is at least since, if the member has it in its history. Unlike a watch
// it also returns changes of hidden keys. Neither returns refreshed TTLs. The event is nil if there is no such change up to the
// index of the position.
//
// A member that has no such change sends the header of a response, and waits for a change. That nothing follows the header proves
// nothing: the change may be late. So ReadHistory closes the sending side of its connection after pause. The member then ends the response,
// and the event is nil only if that end has arrived, with nothing before it. A member that was stopped for the whole pause between the
// header and the change may leave the change out. So the caller must ask again before it relies on a missing event.
//
// If the history of the member begins after since, the error has the code CodeHistoryCleared. If the index of the position is below
// since, the event may be missing though it comes later. c should have one endpoint, because the positions of members differ.
func (c *Client) ReadHistory(ctx context.Context, key string, since uint64, pause time.Duration) (*Event, Position, error) {
	polling, cancel := context.WithCancel(ctx)
	defer cancel()
	var at Position
	var conn net.Conn
	var closed atomic.Bool
	e, err := c.keys(polling, &request{
		method:       http.MethodGet,
		path:         keyPath(key),
		query:        url.Values{"recursive": {"true"}, "wait": {"true"}, "waitIndex": {strconv.FormatUint(since, 10)}},
		onConnection: func(used net.Conn) { conn = used },
		onHeader: func(h http.Header) {
			at = positionOf(h)
			timer := time.AfterFunc(pause, func() {
				closed.Store(true)
				if half, ok := conn.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
					cancel()
				}
			})
			end := time.AfterFunc(pause+endTimeout, cancel)
			context.AfterFunc(polling, func() {
				timer.Stop()
				end.Stop()
			})
		},
	})
	switch {
	case err == nil, ctx.Err() != nil, !closed.Load():
		return e, at, err
	case errors.Is(err, errEmptyBody):
		return nil, at, nil
	case polling.Err() != nil, IsUnavailable(err):
		return nil, at, fmt.Errorf("%w (%s)", errNoEnd, OneLine(err))
	}
	return nil, at, err
}
