package conformance

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// The contract is the list of what v2 clients lean on, numbered from 1 to 50. Each item is a subtest that asks a
// server for it directly; the transcripts and the differential test hold the same promises in more breadth.

// contractItem is one promise.
type contractItem struct {
	number int
	title  string
	test   func(c *contract)
}

// contractLater are the items about authentication, which this server does not have.
var contractLater = []int{24, 48, 49, 50}

// TestContract keeps the promises one by one, all to the same server.
func TestContract(t *testing.T) {
	server := servertest.Launch(t, t.TempDir(), "--enable-pprof")
	var have []int
	for _, item := range slices.Concat(contractReplies, contractRequests, contractWatches, contractRecipes, contractOddWatches, contractKeys, contractMembers) {
		have = append(have, item.number)
		t.Run(fmt.Sprintf("%02d %s", item.number, item.title), func(t *testing.T) {
			t.Parallel()
			item.test(&contract{t: t, server: server, root: fmt.Sprintf("/i%02d", item.number)})
		})
	}
	have = append(have, contractLater...)
	slices.Sort(have)
	for i, number := range have {
		if number != i+1 {
			t.Fatalf("the items are not 1 to 50, each once: %d", have)
		}
	}
}

// contract asks a server on behalf of one item, which has a directory of its own.
type contract struct {
	t      *testing.T
	server *servertest.Process
	root   string
}

// reply is an answer to the contract's client, spelled as it came.
type reply struct {
	servertest.KeyAnswer
	status  string // "200 OK"
	headers []wireHeader
	body    string
}

// header is the value of a header that is spelled just so.
func (r *reply) header(name string) string {
	for _, h := range r.headers {
		if h.name == name {
			return h.value
		}
	}
	return ""
}

// request makes a request of "METHOD target", where ~ stands for the item's directory, and of a form if it is not empty.
func (c *contract) request(line, form string) *transcriptRequest {
	method, target, _ := strings.Cut(line, " ")
	if rest, ok := strings.CutPrefix(target, "~"); ok {
		target = "/v2/keys" + c.root + rest
	}
	r := plainRequest(method, target)
	if form != "" {
		r.body, r.hasBody = form, true
		r.headers = []string{"Content-Type: " + transcriptFormType}
	}
	return r
}

// ask sends a request on a connection of its own.
func (c *contract) ask(line, form string) *reply {
	c.t.Helper()
	return c.send(c.request(line, form))
}

func (c *contract) send(request *transcriptRequest) *reply {
	c.t.Helper()
	response, err := sendWire(c.server.Addr(), request)
	if err != nil {
		c.t.Fatalf("%s %s: %v", request.method, request.target, err)
	}
	defer response.conn.Close()
	body, err := response.readAll()
	if err != nil {
		c.t.Fatalf("%s %s: %v", request.method, request.target, err)
	}
	_, status, _ := strings.Cut(response.status, " ")
	r := &reply{status: status, headers: response.headers, body: body}
	_ = json.Unmarshal([]byte(body), &r.KeyAnswer) // not all bodies are of keys
	if r.Node == nil {
		r.Node = &servertest.KeyNode{}
	}
	return r
}

// alone gives the item a server of its own, for what the writes of others would disturb.
func (c *contract) alone(flags ...string) *contract {
	c.t.Helper()
	return &contract{t: c.t, server: servertest.Launch(c.t, c.t.TempDir(), flags...), root: c.root}
}

// expect asks and compares: the status begins with these digits, and each part is in the body, or is not if it begins
// with an exclamation mark. In the parts, too, ~ is the item's directory.
func (c *contract) expect(line, form, status string, parts ...string) *reply {
	c.t.Helper()
	r := c.ask(line, form)
	c.check(line, r, status, parts...)
	return r
}

func (c *contract) check(what string, r *reply, status string, parts ...string) {
	c.t.Helper()
	if !strings.HasPrefix(r.status, status) {
		c.t.Errorf("%s: status %s, want %s: %s", what, r.status, status, r.body)
	}
	for _, part := range parts {
		part, absent := strings.CutPrefix(strings.ReplaceAll(part, "~", c.root), "!")
		if strings.Contains(r.body, part) == absent {
			c.t.Errorf("%s: %q in the body: want %v: %s", what, part, !absent, r.body)
		}
	}
}

// waiting is a watch under way.
type waiting struct {
	*reply
	c    *contract
	open *transcriptOpen
}

// watch begins to wait and returns when the head of the answer is there.
func (c *contract) watch(line string) *waiting {
	c.t.Helper()
	request := c.request(line, "")
	response, err := sendWire(c.server.Addr(), request)
	if err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
	c.t.Cleanup(func() { response.conn.Close() })
	if err := response.conn.SetDeadline(time.Time{}); err != nil {
		c.t.Fatal(err)
	}
	_, status, _ := strings.Cut(response.status, " ")
	return &waiting{reply: &reply{status: status, headers: response.headers}, c: c, open: followBody(request, response)}
}

// next takes one event off the watch.
func (w *waiting) next(parts ...string) *reply {
	w.c.t.Helper()
	text, err := w.open.take(1, transcriptPatience)
	r := &reply{status: w.status, headers: w.headers, body: text}
	if json.Unmarshal([]byte(text), &r.KeyAnswer) != nil {
		w.c.t.Fatalf("no event, but %q (error: %v)", text, err)
	}
	w.c.check("the event", r, "200", parts...)
	return r
}

// silent makes sure that no event comes.
func (w *waiting) silent() {
	w.c.t.Helper()
	if err := w.open.mustBePending(); err != nil {
		w.c.t.Error(err)
	}
}

// dial opens a connection to the server, closed at the end of the test.
func (c *contract) dial() net.Conn {
	c.t.Helper()
	conn, err := net.DialTimeout("tcp", c.server.Addr(), transcriptPatience)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(servertest.Timeout)); err != nil {
		c.t.Fatal(err)
	}
	return conn
}
