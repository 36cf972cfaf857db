package conformance

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// wireCase is a text that a client sends on a connection, and the beginning of the response. The reference responds in the same
// way unless reference is set.
type wireCase struct {
	name string
	send string
	// want is the beginning of the response, without a "100 Continue"; empty if there may be none. The response must contain text.
	want, text string
	// reference is the beginning of the reference's response if it differs; "reset" means no response.
	reference string
	// pieces are sent after send, each after the first bytes of a response to the text before it.
	pieces []string
}

// request returns a request that closes its connection.
func request(line, headers, body string) string {
	return line + " HTTP/1.1\r\n" + servertest.HostHeader + servertest.CloseHeader + headers + servertest.EndOfHead + body
}

var wireCases = []wireCase{
	{name: "HTTP/1.0", send: "GET /version HTTP/1.0\r\n\r\n", want: "HTTP/1.0 200 ", text: `"etcdserver"`},
	{
		name: "HTTP/1.0 write",
		send: "PUT /v2/keys/old HTTP/1.0\r\n" + servertest.FormHeader + "Content-Length: 7\r\n\r\nvalue=1",
		want: "HTTP/1.0 201 ",
		text: `"/old"`,
	},
	{name: "no Host", send: "GET /version HTTP/1.1\r\n\r\n", want: servertest.Status400},
	{name: "absolute URL", send: request("GET http://other/version", "", ""), want: servertest.Status200},
	{
		name:      "HTTP/9.9",
		send:      "GET /version HTTP/9.9\r\n" + servertest.HostHeader + servertest.EndOfHead,
		want:      "HTTP/1.1 505 ",
		reference: "reset",
	},
	{name: "invalid escape in the path", send: request("GET /v2/keys/a%zz", "", ""), want: servertest.Status400},
	{name: "cut escape in the path", send: request("GET /v2/keys/a%4", "", ""), want: servertest.Status400},
	{
		name: "invalid escape in the query",
		send: request("GET /v2/keys/a?recursive=%zz", "", ""),
		want: servertest.Status400,
		text: `"errorCode":210`,
	},
	{
		name: "invalid escape in the body",
		send: request("PUT /v2/keys/a", servertest.FormHeader+"Content-Length: 9\r\n", "value=%zz"),
		want: servertest.Status400,
		text: `"errorCode":210`,
	},
	{
		name: "escaped NUL",
		send: request("PUT /v2/keys/a%00b?value=%00", "", ""),
		want: servertest.Status201,
		text: `{"key":"/a\u0000b","value":"\u0000"`,
	},
	{name: "raw NUL", send: request("GET /v2/keys/a\x00b", "", ""), want: servertest.Status400},
	{name: "raw control characters in a header", send: request("GET /version", "X-A: \x01\x02\r\n", ""), want: servertest.Status400},
	{
		name:      "header without a name",
		send:      request("GET /version", ": x\r\n", ""),
		want:      servertest.Status400,
		reference: servertest.Status200,
	},
	{name: "space before the colon", send: request("GET /version", "X-A : x\r\n", ""), want: servertest.Status400},
	{
		name: "garbage behind a request",
		send: "GET /version HTTP/1.1\r\n" + servertest.HostHeader + servertest.EndOfHead + "\x01\x02garbage\r\n\r\n",
		want: servertest.Status200,
		text: "HTTP/1.1 400 ",
	},
	{name: "nothing but garbage", send: "\x00\xff\x00\xff\r\n\r\n", want: servertest.Status400, reference: "reset"},
	{name: "TLS to a plain port", send: "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n", want: "", reference: "reset"},
	{
		name: "pipelined",
		send: "PUT /v2/keys/p?value=1 HTTP/1.1\r\n" + servertest.HostHeader + servertest.EndOfHead + "GET /v2/keys/p HTTP/1.1\r\n" +
			servertest.HostHeader + servertest.EndOfHead +
			request(
				"DELETE /v2/keys/p",
				"",
				"",
			),
		want: servertest.Status201,
		text: `"action":"delete"`,
	},
	{
		name: "two lengths",
		send: request("PUT /v2/keys/l", servertest.FormHeader+"Content-Length: 7\r\nContent-Length: 8\r\n", "value=1"),
		want: servertest.Status400,
	},
	{
		name: "one length twice",
		send: request("PUT /v2/keys/l1", servertest.FormHeader+"Content-Length: 7\r\nContent-Length: 7\r\n", "value=1"),
		want: servertest.Status201,
	},
	{
		name: "negative length",
		send: request("PUT /v2/keys/l", servertest.FormHeader+"Content-Length: -1\r\n", "value=1"),
		want: servertest.Status400,
	},
	{
		name: "length that is no number",
		send: request("PUT /v2/keys/l", servertest.FormHeader+"Content-Length: ten\r\n", "value=1"),
		want: servertest.Status400,
	},
	{
		name: "length and chunks",
		send: request(
			"PUT /v2/keys/l2",
			servertest.FormHeader+"Content-Length: 3\r\n"+servertest.ChunkedHeader,
			"7\r\nvalue=1\r\n0\r\n\r\n",
		),
		want: servertest.Status201,
		text: `"value":"1"`,
	},
	{
		name: "chunk of no size",
		send: request("PUT /v2/keys/c", servertest.FormHeader+servertest.ChunkedHeader, "zz\r\nvalue=1\r\n0\r\n\r\n"),
		want: servertest.Status400,
		text: `"errorCode":210`,
	},
	{
		name: "chunk of a huge size",
		send: request("PUT /v2/keys/c", servertest.FormHeader+servertest.ChunkedHeader, "fffffffffffffffff\r\nvalue=1\r\n0\r\n\r\n"),
		want: servertest.Status400,
		text: `"errorCode":210`,
	},
	{
		name: "chunk longer than its size",
		send: request("PUT /v2/keys/c", servertest.FormHeader+servertest.ChunkedHeader, "3\r\nvalue=1\r\n0\r\n\r\n"),
		want: servertest.Status400,
		text: `"errorCode":210`,
	},
	{
		name: "unknown transfer coding",
		send: request("PUT /v2/keys/c", servertest.FormHeader+"Transfer-Encoding: gzip\r\n", "value=1"),
		want: "HTTP/1.1 501 ",
	},
	{
		name:   "expectation",
		send:   request("PUT /v2/keys/e", servertest.FormHeader+"Content-Length: 7\r\nExpect: 100-continue\r\n", ""),
		pieces: []string{"value=1"},
		want:   servertest.Status201,
	},
	{
		name:      "expectation of too much",
		send:      request("PUT /v2/keys/e", servertest.FormHeader+"Content-Length: 99999999\r\nExpect: 100-continue\r\n", ""),
		want:      servertest.Status413,
		text:      `"errorCode":210`,
		reference: "HTTP/1.1 100 ",
	},
	{
		name: "another expectation",
		send: request("PUT /v2/keys/e", servertest.FormHeader+"Content-Length: 7\r\nExpect: the-worst\r\n", "value=1"),
		want: "HTTP/1.1 417 ",
	},
	{name: "unknown method", send: request("BREW /v2/keys/a", "", ""), want: "HTTP/1.1 405 ", text: "Allow: HEAD,GET,PUT,POST,DELETE\r\n"},
	{name: "unknown method, unknown path", send: request("BREW /pot", "", ""), want: "HTTP/1.1 404 "},
	{name: "OPTIONS *", send: request("OPTIONS *", "", ""), want: servertest.Status200},
	{
		name:      "path of 10,000 levels",
		send:      request("PUT /v2/keys"+strings.Repeat("/a", 10_000)+"?value=1", "", ""),
		want:      servertest.Status400,
		text:      `"errorCode":209`,
		reference: "reset",
	},
	{
		name:      "path of 10,000 steps up and down",
		send:      request("GET /v2/keys"+strings.Repeat("/a/..", 10_000), "", ""),
		want:      "HTTP/1.1 301 ",
		text:      "Location: /v2/keys\r\n",
		reference: "reset",
	},
	{
		name:      "path of 10,000 slashes",
		send:      request("GET /v2/keys"+strings.Repeat("/", 10_000)+"old", "", ""),
		want:      "HTTP/1.1 301 ",
		text:      "Location: /v2/keys/old\r\n",
		reference: "reset",
	},
	{
		name:      "100,000 parameters in the query",
		send:      request("PUT /v2/keys/q?"+strings.Repeat("abc=12&", 100_000)+"value=x", "", ""),
		want:      servertest.Status201,
		text:      `"value":"x"`,
		reference: "reset",
	},
	{
		name: "100,000 parameters in the body",
		send: request("PUT /v2/keys/b", servertest.FormHeader+"Content-Length: 700007\r\n", strings.Repeat("abc=12&", 100_000)+"value=x"),
		want: servertest.Status201,
		text: `"value":"x"`,
	},
	{
		name:      "request line of 2 MB",
		send:      request("GET /v2/keys/"+strings.Repeat("a", 2<<20), "", ""),
		want:      "HTTP/1.1 431 ",
		reference: "reset",
	},
	{name: "headers of 2 MB", send: request("GET /version", "X-A: "+strings.Repeat("a", 2<<20)+"\r\n", ""), want: "HTTP/1.1 431 "},
	{name: "100,000 headers", send: request("GET /version", strings.Repeat("X-A: b\r\n", 200_000), ""), want: "HTTP/1.1 431 "},
	{
		name: "body too long",
		send: request(
			"PUT /v2/keys/t",
			servertest.FormHeader+"Content-Length: 2000000\r\n",
			"value="+strings.Repeat("a", 2_000_000-6),
		),
		want:      servertest.Status413,
		text:      `{"errorCode":210,"message":"Invalid POST form","cause":"the request body is larger`,
		reference: servertest.Status201,
	},
	{
		name: "body too long, in chunks",
		send: request(
			"PUT /v2/keys/t2",
			servertest.FormHeader+servertest.ChunkedHeader,
			strings.Repeat("10000\r\n"+strings.Repeat("a", 0x10000)+"\r\n", 30)+"0\r\n\r\n",
		),
		want:      servertest.Status413,
		text:      `"errorCode":210`,
		reference: servertest.Status201,
	},
	{
		name:      "body too long and of no form",
		send:      request("PUT /v2/keys/t3", "Content-Type: text/plain\r\nContent-Length: 2000000\r\n", strings.Repeat("a", 2_000_000)),
		want:      servertest.Status413,
		text:      `"errorCode":210`,
		reference: servertest.Status201,
	},
	{
		name:      "body too long for a read",
		send:      request("GET /v2/keys/old", "Content-Length: 2000000\r\n", strings.Repeat("a", 2_000_000)),
		want:      servertest.Status413,
		text:      `"errorCode":210`,
		reference: servertest.Status200,
	},
	{
		name: "body too long for a member",
		send: request(
			"POST /v2/members",
			"Content-Type: application/json\r\nContent-Length: 2000000\r\n",
			strings.Repeat("a", 2_000_000),
		),
		want:      servertest.Status413,
		text:      `{"message":`,
		reference: servertest.Status400,
	},
	{name: "bodies where none belong", send: "GET /v2/keys/old HTTP/1.1\r\n" + servertest.HostHeader + "Content-Length: 7\r\n\r\nvalue=9" +
		"DELETE /v2/keys/old HTTP/1.1\r\n" + servertest.HostHeader + servertest.FormHeader + servertest.ChunkedHeader +
		"\r\n7\r\ndir=%zz\r\n0\r\n\r\n" + request("GET /v2/keys/old", "", ""), want: servertest.Status200, text: `"errorCode":100`},
}

