package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"pando/ctl/client"
	"pando/tree"
)

// ErrOtherCluster is returned if the source is not the etcd that the target was imported from, or if its members belong to several
// clusters.
var ErrOtherCluster = errors.New("the source is another cluster")

// Source is the running etcd. Any goroutine may call its methods.
type Source struct {
	client  *client.Client
	members []*client.Client // one for each endpoint, in the same order

	mu        sync.Mutex
	clusterID string // of the first response
}

// NewSource returns the source at the endpoints of c. c must have the time limits of one request.
func NewSource(c *client.Client) (*Source, error) {
	s := &Source{client: c}
	for _, text := range c.Endpoints() {
		endpoint, err := client.ParseEndpoint(text)
		if err != nil {
			return nil, err
		}
		s.members = append(s.members, c.WithEndpoints(endpoint))
	}
	return s, nil
}

// URLs returns the endpoints of the source.
func (s *Source) URLs() []string { return s.client.Endpoints() }

// name returns the endpoints as one text, for messages.
func (s *Source) name() string { return strings.Join(s.URLs(), ",") }

// checkCluster remembers the cluster of the first response, and refuses that of another one.
func (s *Source) checkCluster(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case id == "" || s.clusterID == id:
		return nil
	case s.clusterID == "":
		s.clusterID = id
		return nil
	}
	return fmt.Errorf("%w: a member of %s is of the cluster %s, and another is of %s; name only the members of one cluster in --from",
		ErrOtherCluster, s.name(), id, s.clusterID)
}

// ClusterID returns the cluster of the first response, or an empty text if there was none.
func (s *Source) ClusterID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clusterID
}

// explain adds to an error of the source what to do about it.
func (s *Source) explain(err error) error {
	switch {
	case err == nil, errors.Is(err, errWindowLost), errors.Is(err, ErrOtherCluster), errors.Is(err, context.Canceled):
		return err
	case client.IsUnauthorized(err):
		return fmt.Errorf("the source %s: %w; give the name of its root with --from-user", s.name(), err)
	case client.IsUnavailable(err):
		return &unavailableError{fmt.Sprintf("the source %s does not respond (is --from right?): %s", s.name(), client.OneLine(err)), err}
	}
	return fmt.Errorf("the source %s: %w", s.name(), err)
}

// unavailableError is the error of a side that does not respond. It has the text of one member's error, on one line, in place of the text
// of the ClusterError that it wraps.
type unavailableError struct {
	text string
	err  error
}

func (e *unavailableError) Error() string { return e.text }
func (e *unavailableError) Unwrap() error { return e.err }

// Index returns the index of the store of one member. With quorum it is at or above the index of every write that was acknowledged
// before.
func (s *Source) Index(ctx context.Context, quorum bool) (uint64, error) {
	p, err := s.client.Position(ctx, quorum)
	if err == nil {
		err = s.checkCluster(p.ClusterID)
	}
	return p.Index, s.explain(err)
}

// read returns the node at a path with its children, and the index of the store at that time, which is at least since. The node is nil if
// there is none.
func (s *Source) read(ctx context.Context, path string, since uint64) (*client.Node, uint64, error) {
	n, index, err := readSince(ctx, s.client, path, since, s.checkCluster)
	return n, index, s.explain(err)
}

// staleReads is the number of responses below the wanted index after which a quorum is asked.
const staleReads = 3

// readSince reads a node with its children at an index of since or above. A member that is behind is asked again. One that is cut off from
// the others would be asked forever. It can't answer a request that needs a quorum, and after that failure c goes on with another member.
func readSince(
	ctx context.Context, c *client.Client, path string, since uint64, check func(clusterID string) error,
) (*client.Node, uint64, error) {
	var backoff client.Backoff
	for stale := 1; ; stale++ {
		e, err := c.Get(ctx, path, client.GetOptions{Sorted: true})
		refusal, refused := errors.AsType[*client.APIError](err)
		var node *client.Node
		var index uint64
		switch {
		case err == nil:
			node, index = e.Node, e.Index
			err = check(e.ClusterID)
		case refused && (refusal.Code == tree.CodeKeyNotFound || refusal.Code == tree.CodeNotDir):
			index, err = refusal.Index, nil
		}
		if err != nil || index >= since {
			return node, index, err
		}
		if stale%staleReads == 0 {
			if _, err := c.Position(ctx, true); err != nil && !client.IsUnavailable(err) {
				return nil, 0, err
			}
		}
		if err := backoff.Wait(ctx); err != nil {
			return nil, 0, err
		}
	}
}

// member is one member of the source, as the reader needs it.
type member interface {
	name() string
	openStream(ctx context.Context) (stream, error)
	// history is client.ReadHistory of all keys.
	history(ctx context.Context, since uint64, pause time.Duration) (*client.Event, client.Position, error)
	position(ctx context.Context) (client.Position, error)
}

// stream is a client.Stream of all keys.
type stream interface {
	start() client.Position
	Next() (*client.Event, error)
	Close()
}

// sourceMember is a member with one endpoint.
type sourceMember struct{ client *client.Client }

func (m sourceMember) name() string { return m.client.Endpoints()[0] }

func (m sourceMember) openStream(ctx context.Context) (stream, error) {
	s, err := m.client.OpenStream(ctx, "/")
	if err != nil {
		return nil, err
	}
	return sourceStream{s}, nil
}

func (m sourceMember) history(ctx context.Context, since uint64, pause time.Duration) (*client.Event, client.Position, error) {
	return m.client.ReadHistory(ctx, "/", since, pause)
}

func (m sourceMember) position(ctx context.Context) (client.Position, error) {
	return m.client.Position(ctx, false)
}

type sourceStream struct{ *client.Stream }

func (s sourceStream) start() client.Position { return s.Position }

// readTo reads the changes after an index into a queue, until ctx ends or an error occurs.
func (s *Source) readTo(ctx context.Context, q *queue, after uint64, o observer) error {
	r := &reader{check: s.checkCluster, out: q, observer: o, read: after}
	for _, c := range s.members {
		r.members = append(r.members, sourceMember{c})
	}
	return s.explain(r.run(ctx))
}

// watch calls take with the changes after an index, one segment after the other, until ctx ends or an error occurs.
func (s *Source) watch(ctx context.Context, after uint64, take func(segment)) error {
	q := newQueue(queueLimit)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.readTo(ctx, q, after, silentObserver{}) })
	group.Go(func() error {
		for {
			part, err := q.pop(ctx, queueLimit)
			if err != nil {
				return err
			}
			take(part)
		}
	})
	return group.Wait()
}

// silentObserver ignores everything.
type silentObserver struct{}

func (silentObserver) sourceIndex(uint64) {}
func (silentObserver) note(string)        {}
