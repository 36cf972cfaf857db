package migrate

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"pando/ctl/client"
	"pando/tree"
)

// fakeTarget is a target that records the changes, and answers them as /v2/mirror does.
type fakeTarget struct {
	*httptest.Server
	mu      sync.Mutex
	state   tree.MirrorState
	changes []*tree.MirrorChange
	// onChange is called before a response to a change, without mu. It may be nil.
	onChange func()
}

func newFakeTarget(t *testing.T, index uint64) (*fakeTarget, *Target) {
	f := &fakeTarget{state: tree.MirrorState{Phase: tree.PhaseFollowing, Index: index}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	endpoint, err := client.ParseEndpoint(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	return f, NewTarget(client.New(client.Config{}).WithEndpoints(endpoint))
}

func (f *fakeTarget) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		f.change(w, r)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = json.NewEncoder(w).Encode(f.state)
}

func (f *fakeTarget) change(w http.ResponseWriter, r *http.Request) {
	change := &tree.MirrorChange{}
	if err := json.NewDecoder(r.Body).Decode(change); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	if change.After != f.state.Index {
		w.WriteHeader(http.StatusPreconditionFailed)
		_ = json.NewEncoder(w).Encode(map[string]any{"message": "moved", "index": f.state.Index})
		f.mu.Unlock()
		return
	}
	f.state.Index = change.To
	f.changes = append(f.changes, change)
	state := f.state
	f.mu.Unlock()
	if f.onChange != nil {
		f.onChange()
	}
	_ = json.NewEncoder(w).Encode(state)
}

// setOf returns a segment with one event that sets a key.
func setOf(path string, index uint64) segment {
	return segment{to: index, events: []tree.EventFields{{
		Action: tree.ActionSet, Time: time.Now().UnixNano(), Node: tree.NodeFields{Path: path, Value: "new", Created: index, Modified: index},
	}}}
}

// TestReadBeforeEvent stores a node that was read before an event of it. It must not replace the node of the event.
func TestReadBeforeEvent(t *testing.T) {
	stale := func() []tree.NodeFields {
		return []tree.NodeFields{{Path: "/k", Value: "old", Created: 3, Modified: 3, Expires: 1 << 60}}
	}
	start := func(t *testing.T, index uint64) (*fakeTarget, *Follower) {
		fake, target := newFakeTarget(t, index)
		f := NewFollower(nil, target, Options{})
		f.index = 10
		f.trackers.reset(10)
		return fake, f
	}
	check := func(t *testing.T, fake *fakeTarget, changed int, err error) {
		t.Helper()
		if changed != 0 || err != nil {
			t.Errorf("%d nodes were stored, %v", changed, err)
		}
		for _, c := range fake.changes {
			if len(c.Nodes) > 0 {
				t.Errorf("the change after %d stores %v", c.After, c.Nodes)
			}
		}
	}
	t.Run("the event was applied by another process", func(t *testing.T) {
		fake, f := start(t, 12)
		track := f.trackers.begin()
		if err := f.apply(t.Context(), setOf("/other", 11)); err != nil { // finds the target at 12
			t.Fatal(err)
		}
		time.AfterFunc(50*time.Millisecond, func() { _ = f.apply(t.Context(), setOf("/k", 12)) })
		changed, err := f.applyNodes(t.Context(), stale(), nil, track.changes)
		check(t, fake, changed, err)
	})
	t.Run("the event is being applied", func(t *testing.T) {
		fake, f := start(t, 10)
		track := f.trackers.begin()
		applied, applying := make(chan error, 1), make(chan struct{})
		fake.onChange = sync.OnceFunc(func() {
			close(applying)
			<-time.After(20 * time.Millisecond) // the other gets the time to wait for mu; the outcome is the same without
		})
		go func() { applied <- f.apply(t.Context(), setOf("/k", 11)) }()
		<-applying
		changed, err := f.applyNodes(t.Context(), stale(), nil, track.changes)
		if err := <-applied; err != nil {
			t.Fatal(err)
		}
		check(t, fake, changed, err)
	})
}

// TestUnexplained finds the indexes at which no node with a TTL was refreshed last.
func TestUnexplained(t *testing.T) {
	f := NewFollower(nil, nil, Options{})
	f.list = newList([]tree.NodeFields{
		{Path: "/a", Created: 1, Modified: 12, Expires: 1}, {Path: "/_h", Created: 1, Modified: 13},
		{Path: "/b", Created: 1, Modified: 14, Expires: 1},
	})
	if got := f.unexplained([]uint64{12, 14}); got != 0 {
		t.Errorf("%d indexes are unexplained, want 0", got)
	}
	if got := f.unexplained([]uint64{11, 12, 13}); got != 2 { // an older refresh, and a node without a TTL
		t.Errorf("%d indexes are unexplained, want 2", got)
	}
}

// TestReadFromCutOffMember reads from a member that still answers, but not with what was written since it lost the others.
func TestReadFromCutOffMember(t *testing.T) {
	member := func(index string, quorum bool) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("quorum") == "true" && !quorum {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("X-Etcd-Index", index)
			_, _ = w.Write([]byte(`{"action":"get","node":{"key":"/k","value":"` + index + `","modifiedIndex":3,"createdIndex":3}}`))
		}))
		t.Cleanup(s.Close)
		return s
	}
	endpoints, err := client.ParseEndpoints(member("5", false).URL, member("9", true).URL)
	if err != nil {
		t.Fatal(err)
	}
	source, err := NewSource(client.New(client.Config{Endpoints: endpoints}))
	if err != nil {
		t.Fatal(err)
	}
	n, index, err := source.read(t.Context(), "/k", 8)
	if err != nil || index != 9 || n.Value != "9" {
		t.Errorf("got %v at %d, %v", n, index, err)
	}
}

