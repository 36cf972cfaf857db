package conformance

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"pando/members/servertest"
)

// TestContractWire checks HTTP itself, byte by byte where clients depend on bytes. Requests that no HTTP library would send are
// in hostile_wire_test.go.
func TestContractWire(t *testing.T) {
	server := servertest.Launch(t, t.TempDir())
	for name, test := range map[string]func(*contract){
		"keep-alive":                      wireKeepAlive,
		"pipelining":                      wirePipelining,
		"HTTP/1.0":                        wireHTTP10,
		"expectation":                     wireExpectation,
		"expectation of an unread body":   wireUnreadBody,
		"chunked request":                 wireChunks,
		"HEAD":                            wireHead,
		"header spelling":                 wireSpelling,
		"length and chunks":               wireFraming,
		"watch keeps its connection":      wireWatchKeepAlive,
		"empty answer closes its own":     wireEmptyAnswer,
		"answer to a client that closes":  wireClose,
		"stream flushes event by event":   wireStream,
		"large answers come in one piece": wireLarge,
	} {
		t.Run(name, func(t *testing.T) {
			root := strings.NewReplacer(" ", "", "/", "").Replace(name)
			test(&contract{t: t, server: server, root: "/" + root})
		})
	}
}

// exchange sends a request on an open connection and reads the head of the response.
func (c *contract) exchange(conn io.ReadWriter, reader *bufio.Reader, request *transcriptRequest) *wireResponse {
	c.t.Helper()
	if _, err := io.WriteString(conn, request.wire("x")); err != nil {
		c.t.Fatal(err)
	}
	return c.receive(reader, request.method)
}

// receive reads the head of a response.
func (c *contract) receive(reader *bufio.Reader, method string) *wireResponse {
	c.t.Helper()
	w := &wireResponse{isHead: method == "HEAD", raw: reader}
	if err := w.readHead(); err != nil {
		c.t.Fatal(err)
	}
	if err := w.prepareBody(); err != nil {
		c.t.Fatal(err)
	}
	return w
}

// rest reads the body of a response.
func (c *contract) rest(w *wireResponse) string {
	c.t.Helper()
	body, err := w.readAll()
	if err != nil {
		c.t.Fatalf("after %q: %v", body, err)
	}
	return body
}

// mustEnd checks that the server closes the connection without another byte.
func (c *contract) mustEnd(reader *bufio.Reader) {
	c.t.Helper()
	if text, err := io.ReadAll(reader); err != nil || len(text) > 0 {
		c.t.Errorf("the connection is not closed: %q (error: %v)", text, err)
	}
}

func wireKeepAlive(c *contract) {
	conn := c.dial()
	reader := bufio.NewReader(conn)
	for _, line := range []string{"PUT ~/a?value=1", "GET ~/a", "GET ~/none", "PUT ~/a?ttl=x", "HEAD ~/a", "PATCH ~/a", "GET /nothing",
		"GET ~//a", "OPTIONS ~/a", "GET /v2/members",
		"GET /v2/keys/?recursive=true", "DELETE ~/a"} {
		w := c.exchange(conn, reader, c.request(line, ""))
		c.rest(w)
		if w.header("Connection") != "" {
			c.t.Errorf("%s: Connection: %s", line, w.header("Connection"))
		}
	}
}

func wirePipelining(c *contract) {
	conn := c.dial()
	reader := bufio.NewReader(conn)
	const n = 50
	var all strings.Builder
	for i := range n {
		all.WriteString(c.request("PUT ~/a?value="+servertest.Itoa(i), "").wire("x"))
	}
	go func() { _, _ = io.WriteString(conn, all.String()) }() // after an error responses are missing
	for i := range n {
		if body := c.rest(c.receive(reader, "PUT")); !strings.Contains(body, `"value":"`+servertest.Itoa(i)+`"`) {
			c.t.Fatalf("answer %d: %s", i, body)
		}
	}
}

