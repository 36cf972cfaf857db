package conformance

import (
	"context"
	"strings"
	"sync"

	"pando/members/servertest"
)

// Items 14 to 20 and 25 to 30: watches.
var contractWatches = []contractItem{
	{14, "headers of a long poll", func(c *contract) {
		last := c.ask("PUT ~/a?value=1", "")
		w := c.watch("GET ~/a?wait=true") // returns after the headers
		if !strings.HasPrefix(w.status, "200") || servertest.Atoi(c.t, w.header("X-Etcd-Index")) < int64(last.Node.ModifiedIndex) ||
			w.header(
				"X-Etcd-Cluster-Id",
			) == "" || w.header("X-Raft-Index") == "" || w.header("X-Raft-Term") == "" || w.header("Transfer-Encoding") != "chunked" {
			c.t.Errorf("%s %v", w.status, w.headers)
		}
		w.silent()
	}},
	{15, "a poll that ends without an event", func(c *contract) {
		c = c.ownServer()
		w := c.watch("GET ~/a?wait=true")
		c.server.Terminate()
		text, err := w.open.take(-1, servertest.Timeout)
		if text != "" || err == nil {
			c.t.Errorf("got %q, error %v; want an empty answer and the end of the connection", text, err)
		}
	}},
	{16, "indexes in the past, cleared and in the future", func(c *contract) {
		c = c.ownServer()
		first := c.ask("PUT ~/a?value=1", "").Node.ModifiedIndex
		c.watch("GET ~/a?wait=true&waitIndex=" + servertest.Itoa(first)).next(`"value":"1"`)
		w := c.watch("GET ~/a?wait=true&waitIndex=" + servertest.Itoa(first+2))
		c.ask("PUT ~/a?value=2", "")
		w.silent()
		c.ask("PUT ~/a?value=3", "")
		w.next(`"value":"3"`)
		now := c.fill(1000)
		r := c.expect(
			"GET ~/a?wait=true&waitIndex="+servertest.Itoa(first),
			"",
			"400",
			`"errorCode":401,"message":"The event in requested index is outdated and cleared"`,
		)
		if r.Index != now {
			c.t.Errorf("index %d, want %d", r.Index, now)
		}
		neverErrorIn200(c)
	}},
	{17, "hidden nodes below a recursive watch", func(c *contract) {
		above, inside := c.watch("GET ~?wait=true&recursive=true"), c.watch("GET ~/_h?wait=true&recursive=true")
		c.ask("PUT ~/_h/a?value=1", "")
		inside.next(`"key":"~/_h/a"`)
		above.silent()
	}},
	{18, "deleted and expired directories", func(c *contract) {
		c.ask("PUT ~/d/e/a?value=1", "")
		exact, below := c.watch("GET ~/d/e/a?wait=true"), c.watch("GET ~/d/e?wait=true&recursive=true")
		c.ask("DELETE ~/d?recursive=true", "")
		exact.next(`"action":"delete","node":{"key":"~/d","dir":true`)
		below.next(`"action":"delete","node":{"key":"~/d","dir":true`)
		c.ask("PUT ~/x?dir=true&ttl=3", "")
		c.ask("PUT ~/x/a?value=1", "")
		c.watch("GET ~/x/a?wait=true").next(`"action":"expire","node":{"key":"~/x","dir":true`)
	}},
	{19, "one history for all", func(c *contract) {
		c = c.ownServer()
		first := c.ask("PUT ~/a?value=1", "").Node.ModifiedIndex
		c.fill(999)
		c.watch("GET ~/a?wait=true&waitIndex=" + servertest.Itoa(first)).next(`"value":"1"`)
		c.ask("PUT ~/elsewhere?value=x", "")
		c.expect("GET ~/a?wait=true&waitIndex="+servertest.Itoa(first), "", "400", `"errorCode":401`)
	}},
	{20, "clients that go away", func(c *contract) {
		c = c.ownServer("--enable-pprof")
		before := c.server.Footprint()
		var all []*openWatch
		for range 200 {
			all = append(all, c.watch("GET ~/a?wait=true&recursive=true"))
		}
		c.expect("GET /v2/stats/store", "", "200", `"watchers":200`)
		for _, w := range all {
			w.open.response.conn.Close()
		}
		servertest.Await(
			c.t,
			"the watches to be freed",
			func() bool { return strings.Contains(c.ask("GET /v2/stats/store", "").body, `"watchers":0`) },
		)
		c.server.AwaitFootprint(c.t, before)
	}},
}

