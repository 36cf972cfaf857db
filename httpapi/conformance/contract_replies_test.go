package conformance

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"pando/members/servertest"
)

// Items 1 to 8: replies.
var contractReplies = []contractItem{
	{1, "headers of keys", func(c *contract) {
		clusterID := regexp.MustCompile(`^[0-9a-f]{1,16}$`)
		for _, line := range []string{"PUT ~/a?value=x", "GET ~/a", "GET ~/none", "PUT ~/a?ttl=x", "DELETE ~?dir=true"} {
			r := c.ask(line, "")
			if !clusterID.MatchString(r.header("X-Etcd-Cluster-Id")) || r.header("X-Etcd-Index") == "" {
				c.t.Errorf("%s: headers %v", line, r.headers)
			}
			success := strings.HasPrefix(r.status, "20")
			if got := r.header("X-Raft-Index") != "" && r.header("X-Raft-Term") != ""; got != success {
				c.t.Errorf("%s: %s, has raft headers: %v", line, r.status, got)
			}
		}
		var last int64
		for range 5 {
			term := servertest.Atoi(c.t, c.ask("GET ~/a", "").header("X-Raft-Term"))
			if term < last || term == 0 {
				c.t.Errorf("X-Raft-Term went from %d to %d", last, term)
			}
			last = term
		}
	}},
	{2, "actions", func(c *contract) {
		c.expect("PUT ~/a?value=x", "", "201 Created", `{"action":"set",`)
		c.expect("GET ~/a", "", "200 OK", `{"action":"get",`)
		c.expect("PUT ~/a?value=x&prevExist=true", "", "200", `{"action":"update",`)
		c.expect("PUT ~/b?value=x&prevExist=false", "", "201", `{"action":"create",`)
		c.expect("POST ~/q?value=x", "", "201", `{"action":"create",`)
		c.expect("PUT ~/a?value=y&prevValue=x", "", "200", `{"action":"compareAndSwap",`)
		c.expect("DELETE ~/a?prevValue=y", "", "200", `{"action":"compareAndDelete",`)
		c.expect("DELETE ~/b", "", "200", `{"action":"delete",`)
		w := c.watch("GET ~/e?wait=true")
		c.ask("PUT ~/e?ttl=0", "")
		w.next(`{"action":"set",`)
		after := servertest.Itoa(c.ask("GET ~/q", "").Node.CreatedIndex)
		w = c.watch("GET ~/e?wait=true&stream=true&waitIndex=" + after)
		w.next(`{"action":"set",`)
		w.next(`{"action":"expire",`)
	}},
	{3, "statuses", func(c *contract) {
		c.ask("PUT ~/d/a?value=x", "")
		for line, status := range map[string]string{
			"GET ~/d": "200 OK", "PUT ~/new?value=x": "201 Created", "PUT ~/d/a?ttl=x": "400 Bad Request", "DELETE ~/d": "403 Forbidden",
			"GET ~/none": "404 Not Found",
			"PATCH ~/d":  "405 Method Not Allowed", "PUT ~/d/a?prevValue=y": "412 Precondition Failed",
			"POST /v2/members": "415 Unsupported Media Type",
		} {
			c.expect(line, "", status)
		}
		taken := plainRequest("POST", "/v2/members")
		taken.headers = []string{"Content-Type: application/json"}
		taken.body, taken.hasBody = `{"peerURLs":["`+c.peerURL()+`"]}`, true
		c.check("a peer URL that is taken", c.send(taken), "409 Conflict", `{"message":`)
	}},
	{4, "errors", func(c *contract) {
		r := c.expect("GET ~/none/deeper", "", "404", `{"errorCode":100,"message":"Key not found","cause":"~","index":`)
		if servertest.Itoa(r.Index) != r.header("X-Etcd-Index") || r.Index == 0 {
			c.t.Errorf("index %d in the body, %s in the header", r.Index, r.header("X-Etcd-Index"))
		}
		c.expect(
			"GET ~?wait=true&waitIndex=x",
			"",
			"400",
			`{"errorCode":203,"message":"The given index in POST form is not a number","cause":"invalid value for \"waitIndex\"","index":0}`,
		)
	}},
	{5, "bodies", func(c *contract) {
		for line, newline := range map[string]bool{"PUT ~/a?value=x": true, "GET ~/a": true, "GET ~/none": true, "GET /v2/stats/self": false,
			"GET /v2/members": true, "GET /version": false} {
			r := c.ask(line, "")
			if r.header("Content-Type") != "application/json" {
				c.t.Errorf("%s: Content-Type %q", line, r.header("Content-Type"))
			}
			if text, ends := strings.CutSuffix(r.body, "\n"); ends != newline || strings.ContainsAny(text, "\n\t") ||
				strings.Contains(text, `": `) ||
				!json.Valid([]byte(text)) {
				c.t.Errorf("%s: body %q", line, r.body)
			}
		}
	}},
	{6, "created", func(c *contract) {
		created := func(line, status string, fresh bool, parts ...string) {
			c.t.Helper()
			if n := c.expect(line, "", status, parts...).Node; (n.CreatedIndex == n.ModifiedIndex) != fresh {
				c.t.Errorf("%s: created at %d, modified at %d", line, n.CreatedIndex, n.ModifiedIndex)
			}
		}
		created("PUT ~/a?value=1", "201", true, "!prevNode")
		created("PUT ~/a?value=2", "200", true, `"prevNode":{"key":"~/a","value":"1"`)
		created("PUT ~/a?value=3&prevExist=true", "200", false, `"prevNode":{"key":"~/a","value":"2"`)
		created("GET ~/a", "200", false, "!prevNode")
	}},
	{7, "health and version", func(c *contract) {
		if r := c.expect("GET /health", "", "200"); r.body != `{"health":"true"}` {
			c.t.Errorf("/health: %q", r.body)
		}
		c.expect("GET /version", "", "200", `"etcdserver":"3.4.`, `"etcdcluster":"3.4.`, "!0.4")
	}},
	{8, "machines and members", func(c *contract) {
		if r := c.expect("GET /v2/machines", "", "200"); r.body != "http://127.0.0.1:2379" ||
			r.header("Content-Type") != "text/plain; charset=utf-8" {
			c.t.Errorf("/v2/machines: %q %v", r.body, r.headers)
		}
		r := c.expect(
			"GET /v2/members",
			"",
			"200",
			`{"members":[{"id":"`,
			`","name":"default","peerURLs":["http://`,
			`],"clientURLs":["http://127.0.0.1:2379"]}]}`,
		)
		if r.header("X-Etcd-Cluster-Id") == "" {
			c.t.Error("/v2/members has no X-Etcd-Cluster-Id")
		}
		peer := &contract{t: c.t, server: &servertest.Process{T: c.t, Client: c.server.Peer}}
		peer.expect("GET /members", "", "200", `[{"id":`, `"peerURLs":["http`, `"name":"default"`)
		peer.expect("GET /version", "", "200", `"etcdserver":"`)
	}},
}

