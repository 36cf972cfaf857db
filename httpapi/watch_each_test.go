package httpapi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"pando/tree"
)

// sseEvent is what a client of server-sent events reads: the ID after which it continues and, unless the data is empty, an event.
type sseEvent struct {
	id, name, data string
}

// key returns the key and the index of the event.
func (e *sseEvent) key(t *testing.T) (key string, index uint64) {
	t.Helper()
	var event struct {
		Node struct {
			Key           string
			ModifiedIndex uint64
		}
	}
	if err := json.Unmarshal([]byte(e.data), &event); err != nil {
		t.Fatalf("%q: %v", e.data, err)
	}
	return event.Node.Key, event.Node.ModifiedIndex
}

// readSSE reads one event, or one ID without an event.
func readSSE(t *testing.T, in *bufio.Reader) (e sseEvent) {
	t.Helper()
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("after %+v: %v", e, err)
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "":
			return e
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		}
	}
}

// newDirFixture returns a fixture with count files below /d.
func newDirFixture(t *testing.T, count int) *fixture {
	f := newFixture(t, func(c *MemberConfig) { c.Service.Tree.SetHistoryLimits(tree.HistoryLimits{RemovedBytes: 16 << 20}) })
	commands := make([]tree.Command, count)
	for i := range commands {
		commands[i] = tree.Command{Op: tree.OpSet, Path: fmt.Sprintf("/d/%02d/%05d", i%50, i), Value: strings.Repeat("v", 100)}
	}
	f.log.tree.Apply(1, commands)
	f.log.tree.Announce()
	return f
}

// TestEachThroughReconnections removes many keys while a client of server-sent events connects again and again. It must get each key once.
func TestEachThroughReconnections(t *testing.T) {
	const files = 4000
	f := newDirFixture(t, files)
	server := serveFixture(t, f, (*httptest.Server).Start)
	last := fmt.Sprint(files + 1)
	f.do("DELETE", "/v2/keys/d?recursive=true", "")
	seen := map[string]bool{}
	for connections, end := 0, false; !end; connections++ {
		if connections > files {
			t.Fatal("the client makes no progress")
		}
		resp := startWatch(t, server, "/v2/keys/d?wait=true&recursive=true&each=true", "Accept", eventsType, "Last-Event-ID", last)
		in := bufio.NewReader(resp.Body)
		if opening := readSSE(t, in); opening.id != last {
			t.Fatalf("the answer continues after %q, not after %q", opening.id, last)
		}
		for range 300 + connections {
			e := readSSE(t, in)
			key, index := e.key(t)
			if index != files+2 || e.name != "" || seen[key] {
				t.Fatalf("%q came twice, or is wrong: %+v", key, e)
			}
			last, seen[key] = e.id, true
			if end = key == "/d"; end {
				break
			}
		}
		_ = resp.Body.Close()
	}
	if len(seen) != files+50+1 || last != fmt.Sprint(files+2) {
		t.Errorf("%d keys came, the last ID is %s", len(seen), last)
	}
}

// TestEachOfLongPoll reads all removed keys, some of them with large values, in one response.
func TestEachOfLongPoll(t *testing.T) {
	for name, start := range watchServers {
		t.Run(name, func(t *testing.T) {
			f := newDirFixture(t, 1000)
			server := serveFixture(t, f, start)
			large := strings.Repeat("v", 200<<10)
			f.do("PUT", "/v2/keys/d/large", "value="+large)
			bodies := make(chan string)
			for _, query := range []string{"", "&stream=true", "&keysOnly=true"} {
				resp := startWatch(t, server, "/v2/keys/d?wait=true&recursive=true&each=true&waitTimeout=20"+query)
				go func() {
					in, text := bufio.NewReader(resp.Body), ""
					for {
						line, err := in.ReadString('\n')
						text += line
						if err != nil || query != "" && strings.Contains(line, `"node":{"key":"/d",`) {
							break
						}
					}
					bodies <- text
				}()
			}
			await(t, "the watches", func() bool { return f.log.tree.Watchers() == 3 })
			f.do("DELETE", "/v2/keys/d?recursive=true", "")
			for range 3 {
				body := <-bodies
				lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
				if len(lines) != 1000+50+1+1 || !strings.Contains(lines[1051], `"node":{"key":"/d","dir":true`) {
					t.Errorf("got %d lines, the last is %s", len(lines), lines[len(lines)-1])
				}
				if n := strings.Count(body, large); n != 1 && strings.Contains(body, `"value":`) {
					t.Errorf("the large value came %d times", n)
				}
			}
		})
	}
}

// TestEachKeepsPermissions checks that a user gets the parts of the watched keys alone, and none after the right is lost.
func TestEachKeepsPermissions(t *testing.T) {
	f := newDirFixture(t, 2000)
	f.enableAuth(t, role("some", "/d/07/*"), f.user(t, "reader", "some"))
	target := "/v2/keys/d/07?wait=true&recursive=true&waitIndex=2002&each=true"
	if w := f.doAs("reader", "GET", target, ""); w.Code != 401 {
		t.Errorf("a watch that includes the directory itself: %d %s", w.Code, w.Body)
	}
	f.doAs("root", "DELETE", "/v2/keys/d?recursive=true", "")
	w := f.doAs("reader", "GET", strings.Replace(target, "/07?", "/07/00007?", 1)+"&waitTimeout=20", "")
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if w.Code != 200 || len(lines) != 2 || !strings.Contains(lines[0], `"key":"/d/07/00007"`) ||
		!strings.Contains(lines[1], `"key":"/d","dir":true`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, user := range []string{"", "reader"} {
		if w := f.doAs(user, "GET", "/v2/keys/d?wait=true&recursive=true&waitIndex=2002&each=true", ""); w.Body.String() != refusedKey {
			t.Errorf("%q: %d %s", user, w.Code, w.Body)
		}
	}
}