// neverErrorIn200 polls for an event that may be cleared from the history at the same time. The response must be the event, or the
// error with its own status: it must never be a 200 with an error as its event.
func neverErrorIn200(c *contract) {
	c = c.ownServer("--history-size", "1")
	ctx, cancel := context.WithCancel(c.t.Context())
	client := servertest.NewKeyClient(c.t, c.server.Client)
	var writer sync.WaitGroup
	defer writer.Wait()
	defer cancel()
	writer.Go(func() {
		for ctx.Err() == nil {
			client.Must(c.t, "PUT", "/elsewhere", servertest.Form("value", "x"))
		}
	})
	cleared := 0
	for range 300 {
		now := c.ask("GET ~/a", "").header("X-Etcd-Index")
		r := c.ask("GET /v2/keys/elsewhere?wait=true&waitIndex="+now, "")
		isError := r.ErrorCode != 0
		if isError != strings.HasPrefix(r.status, "400") {
			c.t.Fatalf("%s: %s", r.status, r.body)
		}
		if isError {
			cleared++
		}
	}
	c.t.Logf("the event was cleared for %d of 300 polls", cleared)
}

// fill writes a number of events to another key and returns the last index.
func (c *contract) fill(events int) uint64 {
	c.t.Helper()
	client := servertest.NewKeyClient(c.t, c.server.Client)
	var last uint64
	for range events {
		last = client.Must(c.t, "PUT", "/elsewhere", servertest.Form("value", "x")).Node.ModifiedIndex
	}
	return last
}

var contractOddWatches = []contractItem{
	{25, "hidden nodes in the history", func(c *contract) {
		hidden := c.ask("PUT ~/_h?value=1", "").Node.ModifiedIndex
		w := c.watch(
			"GET ~?wait=true&recursive=true&waitIndex=" + servertest.Itoa(hidden),
		) // a deliberate difference: hidden in the history, too
		w.silent()
		c.ask("PUT ~/a?value=2", "")
		w.next(`"key":"~/a"`)
		c.watch("GET ~/_h?wait=true&recursive=true&waitIndex=" + servertest.Itoa(hidden)).next(`"key":"~/_h"`)
	}},
	{26, "streams from the past", func(c *contract) {
		first := c.ask("PUT ~/a?value=1", "").Node.ModifiedIndex
		c.ask("PUT ~/a?value=2", "")
		w := c.watch("GET ~/a?wait=true&stream=true&waitIndex=" + servertest.Itoa(first))
		w.next(`"value":"1"`)
		w.next(`"value":"2"`) // a deliberate difference: more than one event
		c.ask("PUT ~/a?value=3", "")
		w.next(`"value":"3"`)
	}},
	{27, "deletion of a directory, live and in the history", func(c *contract) {
		c.ask("PUT ~/foo/a?value=1", "")
		c.ask("PUT ~/foobar?value=1", "")
		live := c.watch("GET ~/foo/a?wait=true")
		gone := c.ask("DELETE ~/foo?recursive=true", "").Node.ModifiedIndex
		live.next(`"action":"delete","node":{"key":"~/foo","dir":true`)
		from := "?wait=true&waitIndex=" + servertest.Itoa(gone)
		c.watch("GET ~/foo/never/was" + from).next(`"action":"delete","node":{"key":"~/foo","dir":true`)
		c.watch("GET ~/foobar" + from).silent() // a deliberate difference: whole names are compared
	}},
	{28, "effects of a refresh", func(c *contract) {
		first := c.ask("PUT ~/a?value=kept&ttl=1000", "").Node
		live := c.watch("GET ~/a?wait=true")
		updated := c.expect("PUT ~/a?refresh=true&ttl=1000&prevExist=true", "", "200", `"action":"update"`, `"value":"kept"`).Node
		set := c.expect("PUT ~/a?refresh=true&ttl=1000", "", "200", `"action":"set"`, `"value":"kept"`).Node
		if updated.ModifiedIndex <= first.ModifiedIndex || updated.CreatedIndex != first.CreatedIndex ||
			set.CreatedIndex != set.ModifiedIndex {
			c.t.Errorf("set %+v, refreshed %+v and %+v", first, updated, set)
		}
		live.silent()
		past := c.watch("GET ~/a?wait=true&waitIndex=" + servertest.Itoa(updated.ModifiedIndex))
		past.silent()
		c.ask("PUT ~/a?value=new", "")
		live.next(`"value":"new"`)
		past.next(`"value":"new"`)
	}},
	{29, "exactly 1000 events", func(c *contract) {
		c = c.ownServer()
		now := c.fill(1500)
		c.watch("GET /v2/keys/elsewhere?wait=true&waitIndex=" + servertest.Itoa(now-999)).
			next(`"modifiedIndex":` + servertest.Itoa(now-999))
		c.expect(
			"GET /v2/keys/elsewhere?wait=true&waitIndex="+servertest.Itoa(now-1000),
			"",
			"400",
			`"errorCode":401`,
			`"cause":"the requested history has been cleared [`+servertest.Itoa(now-999)+`/`+servertest.Itoa(now-1000)+`]"`,
		)
	}},
	{30, "HEAD with wait", func(c *contract) {
		if r := c.expect("HEAD ~/a?wait=true", "", "400"); r.body != "" || r.header("Content-Length") == "" {
			c.t.Errorf("%q %v", r.body, r.headers)
		}
		c.expect("PUT ~/a?wait=true", "", "400", `"errorCode":209`, `\"wait\" can only be used with GET requests`)
	}},
}