// peerURL returns the peer URL that the member advertises.
func (c *contract) peerURL() string {
	var list struct {
		Members []struct{ PeerURLs []string }
	}
	body := c.ask("GET /v2/members", "").body
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Members) != 1 {
		c.t.Fatalf("/v2/members: %s (error: %v)", body, err)
	}
	return list.Members[0].PeerURLs[0]
}

// TestContractCluster checks the parts of items 1 and 8 that need several members.
func TestContractCluster(t *testing.T) {
	members := servertest.LaunchCluster(t, servertest.NewMembers(t, "m0", "m1", "m2"))
	leads, follows := 0, 0
	for _, p := range members {
		c := &contract{t: t, server: p, root: "/cluster"}
		c.ask("PUT ~/a?value=x", "")
		if urls := strings.Split(c.ask("GET /v2/machines", "").body, ", "); len(urls) != len(members) {
			t.Errorf("/v2/machines: %q", urls)
		}
		r := c.ask("GET /v2/stats/leader", "")
		switch r.status {
		case "200 OK":
			leads++
			c.check("the leader", r, "200", `{"leader":"`, `"followers":{"`)
		default:
			follows++
			c.check("a follower", r, "403 Forbidden")
			if r.body != `{"message":"not current leader"}` {
				t.Errorf("a follower: %q", r.body)
			}
		}
	}
	if leads != 1 || follows != 2 {
		t.Errorf("%d leaders, %d followers", leads, follows)
	}
}
