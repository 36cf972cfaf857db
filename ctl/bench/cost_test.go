package bench

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// constantServer answers every request with the same bytes, without allocating. It serves requests without a body, on one connection. It
// serves HTTPS if pki is not nil.
func constantServer(tb testing.TB, answer string, pki *servertest.PKI) *endpoint {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	u, cred := &url.URL{Scheme: "http", Host: l.Addr().String()}, credential{}
	if pki != nil {
		pair := pki.Issue(tb, "server")
		u.Scheme, cred.tls = "https", pki.ClientConfig(tb, nil)
		l = tls.NewListener(l, pki.ClientConfig(tb, &pair))
	}
	tb.Cleanup(func() { l.Close() })
	wire := []byte(answer)
	go func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		br := bufio.NewReader(nc)
		for {
			line, err := readLine(br)
			if err != nil {
				return
			}
			if len(line) == 0 {
				if _, err := nc.Write(wire); err != nil {
					return
				}
			}
		}
	}()
	ep, err := newEndpoint(u, cred)
	if err != nil {
		tb.Fatal(err)
	}
	return ep
}

const answerHeaders = "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Type: application/json\r\n" +
	"X-Etcd-Cluster-Id: cdf818194e3a8c32\r\n" +
	"X-Etcd-Index: 1234\r\nX-Raft-Index: 2345\r\nX-Raft-Term: 2\r\nDate: Fri, 20 Nov 2026 12:00:00 GMT\r\n"

// answers are answers of a server, by the framing of the body.
var answers = map[string]string{
	"length":  answerHeaders + "Content-Length: 300\r\n\r\n" + strings.Repeat("x", 300),
	"chunked": answerHeaders + "Transfer-Encoding: chunked\r\n\r\n12c\r\n" + strings.Repeat("x", 300) + "\r\n0\r\n\r\n",
}

// oneRequest returns a function that does everything that a get client does for one request, recording included.
func oneRequest(tb testing.TB, answer string, pki *servertest.PKI) func() {
	ep := constantServer(tb, answer, pki)
	c := newConn(ep, time.Minute, requestBuffer)
	tb.Cleanup(c.close)
	load := getLoad{space: keySpace{prefix: "/bench", size: 8, count: 10000, dirs: 1}}
	client := load.newClient(ep, 0)
	rec := newRecorder(load.classes())
	p := newPacer(tb.Context(), phase{})
	return func() {
		op, from, _ := p.next(nil)
		out := client.do(c, op)
		if !out.ok {
			tb.Fatalf("HTTP %d, %v", out.status, out.err)
		}
		end := time.Now()
		rec.record(0, out.class, end.Sub(from), end)
	}
}

// TestRequestAllocatesNothing: a request allocates nothing.
func TestRequestAllocatesNothing(t *testing.T) {
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			request := oneRequest(t, answer, nil)
			request() // connects, and grows the buffers
			if n := testing.AllocsPerRun(500, request); n >= 1 {
				t.Errorf("%v allocations a request", n)
			}
		})
	}
}

// TestSecureRequestAllocates: over TLS, a request allocates no more than package tls does at both ends of the connection.
func TestSecureRequestAllocates(t *testing.T) {
	request := oneRequest(t, answers["length"], servertest.NewPKI(t))
	request() // connects, and grows the buffers
	if n := testing.AllocsPerRun(500, request); n > 4 {
		t.Errorf("%v allocations a request", n)
	}
}

// BenchmarkRequest measures one request, including the server and the loopback.
func BenchmarkRequest(b *testing.B) {
	for name, answer := range answers {
		b.Run(name, func(b *testing.B) {
			request := oneRequest(b, answer, nil)
			b.ReportAllocs()
			for b.Loop() {
				request()
			}
		})
	}
	b.Run("TLS", func(b *testing.B) {
		request := oneRequest(b, answers["length"], servertest.NewPKI(b))
		b.ReportAllocs()
		for b.Loop() {
			request()
		}
	})
}

// BenchmarkParse measures the parsing of one answer.
func BenchmarkParse(b *testing.B) {
	for name, answer := range answers {
		b.Run(name, func(b *testing.B) {
			source := strings.NewReader(answer)
			br := bufio.NewReaderSize(source, requestBuffer)
			var body []byte
			b.ReportAllocs()
			for b.Loop() {
				source.Reset(answer)
				br.Reset(source)
				h, err := readHead(br)
				if err != nil {
					b.Fatal(err)
				}
				if body, err = appendBody(br, h, body[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRecord measures the recording of one latency.
func BenchmarkRecord(b *testing.B) {
	rec := newRecorder([]string{"put"})
	now := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		rec.record(i, 0, time.Duration(i%4096)*time.Microsecond, now)
	}
}
