package conformance

import (
	"strings"

	"pando/members/servertest"
)

// Items 31 to 46: keys.
var contractKeys = []contractItem{
	{31, "causes of errors for missing keys", func(c *contract) {
		c.ask("PUT ~/file?value=1", "")
		c.expect("GET ~/no/such/key", "", "404", `"errorCode":100`, `"cause":"~/no"`)
		for _, line := range []string{"GET ~/file/a", "DELETE ~/file/a/b", "PUT ~/file/a?value=1", "POST ~/file?value=1"} {
			c.expect(line, "", "400", `"errorCode":104,"message":"Not a directory","cause":"~/file"`)
		}
	}},
	{32, "updated directories", func(c *contract) {
		made := c.expect("PUT ~/d?dir=true", "", "201").Node
		updated := c.expect("PUT ~/d?dir=true&prevExist=true&ttl=1000", "", "200", `"action":"update"`, `"ttl":1000`)
		if updated.Node.ModifiedIndex <= made.ModifiedIndex ||
			servertest.Itoa(updated.Node.ModifiedIndex) != updated.header("X-Etcd-Index") {
			c.t.Errorf("updated at %d, index %s", updated.Node.ModifiedIndex, updated.header("X-Etcd-Index"))
		}
		if stored := c.ask("GET ~/d", "").Node; stored.ModifiedIndex != made.ModifiedIndex {
			c.t.Errorf("stored with %d, made with %d", stored.ModifiedIndex, made.ModifiedIndex)
		}
	}},
	{33, "directories over files and directories", func(c *contract) {
		c.ask("PUT ~/a?value=1", "")
		c.expect("PUT ~/a?dir=true", "", "200", `"node":{"key":"~/a","dir":true`, `"prevNode":{"key":"~/a","value":"1"`)
		c.expect("PUT ~/a?dir=true", "", "403", `"errorCode":102,"message":"Not a file","cause":"~/a"`)
		c.expect("PUT ~/a?value=1&prevIndex=1", "", "403", `"errorCode":102`)
		c.expect("DELETE ~/a?dir=true&prevValue=x", "", "403", `"errorCode":102`)
	}},
	{34, "POST and conditions", func(c *contract) {
		c.expect("POST ~/q?value=1&prevExist=true&prevValue=x&prevIndex=1", "", "201", `"action":"create"`)
		c.expect("POST ~/q?value=1&prevExist=false", "", "201", `"action":"create"`)
	}},
	{35, "a plain set", func(c *contract) {
		first := c.ask("PUT ~/a?value=1&ttl=1000", "").Node
		again := c.expect("PUT ~/a?value=2", "", "200", `"prevNode":{"key":"~/a","value":"1","expiration":"`).Node
		if again.CreatedIndex <= first.CreatedIndex || again.TTL != 0 || again.Expiration != "" {
			c.t.Errorf("%+v after %+v", again, first)
		}
	}},
	{36, "several conditions", func(c *contract) {
		c.ask("PUT ~/a?value=1", "")
		c.expect("PUT ~/a?value=2&prevExist=false&prevValue=1", "", "412", `"errorCode":105`)
		c.expect("PUT ~/a?value=2&prevExist=true&prevValue=1", "", "200", `"action":"compareAndSwap"`)
		c.expect("DELETE ~/a?prevExist=false", "", "200", `"action":"delete"`)
	}},
	{37, "noValueOnSuccess", func(c *contract) {
		if r := c.expect("PUT ~/a?value=1&noValueOnSuccess=true", "", "201"); r.body != `{"action":"set"}`+"\n" {
			c.t.Errorf("body %q", r.body)
		}
		c.expect("DELETE ~/a?noValueOnSuccess=true", "", "200", `"node":{"key":"~/a"`)
	}},
	{38, "zero and huge TTLs", func(c *contract) {
		c.expect("PUT ~/a?value=1&ttl=0", "", "201")
		servertest.Await(c.t, "ttl=0 to end", func() bool { return strings.HasPrefix(c.ask("GET ~/a", "").status, "404") })
		c.expect("PUT ~/b?value=1&ttl=4000000000", "", "201", `"ttl":4000000000`)
		for _, ttl := range []string{"9300000000", "9223372036854775807", "18446744073709551615"} {
			c.expect("PUT ~/c?value=1&ttl="+ttl, "", "400", `"errorCode":202`) // a deliberate difference
		}
	}},
	{39, "refresh with a value, without a ttl", func(c *contract) {
		c.expect(
			"PUT ~/a?refresh=true&value=1",
			"",
			"400",
			`{"errorCode":211,"message":"Value provided on refresh","cause":"A value was provided on a refresh","index":0}`,
		)
		c.expect(
			"PUT ~/a?refresh=true",
			"",
			"400",
			`{"errorCode":212,"message":"A TTL must be provided on refresh","cause":"No TTL value set","index":0}`,
		)
	}},
	{40, "flags", func(c *contract) {
		for _, flag := range []string{"dir=", "dir", "dir=tRUE", "dir=yes", "dir=2"} {
			c.expect("PUT ~/bad?"+flag, "", "400", `"errorCode":209,"message":"Invalid field","cause":"invalid value for \"dir\""`)
		}
		for _, flag := range []string{"T", "t", "1", "true", "True", "TRUE"} {
			c.expect("PUT ~/"+flag+"?dir="+flag, "", "201", `"dir":true`)
		}
		for _, flag := range []string{"F", "f", "0", "false", "False", "FALSE"} {
			c.expect("PUT ~/"+flag+"?dir="+flag, "", "201", "!dir")
		}
	}},
	{41, "errors of forms", func(c *contract) {
		r := c.expect("PUT ~/a?ttl=x", "", "400", `"index":0`)
		if r.header("X-Etcd-Index") != "0" || r.header("X-Raft-Index") != "" || r.header("X-Raft-Term") != "" {
			c.t.Errorf("headers %v", r.headers)
		}
	}},
	{42, "where parameters are read", func(c *contract) {
		untyped := c.request("PUT ~/a", "value=1")
		untyped.headers = nil
		c.check("a body without a type", c.send(untyped), "201", `"value":""`)
		c.expect("PUT ~/a?value=query", "value=body", "200", `"value":"body"`)
		c.expect("PUT ~/a?value=first&value=second", "", "200", `"value":"first"`)
		c.expect("GET ~/a", "wait=true&recursive=x", "200", `"action":"get"`)
		c.expect("GET ~/a?sorted=true;recursive=true", "", "400", `"errorCode":210,"message":"Invalid POST form"`)
		c.expect("DELETE ~/a", "prevValue=x", "200", `"action":"delete"`)
	}},
	{43, "paths", func(c *contract) {
		c.ask("PUT ~/a/b?value=1", "")
		for path, clean := range map[string]string{"//a/b": "/a/b", "/./a/b": "/a/b", "/x/../a/b": "/a/b", "/%2e/a/b": "/a/b",
			"/a%2F%2Fb": "/a/b", "/a//": "/a/"} {
			for _, method := range []string{"GET", "PUT", "POST", "DELETE", "HEAD"} {
				r := c.expect(method+" ~"+path+"?x=1", "", "301 Moved Permanently")
				if want := "/v2/keys" + c.root + clean + "?x=1"; r.header("Location") != want {
					c.t.Errorf("%s %s: to %q, want %q", method, path, r.header("Location"), want)
				}
			}
		}
		c.expect("GET ~/a%2Fb", "", "200", `"key":"~/a/b"`)
		c.expect("GET ~/a/b/", "", "200", `"key":"~/a/b"`)
	}},
	{44, "CORS, OPTIONS and HEAD", func(c *contract) {
		for _, line := range []string{"GET ~/none", "PUT ~/a?value=1", "GET /version", "GET /nothing", "OPTIONS ~/a", "OPTIONS /nothing",
			"PATCH ~/a"} {
			r := c.ask(line, "")
			for _, want := range transcriptCORS {
				if r.header(want.name) != want.value {
					c.t.Errorf("%s: %s is %q", line, want.name, r.header(want.name))
				}
			}
			if strings.HasPrefix(line, "OPTIONS") && (r.status != "200 OK" || r.body != "") {
				c.t.Errorf("%s: %s %q", line, r.status, r.body)
			}
		}
		for _, path := range []string{"/version", "/health", "/v2/stats/self", "/v2/stats/store", "/v2/stats/leader", "/v2/members"} {
			c.expect("HEAD "+path, "", "405")
		}
	}},
	{45, "the index grows by one a change", func(c *contract) {
		c = c.ownServer()
		index := func(line string) int64 { return servertest.Atoi(c.t, c.ask(line, "").header("X-Etcd-Index")) }
		last := index("GET /v2/keys/")
		if last == 0 {
			c.t.Error("a new server has the index 0, which means no index")
		}
		for _, line := range []string{"PUT ~/a/b/c?value=1", "PUT ~/a/b/c?value=2", "PUT ~/d?dir=true", "POST ~/d?value=1",
			"DELETE ~/a?recursive=true"} {
			if now := index(line); now != last+1 {
				c.t.Errorf("%s: index %d after %d", line, now, last)
			}
			last++
		}
		c.ask("PUT ~/d?dir=true", "") // fails
		c.ask("DELETE ~/a", "")       // fails
		if now := index("GET ~/d"); now != last {
			c.t.Errorf("index %d after requests that changed nothing, want %d", now, last)
		}
	}},
	{46, "counters", contractCounters},
}

