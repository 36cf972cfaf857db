package faulttest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// TestEventsOverRestarts reads server-sent events of each removed key while connections end, members are killed and one client goes from
// member to member and through a proxy. It must get each event once and in order.
func TestEventsOverRestarts(t *testing.T) {
	t.Parallel()
	servertest.SkipShort(t, "it starts four processes")
	all := servertest.NewMembers(t, "a", "b", "c")
	running := servertest.LaunchCluster(t, all)
	front := launchProxy(t, filepath.Join(t.TempDir(), "front"), all)
	writer := servertest.NewKeyClient(t, front.Client)
	first := writer.Must(t, http.MethodPut, "/e/first", servertest.Form("value", "1")).Node.ModifiedIndex

	reader := &eventReader{t: t, last: fmt.Sprint(first), done: make(chan struct{})}
	for _, p := range append(slices.Clone(running), front) {
		reader.urls = append(reader.urls, p.Client)
	}
	go reader.run()
	for round := range 4 {
		for i := range 40 {
			put(t, writer, fmt.Sprintf("/e/%d/%d/k", round, i))
		}
		if member := round % 2; round > 0 { // c is never killed: it has the expected events
			running[member].Kill()
			put(t, writer, "/e/meanwhile")
			running[member] = all[member].StartPando(t, "--initial-cluster", servertest.InitialCluster(all))
		}
		for {
			answer, err := writer.Do(http.MethodDelete, fmt.Sprintf("/e/%d?recursive=true", round), nil)
			if err == nil && (answer.Status == http.StatusOK || answer.ErrorCode == 100) {
				break
			}
		}
		running[round%2].AwaitServing()
	}
	put(t, writer, "/e/end")
	select {
	case <-reader.done:
	case <-time.After(servertest.Timeout):
		t.Fatalf("the reader got %d events, the last ID is %s", len(reader.got), reader.last)
	}
	servertest.AwaitReplicated(t, front.Client, running[2].Client)
	want := eventsOf(t, running[2].Client, first+1)
	want = want[:slices.IndexFunc(want, isEnd)+1]
	if !slices.Equal(reader.got, want) {
		for i := range reader.got {
			if i >= len(want) || reader.got[i] != want[i] {
				t.Fatalf("event %d of %d is %q; expected are %d", i, len(reader.got), reader.got[max(0, i-1):min(i+2, len(reader.got))], len(want))
			}
		}
		t.Fatalf("got %d events, want %d", len(reader.got), len(want))
	}
	t.Logf("%d events over %d connections", len(want), reader.connections)
}

// put writes a key until a write succeeds.
func put(t *testing.T, c *servertest.KeyClient, key string) {
	t.Helper()
	servertest.Await(t, "a write of "+key, func() bool {
		answer, err := c.Do(http.MethodPut, key, servertest.Form("value", "1"))
		return err == nil && answer.Status < 300
	})
}

// eventReader is a client of server-sent events that connects again and again, as a browser does.
type eventReader struct {
	t           *testing.T
	urls        []string
	last        string // the last ID
	connections int
	got         []string
	done        chan struct{}
}

// run reads until the event of /e/end.
func (r *eventReader) run() {
	defer close(r.done)
	for ; len(r.got) == 0 || !isEnd(r.got[len(r.got)-1]); r.connections++ {
		if r.t.Context().Err() != nil {
			return
		}
		r.connect(r.urls[r.connections%len(r.urls)], 5+r.connections%17)
	}
}

// connect reads at most that many events from one connection.
func (r *eventReader) connect(url string, most int) {
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Second)
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v2/keys/e?wait=true&recursive=true&each=true", nil)
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Last-Event-ID", r.last)
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	in := bufio.NewScanner(resp.Body)
	id := r.last
	for most > 0 && in.Scan() {
		name, value, _ := strings.Cut(in.Text(), ": ")
		switch {
		case in.Text() == "":
			r.last = id // the end of an event: a client drops one that is not complete
		case name == "id":
			id = value
		case name == "event":
			r.t.Errorf("got the event %s", value)
		case name == "data":
			r.got = append(r.got, eventName(r.t, value))
			most--
			if in.Scan() { // the empty line
				r.last = id
			} else {
				r.got = r.got[:len(r.got)-1]
			}
			if isEnd(eventName(r.t, value)) {
				return
			}
		}
	}
}

// eventName describes an event: its index, the number of the part, the action and the key.
func eventName(t *testing.T, text string) string {
	var event struct {
		Action     string
		Node       servertest.KeyNode
		Part       int
		Incomplete bool
	}
	if err := json.Unmarshal([]byte(text), &event); err != nil || event.Incomplete {
		t.Errorf("%s: %v", text, err)
	}
	return fmt.Sprintf("%d.%d %s %s", event.Node.ModifiedIndex, event.Part, event.Action, event.Node.Key)
}

func isEnd(name string) bool { return strings.HasSuffix(name, " /e/end") }

// eventsOf returns the events from an index on that a member has in its history.
func eventsOf(t *testing.T, url string, since uint64) (events []string) {
	t.Helper()
	resp, err := http.Get(fmt.Sprint(url, "/v2/keys/e?wait=true&recursive=true&each=true&stream=true&waitTimeout=0&waitIndex=", since))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for in := bufio.NewScanner(resp.Body); in.Scan(); {
		events = append(events, eventName(t, in.Text()))
	}
	return events
}