func wireHTTP10(c *contract) {
	conn := c.dial()
	reader := bufio.NewReader(conn)
	r := c.request("PUT ~/a", "value=1")
	r.proto = "HTTP/1.0"
	w := c.exchange(conn, reader, r)
	if w.status != "HTTP/1.0 201 Created" || w.header("Content-Length") == "" || w.header("Transfer-Encoding") != "" {
		c.t.Errorf("%s %v", w.status, w.headers)
	}
	c.rest(w)
	c.mustEnd(reader)

	conn = c.dial()
	reader = bufio.NewReader(conn)
	watch := c.request("GET ~/a?wait=true", "")
	watch.proto = "HTTP/1.0"
	w = c.exchange(conn, reader, watch)
	if w.header("Transfer-Encoding") != "" || w.header("Content-Length") != "" {
		c.t.Errorf("watch: %v", w.headers)
	}
	c.ask("PUT ~/a?value=2", "")
	if body := c.rest(w); !strings.Contains(body, `"value":"2"`) || !strings.HasSuffix(body, "}\n") {
		c.t.Errorf("watch: %q", body)
	}
}

func wireExpectation(c *contract) {
	conn := c.dial()
	reader := bufio.NewReader(conn)
	r := c.request("PUT ~/a", "value=1")
	r.headers = append(r.headers, "Expect: 100-continue")
	head, body, _ := strings.Cut(r.wire("x"), "\r\n\r\n")
	if _, err := io.WriteString(conn, head+"\r\n\r\n"); err != nil {
		c.t.Fatal(err)
	}
	if line, err := reader.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		c.t.Fatalf("%q (error: %v)", line, err)
	}
	if line, err := reader.ReadString('\n'); line != "\r\n" {
		c.t.Fatalf("%q (error: %v)", line, err)
	}
	if _, err := io.WriteString(conn, body); err != nil {
		c.t.Fatal(err)
	}
	if w := c.receive(reader, "PUT"); w.status != "HTTP/1.1 201 Created" || w.header("Connection") != "" {
		c.t.Errorf("%s %v", w.status, w.headers)
	}
}

// wireUnreadBody checks that a client with Expect: 100-continue gets the response at once if the server does not read the body.
func wireUnreadBody(c *contract) {
	for _, line := range []string{"PUT ~/a?value=1", "DELETE ~/a"} {
		conn := c.dial()
		reader := bufio.NewReader(conn)
		r := c.request(line, "value=2")
		r.headers = []string{"Content-Type: text/plain", "Expect: 100-continue"}
		head, _, _ := strings.Cut(r.wire("x"), "\r\n\r\n")
		if _, err := io.WriteString(conn, head+"\r\n\r\n"); err != nil {
			c.t.Fatal(err)
		}
		w := c.receive(reader, r.method)
		if !strings.HasPrefix(w.status, "HTTP/1.1 20") || w.header("Connection") != "close" {
			c.t.Errorf("%s: %s %v", line, w.status, w.headers)
		}
		c.rest(w)
		conn.Close() // as the response asks for
	}
}

func wireChunks(c *contract) {
	conn := c.dial()
	reader := bufio.NewReader(conn)
	for _, value := range []string{"1", strings.Repeat("x", 100_000)} {
		r := c.request("PUT ~/a", "value="+value)
		r.headers = append(r.headers, "Transfer-Encoding: chunked")
		if body := c.rest(c.exchange(conn, reader, r)); !strings.Contains(body, `"node":{"key":"/chunkedrequest/a","value":"`+value+`"`) {
			c.t.Errorf("%.300s", body)
		}
	}
}

func wireHead(c *contract) {
	c.ask("PUT ~/a?value=1", "")
	whole := c.ask("GET ~/a", "")
	conn := c.dial()
	reader := bufio.NewReader(conn)
	w := c.exchange(conn, reader, c.request("HEAD ~/a", ""))
	if w.status != "HTTP/1.1 200 OK" || w.header("Content-Length") != servertest.Itoa(len(whole.body)) || w.header("X-Etcd-Index") == "" {
		c.t.Errorf("%s %v", w.status, w.headers)
	}
	if w := c.exchange(conn, reader, c.request("HEAD ~/none", "")); w.status != "HTTP/1.1 404 Not Found" { // there was no body before it
		c.t.Errorf("%s %v", w.status, w.headers)
	}
}