// TestAwaitTarget waits for a target that reaches the index of the source only after a message about that.
func TestAwaitTarget(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Etcd-Index", "20") }))
	t.Cleanup(s.Close)
	endpoint, err := client.ParseEndpoint(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	source, err := NewSource(client.New(client.Config{}).WithEndpoints(endpoint))
	if err != nil {
		t.Fatal(err)
	}
	fake, target := newFakeTarget(t, 12)
	var notes []string
	err = awaitTarget(t.Context(), source, target, func(text string) {
		notes = append(notes, text)
		fake.mu.Lock()
		defer fake.mu.Unlock()
		fake.state.Index = 20
	})
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "has index 20 of the source") {
		t.Errorf("got %v, and the messages %v", err, notes)
	}
}

// TestOvertaken loses changes of the source that another process has applied. They need no second read of all keys.
func TestOvertaken(t *testing.T) {
	_, target := newFakeTarget(t, 12)
	f := NewFollower(nil, target, Options{})
	f.trackers.reset(10)
	if !f.isOvertaken(t.Context()) || f.trackers.position() != 12 {
		t.Errorf("it goes on at index %d, want 12", f.trackers.position())
	}
	if f.isOvertaken(t.Context()) {
		t.Error("it is overtaken twice by the same changes")
	}
}

// TestNewSources begins to follow a source by other URLs than those to which the members forward writes.
func TestNewSources(t *testing.T) {
	endpoints, err := client.ParseEndpoints("http://localhost:2379")
	if err != nil {
		t.Fatal(err)
	}
	source := &Source{client: client.New(client.Config{Endpoints: endpoints})}
	state := &tree.MirrorState{Sources: []string{"http://etcd:2379"}, ForwardWrites: true}
	if got := NewFollower(source, nil, Options{}).newSources(state); got != nil {
		t.Errorf("a switch changes the URLs to %v", got)
	}
	if got := NewFollower(source, nil, Options{ForwardWrites: new(true)}).newSources(state); len(got) != 1 {
		t.Errorf("--forward-writes does not change the URLs: %v", got)
	}
	if got := NewFollower(source, nil, Options{}).newSources(&tree.MirrorState{}); len(got) != 1 {
		t.Errorf("the first process does not name the URLs: %v", got)
	}
}

// TestUnavailable checks the errors about a side that does not respond.
func TestUnavailable(t *testing.T) {
	endpoint, err := client.ParseEndpoint("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	down := client.New(client.Config{}).WithEndpoints(endpoint)
	source, err := NewSource(down)
	if err != nil {
		t.Fatal(err)
	}
	target := NewTarget(down)
	for name, try := range map[string]func() error{
		"the source":           func() error { _, err := source.Index(t.Context(), true); return err },
		"a node of the source": func() error { _, _, err := source.read(t.Context(), "/", 0); return err },
		"the target":           func() error { _, err := target.State(t.Context()); return err },
		"a node of the target": func() error { _, _, err := target.read(t.Context(), "/", 0); return err },
		"the members":          func() error { _, err := target.members(t.Context()); return err },
	} {
		t.Run(name, func(t *testing.T) {
			err := try()
			if !client.IsUnavailable(err) || !strings.Contains(err.Error(), "does not respond (is --") ||
				strings.Contains(err.Error(), "client: etcd cluster") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
}
