package faulttest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"pando/members/servertest"
)

// eventLog holds every event of one server, in the order of the indexes from 2 on. A watcher collects it across
// restarts of the server.
type eventLog struct {
	mu     sync.Mutex
	events []loggedEvent
}

// loggedEvent is an event: its text, and its fields.
type loggedEvent struct {
	text string
	servertest.KeyAnswer
}

// firstEvent is the index of the first event of a new server.
const firstEvent = 2

// next returns the first index that is not in the log.
func (l *eventLog) next() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return firstEvent + uint64(len(l.events))
}

// at returns the event of an index, which must be below next.
func (l *eventLog) at(index uint64) *loggedEvent {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &l.events[index-firstEvent]
}

// add appends an event, which must have the next index.
func (l *eventLog) add(text string) error {
	event := loggedEvent{text: text}
	if err := json.Unmarshal([]byte(text), &event.KeyAnswer); err != nil {
		return fmt.Errorf("event %q: %w", text, err)
	}
	if event.Node == nil {
		return fmt.Errorf("the stream was ended by %s", text)
	}
	if next := l.next(); event.Node.ModifiedIndex != next {
		return fmt.Errorf("event %d arrived in place of event %d: %s", event.Node.ModifiedIndex, next, text)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, event)
	return nil
}

// follow appends the events of a stream. It returns when the stream ends, ctx is done, or the log has the index last,
// if that is not 0. An error means a wrong event; the end of the connection is no error.
func (l *eventLog) follow(ctx context.Context, base string, last uint64) error {
	if last != 0 && l.next() > last {
		return nil
	}
	url := fmt.Sprintf("%s/v2/keys/?wait=true&stream=true&recursive=true&waitIndex=%d", base, l.next())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil // the server has gone
	}
	defer response.Body.Close()
	for lines := bufio.NewReader(response.Body); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil
		}
		if err := l.add(line); err != nil {
			return err
		}
		if last != 0 && l.next() > last {
			return nil
		}
	}
}

// replayed is the content of the keys after the events of a log.
type replayed struct {
	index uint64 // of the last event that was applied
	files map[string]servertest.KeyNode
}

// advance applies the events up to an index.
func (r *replayed) advance(l *eventLog, index uint64) {
	for r.index = max(r.index, firstEvent-1); r.index < index; r.index++ {
		event := l.at(r.index + 1)
		switch key := event.Node.Key; event.Action {
		case "delete", "compareAndDelete", "expire":
			delete(r.files, key)
			for file := range r.files {
				if strings.HasPrefix(file, key+"/") {
					delete(r.files, file)
				}
			}
		default:
			if !event.Node.Dir {
				r.files[key] = *event.Node
			}
		}
	}
}

// mustEqual fails the test if the content differs from what a server shows.
func (r *replayed) mustEqual(t *testing.T, root *servertest.KeyNode) {
	t.Helper()
	shown := map[string]servertest.KeyNode{}
	root.Files(shown)
	for key, want := range r.files {
		got, ok := shown[key]
		want.TTL, got.TTL = 0, 0 // the TTL decreases; Expiration is compared
		if !ok || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("at index %d, %s is %+v, want %+v (there: %t)", r.index, key, got, want, ok)
		}
		delete(shown, key)
	}
	for key, node := range shown {
		t.Errorf("at index %d there is %+v, which %s should not be", r.index, node, key)
	}
}