func wireSpelling(c *contract) {
	spelled := func(line string, names ...string) {
		c.t.Helper()
		r := c.ask(line, "")
		have := map[string]int{}
		for _, h := range r.headers {
			have[h.name]++
		}
		for _, name := range names {
			if have[name] != 1 {
				c.t.Errorf("%s: %s was sent %d times: %v", line, name, have[name], r.headers)
			}
			delete(have, name)
		}
		if len(have) > 0 {
			c.t.Errorf("%s: unexpected headers %v", line, have)
		}
	}
	all := []string{
		"Access-Control-Allow-Headers",
		"Access-Control-Allow-Methods",
		"Access-Control-Allow-Origin",
		"Content-Type",
		"X-Etcd-Cluster-Id",
		"Date",
		"Content-Length",
	}
	spelled("GET ~/none", append(all, "X-Etcd-Index")...)
	spelled("PUT ~/a?value=1", append(all, "X-Etcd-Index", "X-Raft-Index", "X-Raft-Term")...)
	spelled("GET /v2/members", all...)
}

func wireFraming(c *contract) {
	for _, line := range []string{"PUT ~/a?value=1", "GET ~/a", "GET ~/none", "GET /v2/members", "GET /v2/machines", "GET /version",
		"GET /health", "GET /v2/stats/self", "GET /nothing"} {
		if r := c.ask(line, ""); r.header("Content-Length") != servertest.Itoa(len(r.body)) || r.header("Transfer-Encoding") != "" {
			c.t.Errorf("%s: %d bytes, %v", line, len(r.body), r.headers)
		}
	}
	if w := c.watch("GET ~/a?wait=true"); w.header("Content-Length") != "" || w.header("Transfer-Encoding") != "chunked" {
		c.t.Errorf("a watch: %v", w.headers)
	}
	if r := c.ask("GET ~/a?wait=true&waitIndex=x", ""); r.header("Content-Length") != servertest.Itoa(len(r.body)) {
		c.t.Errorf("a watch that failed: %v", r.headers)
	}
}

func wireWatchKeepAlive(c *contract) {
	conn := c.dial()
	reader := bufio.NewReader(conn)
	for range 3 {
		w := c.exchange(conn, reader, c.request("GET ~/a?wait=true", ""))
		c.ask("PUT ~/a?value=1", "")
		if body := c.rest(w); !strings.Contains(body, `"action":"set"`) || w.header("Connection") != "" {
			c.t.Errorf("%q %v", body, w.headers)
		}
	}
}

// wireEmptyAnswer checks that a watch that ends without an event has an empty body, and that the connection ends after it.
func wireEmptyAnswer(c *contract) {
	c = c.ownServer()
	conn := c.dial()
	reader := bufio.NewReader(conn)
	w := c.exchange(conn, reader, c.request("GET ~/a?wait=true", ""))
	if w.status != "HTTP/1.1 200 OK" {
		c.t.Fatal(w.status)
	}
	if took := c.server.Terminate(); took > servertest.Timeout/3 { // it does not wait for the client
		c.t.Errorf("the shutdown took %v", took)
	}
	if text, _ := io.ReadAll(reader); len(text) > 0 { // a broken connection is allowed, too
		c.t.Errorf("%q", text)
	}
}

func wireClose(c *contract) {
	conn := c.dial()
	reader := bufio.NewReader(conn)
	r := c.request("PUT ~/a?value=1", "")
	r.headers = []string{"Connection: close"}
	w := c.exchange(conn, reader, r)
	if w.header("Connection") != "close" {
		c.t.Errorf("%v", w.headers)
	}
	c.rest(w)
	c.mustEnd(reader)
}

func wireStream(c *contract) {
	w := c.watch("GET ~/a?wait=true&stream=true")
	for i := range 5 {
		c.ask("PUT ~/a?value="+servertest.Itoa(i), "")
		if body := w.next(`"value":"` + servertest.Itoa(i) + `"`).body; !strings.HasSuffix(body, "}\n") || strings.Count(body, "\n") != 1 {
			c.t.Errorf("%q", body)
		}
	}
}

func wireLarge(c *contract) {
	value := strings.Repeat("y", 1<<20)
	c.expect("PUT ~/a", "value="+value, "201", `"value":"`+value+`"`)
	c.expect("GET ~/a", "", "200", `"value":"`+value+`"`)
}
