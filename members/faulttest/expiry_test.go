package faulttest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// expirations reads a stream of all keys until it has count expire events, and returns them with the times at which
// they arrived.
func expirations(t *testing.T, base string, since uint64, count int) (events []servertest.KeyAnswer, came []time.Time) {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := http.Client{Transport: transport, Timeout: servertest.Timeout}
	answer, err := client.Get(fmt.Sprintf("%s/v2/keys/?wait=true&stream=true&recursive=true&waitIndex=%d", base, since))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	for lines := bufio.NewReader(answer.Body); len(events) < count; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("after %d of %d: %v", len(events), count, err)
		}
		var event servertest.KeyAnswer
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatal(err)
		}
		if event.Action == "expire" {
			events, came = append(events, event), append(came, time.Now())
		}
	}
	return events, came
}

// due returns the time at which the node of an expire event had to expire.
func due(t *testing.T, event *servertest.KeyAnswer) time.Time {
	t.Helper()
	if event.PrevNode == nil {
		t.Fatalf("expired without a node before: %+v", event.Node)
	}
	at, err := time.Parse(time.RFC3339Nano, event.PrevNode.Expiration)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestExpiryIsPunctual measures how late an idle server expires nodes. The best of several measurements counts, because
// the machine may be busy.
func TestExpiryIsPunctual(t *testing.T) {
	servertest.SkipShort(t, "it measures time")
	p := servertest.Launch(t, t.TempDir())
	var median time.Duration
	for range 15 {
		late := lateness(t, p)
		median = late[len(late)/2]
		t.Logf("late: median %v, 99th percentile %v", median, late[len(late)*99/100])
		if late[0] < 0 {
			t.Errorf("expired %v too early", -late[0])
		}
		if median < 100*time.Millisecond {
			return
		}
	}
	t.Errorf("expired %v too late in the median", median)
}

// lateness sets keys that expire one after the other, and returns the sorted delays.
func lateness(t *testing.T, p *servertest.Process) []time.Duration {
	t.Helper()
	client := servertest.NewKeyClient(t, p.Client)
	since := client.Must(t, "PUT", "/mark", servertest.Form("value", "x")).Node.ModifiedIndex
	const keys = 100
	for i := range keys {
		client.Must(t, "PUT", fmt.Sprintf("/k%d", i), servertest.Form("value", "x", "ttl", "1"))
		<-time.After(5 * time.Millisecond)
	}
	events, came := expirations(t, p.Client, since, keys)
	var late []time.Duration
	for i := range events {
		late = append(late, came[i].Sub(due(t, &events[i])))
		if want := fmt.Sprintf("/k%d", i); events[i].Node.Key != want {
			t.Errorf("expired %s in place of %s", events[i].Node.Key, want)
		}
	}
	slices.Sort(late)
	return late
}

// TestExpiryAfterALongStop starts a server after the TTLs of many keys have ended. These keys must expire at once and
// in order. The others must stay.
func TestExpiryAfterALongStop(t *testing.T) {
	servertest.SkipShort(t, "it waits for three seconds to pass")
	t.Parallel()
	for _, end := range []string{"shut down", "killed"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := servertest.Launch(t, dir)
			client := servertest.NewKeyClient(t, p.Client)
			var want []string
			for i := range 300 { // more than one sweep removes
				key := fmt.Sprintf("/k%03d", 299-i)
				client.Must(t, "PUT", key, servertest.Form("value", "x", "ttl", "3"))
				want = append(want, key)
			}
			client.Must(t, "PUT", "/dir", servertest.Form("dir", "true", "ttl", "3"))
			client.Must(t, "PUT", "/dir/below", servertest.Form("value", "x"))
			want = append(want, "/dir")
			allDue := time.Now().Add(3 * time.Second)
			client.Must(t, "PUT", "/later", servertest.Form("value", "x", "ttl", "1000"))
			client.Must(t, "PUT", "/stays", servertest.Form("value", "x"))
			if end == "killed" {
				p.Kill()
			} else {
				p.Terminate()
			}
			servertest.Await(t, "all to fall due", func() bool { return time.Now().After(allDue) })
			p = servertest.Launch(t, dir)
			begin := time.Now()
			events, came := expirations(t, p.Client, firstEvent, len(want)) // some may have expired before the server was stopped
			for i := range events {
				if events[i].Node.Key != want[i] {
					t.Fatalf("expired %s in place of %s", events[i].Node.Key, want[i])
				}
			}
			took := came[len(came)-1].Sub(begin)
			t.Logf("%d keys expired %v after the start", len(want), took)
			if took > servertest.Timeout/2 {
				t.Errorf("took %v", took)
			}
			root := servertest.NewKeyClient(t, p.Client).Must(t, "GET", "/", nil)
			var left []string
			for _, n := range root.Node.Nodes {
				left = append(left, n.Key)
			}
			if slices.Sort(left); strings.Join(left, " ") != "/later /stays" {
				t.Errorf("left: %v", left)
			}
		})
	}
}
