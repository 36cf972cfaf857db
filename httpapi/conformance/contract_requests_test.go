package conformance

import (
	"net/url"
	"strings"

	"pando/members/servertest"
)

// Items 9 to 13: requests. Items 21 to 23: locks, queues and other things that clients build from them.
var contractRequests = []contractItem{
	{9, "query and form", func(c *contract) {
		c.expect("PUT ~/a", "value=1&ttl=1000", "201", `"value":"1"`, `"ttl":1000`)
		c.expect("PUT ~/a?prevValue=1", "value=2", "200", `"action":"compareAndSwap"`, `"value":"2"`)
		c.expect("PUT ~/a?value=3&timeout=5s&consistent=true&unheard=of", "", "200", `"value":"3"`)
		r := c.request("PUT ~/b", "value=4")
		r.headers = []string{"Content-Type: application/x-www-form-urlencoded; param=value"}
		c.check("a type with a parameter", c.send(r), "201", `"value":"4"`)
	}},
	{10, "unset parameters", func(c *contract) {
		c.expect("PUT ~/a?value=1&prevIndex=0", "", "201", `"action":"set"`)
		c.expect("PUT ~/a?value=1&prevValue=", "", "400", `"errorCode":201`)
		c.expect("PUT ~/a?value=1&ttl=", "", "200", "!ttl")
		c.expect("PUT ~/a", "", "200", `"node":{"key":"~/a","value":"",`)
		w := c.watch("GET ~/a?wait=true&waitIndex=0")
		w.silent()
		c.expect("DELETE ~/a", "prevValue=other&recursive=x", "200", `"action":"delete"`)
		w.next(`"action":"delete"`)
	}},
	{11, "refresh", func(c *contract) {
		c.ask("PUT ~/a?value=kept&ttl=1000", "")
		w := c.watch("GET ~/a?wait=true")
		c.expect("PUT ~/a?refresh=true&ttl=2000&prevExist=true", "", "200", `"action":"update"`, `"value":"kept"`, `"ttl":2000`)
		c.expect("PUT ~/a?refresh=true&ttl=2000&prevExist=true&value=x", "", "400", `"errorCode":211`)
		c.expect("PUT ~/a?refresh=true&prevExist=true", "", "400", `"errorCode":212`)
		w.silent()
		// A create wakes watchers even if it asks for a refresh.
		w = c.watch("GET ~/new?wait=true&recursive=true&stream=true")
		c.expect("POST ~/new?refresh=true&ttl=1000", "", "201", `"action":"create"`)
		w.next(`"action":"create"`)
		c.expect("PUT ~/new/a?refresh=true&ttl=1000&prevExist=false", "", "201", `"action":"create"`)
		w.next(`"action":"create"`)
	}},
	{12, "wait with quorum", func(c *contract) {
		c.ask("PUT ~/a?value=1", "")
		c.expect("GET ~/a?wait=true&quorum=true", "", "200", `{"action":"get"`)
	}},
	{13, "bytes", func(c *contract) {
		for _, text := range []string{"", " ", "a b+c", "é日本\U0001F333", "%", "<&>\"'\\", "\x00\x01\n\r\t\x7f", "\u2028", strings.Repeat("x",
			1<<20)} {
			c.ask("PUT ~/a", "value="+url.QueryEscape(text))
			if got := c.ask("GET ~/a", "").Node.Value; got != text {
				c.t.Errorf("value %.60q came back as %.60q", text, got)
			}
		}
		for _, name := range []string{"a b", "a+b", "é日本", "50%", "<&>\"'", "a?b#c", "~"} {
			c.ask("PUT ~/"+url.PathEscape(name)+"?value=1", "")
			if got := c.ask("GET ~/"+url.PathEscape(name), "").Node; got.Key != c.root+"/"+name {
				c.t.Errorf("key %q came back as %+v", name, got)
			}
		}
	}},
}

var contractRecipes = []contractItem{
	{21, "in-order keys", func(c *contract) {
		var last string
		for range 12 {
			key := c.expect("POST ~/q?value=job", "", "201").Node.Key
			if name := strings.TrimPrefix(key, c.root+"/q/"); len(name) != 20 || key <= last {
				c.t.Errorf("%q follows %q", key, last)
			}
			last = key
		}
		for _, name := range []string{"b/z", "b/a", "a/z", "a/a"} {
			c.ask("PUT ~/s/"+name+"?value=1", "")
		}
		sorted := c.ask("GET ~/s?recursive=true&sorted=true", "").Node
		var keys []string
		for _, dir := range sorted.Nodes {
			for _, n := range dir.Nodes {
				keys = append(keys, strings.TrimPrefix(n.Key, c.root+"/s/"))
			}
		}
		if strings.Join(keys, " ") != "a/a a/z b/a b/z" {
			c.t.Errorf("sorted: %q", keys)
		}
	}},
	{22, "locks", func(c *contract) {
		held := c.expect("PUT ~/lock?value=me&prevExist=false&ttl=1000", "", "201", `"action":"create"`)
		c.expect(
			"PUT ~/lock?value=you&prevExist=false&ttl=1000",
			"",
			"412",
			`"errorCode":105,"message":"Key already exists","cause":"~/lock"`,
		)
		kept := c.expect("PUT ~/lock?value=me&prevValue=me&ttl=1000", "", "200", `"action":"compareAndSwap"`)
		was, is := servertest.Itoa(held.Node.ModifiedIndex), servertest.Itoa(kept.Node.ModifiedIndex)
		c.expect("DELETE ~/lock?prevValue=you", "", "412", `"errorCode":101,"message":"Compare failed","cause":"[you != me]"`)
		c.expect("DELETE ~/lock?prevIndex="+was, "", "412", `"cause":"[`+was+` != `+is+`]"`)
		c.expect("DELETE ~/lock?prevValue=you&prevIndex="+was, "", "412", `"cause":"[you != me] [`+was+` != `+is+`]"`)
		c.expect("DELETE ~/lock?prevValue=me&prevIndex="+was, "", "412", `"cause":"[`+was+` != `+is+`]"`)
		c.expect("DELETE ~/lock?prevValue=me&prevIndex="+is, "", "200", `"action":"compareAndDelete"`)
	}},
	{23, "directories with a TTL", func(c *contract) {
		c.expect("PUT ~/d?dir=true&ttl=3", "", "201", `"dir":true`)
		w := c.watch("GET ~/d/a?wait=true&stream=true")
		c.ask("PUT ~/d/a?value=x&ttl=1000", "")
		w.next(`"action":"set"`)
		w.next(`"action":"expire","node":{"key":"~/d","dir":true`)
		c.expect("GET ~/d/a", "", "404")
	}},
}