// contractCounters checks that each request is counted once, under the operation that it asked for, and that the counts survive
// a restart.
func contractCounters(c *contract) {
	dir := c.t.TempDir()
	c = &contract{t: c.t, server: servertest.Launch(c.t, dir), root: c.root}
	for _, line := range []string{
		"PUT ~/a?value=1", "PUT ~/a?value=2", "PUT ~/a/b?value=1", // sets, the last fails
		"PUT ~/b?value=1&prevExist=false", "PUT ~/b?value=1&prevExist=false", "POST ~/q?value=1", // creates, one fails
		"PUT ~/a?value=3&prevExist=true", "PUT ~/none?value=3&prevExist=true", // updates
		"PUT ~/a?value=4&prevValue=3", "PUT ~/a?value=5&prevValue=3", // swaps
		"DELETE ~/a?prevValue=3", "DELETE ~/a?prevValue=4", // compareAndDeletes
		"DELETE ~/b", "DELETE ~/b", "DELETE ~/q?recursive=true",
		"GET ~/q", "GET /v2/keys/",
	} {
		c.ask(line, "")
	}
	written := []string{
		`"setsSuccess":2`, `"setsFail":1`, `"createSuccess":2`, `"createFail":1`, `"updateSuccess":1`, `"updateFail":1`,
		`"compareAndSwapSuccess":1`, `"compareAndSwapFail":1`,
		`"compareAndDeleteSuccess":1`, `"compareAndDeleteFail":1`, `"deleteSuccess":2`, `"deleteFail":1`, `"expireCount":0`,
	}
	c.expect("GET /v2/stats/store", "", "200", append([]string{`{"getsSuccess":1`, `"getsFail":1`}, written...)...)
	c.server.Terminate()
	c.server = servertest.Launch(c.t, dir)
	c.expect("GET /v2/stats/store", "", "200", written...)
}

// Item 47: members.
var contractMembers = []contractItem{
	{47, "changes of members", func(c *contract) {
		send := func(line, kind, body, status, text string) {
			c.t.Helper()
			r := c.request(line, body)
			r.headers = []string{"Content-Type: " + kind}
			c.check(line+" "+kind, c.send(r), status, text)
		}
		send("POST /v2/members", "application/json; charset=utf-8", `{"peerURLs":["x"]}`, "400", `{"message":"`)
		for _, kind := range []string{"Application/JSON", "text/json", "application/jsonx", transcriptFormType} {
			send(
				"POST /v2/members",
				kind,
				`{"peerURLs":["http://127.0.0.1:1"]}`,
				"415",
				`{"message":"Bad Content-Type `+kind+`, accept application/json"}`,
			)
		}
		send(
			"PUT /v2/members/00FFFF",
			"application/json",
			`{"peerURLs":["http://127.0.0.1:1"]}`,
			"404",
			`{"message":"No such member: ffff"}`,
		)
		c.expect("DELETE /v2/members/00FFFF", "", "404", `{"message":"No such member: ffff"}`)
	}},
}
