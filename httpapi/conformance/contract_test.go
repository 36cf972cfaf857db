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

// The contract is the numbered list, from 1 to 50, of the behaviour that v2 clients depend on. Each item is a subtest that
// checks it directly. The transcripts and the differential test check the same behaviour with more requests.

// contractItem is one item of the contract.
type contractItem struct {
	number int
	title  string
	test   func(c *contract)
}

// contractLater are the items about authentication, which this server does not have yet.
var contractLater = []int{24, 48, 49, 50}

// TestContract checks the items one by one, most of them on one server.
func TestContract(t *testing.T) {
	server := servertest.Launch(t, t.TempDir(), "--enable-pprof")
	var have []int
	for _, item := range slices.Concat(contractReplies, contractRequests, contractWatches, contractRecipes, contractOddWatches,
		contractKeys, contractMembers) {
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

// contract sends the requests of one item to a server. Each item uses a directory of its own.
type contract struct {
	t      *testing.T
	server *servertest.Process
	root   string
}

// reply is a response with its headers exactly as they were sent.
type reply struct {
	servertest.KeyAnswer
	status  string // "200 OK"
	headers []wireHeader
	body    string
}

// header returns the value of a header. It compares the name with upper and lower case.
func (r *reply) header(name string) string {
	for _, h := range r.headers {
		if h.name == name {
			return h.value
		}
	}
	return ""
}

// request returns the request for a line "METHOD target", in which ~ stands for the item's directory. The form is its body
// unless it is empty.
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

// ask sends a request on a new connection.
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
	_ = json.Unmarshal([]byte(body), &r.KeyAnswer) // not all bodies are those of keys
	if r.Node == nil {
		r.Node = &servertest.KeyNode{}
	}
	return r
}

// ownServer starts a server for this item alone, if the writes of other items would disturb it.
func (c *contract) ownServer(flags ...string) *contract {
	c.t.Helper()
	return &contract{t: c.t, server: servertest.Launch(c.t, c.t.TempDir(), flags...), root: c.root}
}

// expect sends a request and checks its response: the status must begin with the given text, and the body must contain each
// part. A part that begins with an exclamation mark must be absent. In parts, too, ~ stands for the item's directory.
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

// openWatch is a watch whose headers were received.
type openWatch struct {
	*reply
	c    *contract
	open *transcriptOpen
}

// watch begins a watch and returns after the headers of its response.
func (c *contract) watch(line string) *openWatch {
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
	return &openWatch{reply: &reply{status: status, headers: response.headers}, c: c, open: readBody(request, response)}
}

// next waits for the next event of the watch and returns it.
func (w *openWatch) next(parts ...string) *reply {
	w.c.t.Helper()
	text, err := w.open.take(1, transcriptTimeout)
	r := &reply{status: w.status, headers: w.headers, body: text}
	if json.Unmarshal([]byte(text), &r.KeyAnswer) != nil {
		w.c.t.Fatalf("got %q instead of an event (error: %v)", text, err)
	}
	w.c.check("the event", r, "200", parts...)
	return r
}

// silent checks that no event arrives for a short while.
func (w *openWatch) silent() {
	w.c.t.Helper()
	if err := w.open.mustBePending(); err != nil {
		w.c.t.Error(err)
	}
}

// dial opens a connection to the server. It is closed at the end of the test.
func (c *contract) dial() net.Conn {
	c.t.Helper()
	conn, err := net.DialTimeout("tcp", c.server.Addr(), transcriptTimeout)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(servertest.Timeout)); err != nil {
		c.t.Fatal(err)
	}
	return conn
}
