package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"pando/ctl/client"
	"pando/tree"
)

// fakeMember is a member of a source with a history. It behaves as etcd does: its streams leave hidden keys out and end after bufferSize
// unread events, and its history has everything but silent indexes.
type fakeMember struct {
	id string

	mu      sync.Mutex
	events  []*client.Event // the history, in the order of the indexes
	oldest  uint64          // the history begins at this index
	index   uint64
	streams []*fakeStream
	down    bool
	late    map[uint64]bool // events that the history does not show yet
	missed  map[uint64]int  // by index: how many requests for the history from it on get no event
}

const bufferSize = 100

func newFakeMember() *fakeMember { return &fakeMember{id: "c1", oldest: 1, late: map[uint64]bool{}} }

// set makes an event at the next index.
func (m *fakeMember) set(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.index++
	e := &client.Event{
		Action: "set", Node: &client.Node{Key: key, Value: fmt.Sprint(m.index), ModifiedIndex: m.index, CreatedIndex: m.index},
	}
	m.events = append(m.events, e)
	if isHidden(key) || isHidden(parentOf(key)) {
		return
	}
	for _, s := range m.streams {
		s.send(e)
	}
}

// refresh makes a silent index.
func (m *fakeMember) refresh() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.index++
}

// fail makes the member refuse everything, or respond again.
func (m *fakeMember) fail(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
	if down {
		for _, s := range m.streams {
			s.Close()
		}
		m.streams = nil
	}
}

var errDown = &client.ClusterError{Errs: []error{errors.New("connection refused")}}

func (m *fakeMember) name() string { return "fake " + m.id }

func (m *fakeMember) openStream(context.Context) (stream, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, errDown
	}
	s := &fakeStream{
		at: client.Position{Index: m.index, ClusterID: m.id}, events: make(chan *client.Event, bufferSize), closed: make(chan struct{}),
	}
	m.streams = append(m.streams, s)
	return s, nil
}

func (m *fakeMember) history(ctx context.Context, since uint64, _ time.Duration) (*client.Event, client.Position, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := client.Position{Index: m.index, ClusterID: m.id}
	switch {
	case m.down:
		return nil, at, errDown
	case since < m.oldest:
		return nil, at, &client.APIError{Code: tree.CodeHistoryCleared, Message: "The event in requested index is outdated and cleared"}
	}
	if m.missed[since] > 0 {
		m.missed[since]--
		return nil, at, nil
	}
	for _, e := range m.events {
		if e.Node.ModifiedIndex >= since && !m.late[e.Node.ModifiedIndex] {
			return e, at, nil
		}
	}
	return nil, at, nil
}

func (m *fakeMember) position(context.Context) (client.Position, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return client.Position{}, errDown
	}
	return client.Position{Index: m.index, ClusterID: m.id}, nil
}

// fakeStream is a stream of a fakeMember.
type fakeStream struct {
	at     client.Position
	events chan *client.Event
	once   sync.Once
	closed chan struct{}
}

func (s *fakeStream) start() client.Position { return s.at }

func (s *fakeStream) send(e *client.Event) {
	select {
	case s.events <- e:
	default:
		s.Close()
	}
}

func (s *fakeStream) Next() (*client.Event, error) {
	select {
	case <-s.closed:
		return nil, io.EOF
	case e := <-s.events:
		return e, nil
	}
}

func (s *fakeStream) Close() { s.once.Do(func() { close(s.closed) }) }

// collected is what a reader has put into its queue.
type collected struct {
	t     *testing.T
	queue *queue
	last  uint64 // up to which segments were taken

	mu    sync.Mutex
	notes []string
}

func (c *collected) sourceIndex(uint64) {}

func (c *collected) note(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes = append(c.notes, text)
}

// until takes segments up to an index, and returns the indexes of their events. It fails unless they are in order.
func (c *collected) until(index uint64) []uint64 {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	var indexes []uint64
	for c.last < index {
		s, err := c.queue.pop(ctx, changeLimit)
		if err != nil {
			c.t.Fatalf("at index %d, not %d: %v", c.last, index, err)
		}
		for i := range s.events {
			indexes = append(indexes, indexOf(&s.events[i]))
		}
		if int(s.to-c.last)-len(s.events) != s.silent {
			c.t.Fatalf("from %d to %d are %d events and %d silent indexes", c.last, s.to, len(s.events), s.silent)
		}
		c.last = s.to
	}
	if !slices.IsSorted(indexes) || len(slices.Compact(slices.Clone(indexes))) != len(indexes) {
		c.t.Fatalf("the events are not in order: %v", indexes)
	}
	return indexes
}

// startReader starts a reader of members from an index on. The result of its run is sent to the channel.
func startReader(t *testing.T, from uint64, members ...*fakeMember) (*collected, chan error) {
	c := &collected{t: t, queue: newQueue(queueLimit), last: from}
	source := &Source{client: client.New(client.Config{})}
	r := &reader{check: source.checkCluster, out: c.queue, observer: c, read: from, lagInterval: 100 * time.Millisecond}
	for _, m := range members {
		r.members = append(r.members, m)
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ended <- r.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return c, ended
}