// exchange sends the texts of the case and returns what the server sends until it closes the connection.
func (c *wireCase) exchange(addr string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, servertest.Timeout)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(servertest.Timeout)); err != nil {
		return "", err
	}
	_, _ = io.WriteString(conn, c.send) // a server that refuses the request need not read all of it
	var answer strings.Builder
	buffer := make([]byte, 64<<10)
	for _, piece := range c.pieces {
		n, err := conn.Read(buffer)
		if err != nil {
			return answer.String(), err
		}
		answer.Write(buffer[:n])
		if _, err := io.WriteString(conn, piece); err != nil {
			return answer.String(), err
		}
	}
	if c.reference == "reset" && !strings.Contains(c.send, servertest.CloseHeader) {
		// The server may wait for more of the request.
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	_, err = io.Copy(&answer, conn)
	return answer.String(), err
}

// beginning returns the response without a "100 Continue".
func (c *wireCase) beginning(answer string) string {
	if rest, ok := strings.CutPrefix(answer, "HTTP/1.1 100 Continue\r\n\r\n"); ok && len(c.pieces) > 0 {
		return rest
	}
	return answer
}

// TestHostileWire sends requests that no HTTP library would send.
func TestHostileWire(t *testing.T) {
	p := servertest.Launch(t, t.TempDir(), "--enable-pprof", "--max-request-bytes", "1500000")
	before := p.Footprint()
	for _, c := range slices.Concat(wireCases, smugglingCases) {
		t.Run(c.name, func(t *testing.T) {
			answer, err := c.exchange(p.Addr())
			if errors.Is(err, os.ErrDeadlineExceeded) || !strings.HasPrefix(c.beginning(answer), c.want) ||
				!strings.Contains(answer, c.text) {
				t.Errorf("answer %.1000q, error %v; want %q and %q", answer, err, c.want, c.text)
			}
		})
	}
	p.AwaitFootprint(t, before)
}

// TestHostileWireReference checks the table against the reference.
func TestHostileWireReference(t *testing.T) {
	servertest.SkipShort(t, "only etcd answers")
	reference := startReference(t)
	for _, c := range slices.Concat(wireCases, smugglingCases) {
		t.Run(c.name, func(t *testing.T) {
			want := c.reference
			if want == "HTTP/1.1 100 " {
				t.Skip("the reference waits for the body")
			}
			if want == "" {
				want = c.want
			}
			answer, err := c.exchange(servertest.URLHost(reference.Client))
			switch {
			case want == "reset":
				if strings.HasPrefix(answer, "HTTP/1.1 ") {
					t.Errorf("the reference responds with %.300q, want no response", answer)
				}
			case !strings.HasPrefix(c.beginning(answer), want) || c.reference == "" && !strings.Contains(answer, c.text):
				t.Errorf("the reference responds with %.300q, error %v; want %q and %q", answer, err, want, c.text)
			}
		})
	}
}
