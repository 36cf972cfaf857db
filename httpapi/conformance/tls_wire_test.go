package conformance

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"pando/members/servertest"
)

// TestTLSLargeValues writes and reads values of 1 MB and a list of 10 MB.
func TestTLSLargeValues(t *testing.T) {
	s := startSecure(t)
	for name, client := range map[string]*servertest.KeyClient{"HTTP/1": s.keys(t), "HTTP/2": s.keys2(t)} {
		t.Run(name, func(t *testing.T) {
			value := strings.Repeat("v", 1<<20)
			for i := range 10 {
				client.Must(t, "PUT", fmt.Sprintf("/large/%d", i), servertest.Form("value", value))
			}
			if got := client.Must(t, "GET", "/large/3", nil); got.Node.Value != value {
				t.Errorf("got %d bytes", len(got.Node.Value))
			}
			files := map[string]servertest.KeyNode{}
			client.Must(t, "GET", "/large?recursive=true", nil).Node.Files(files)
			for key, node := range files {
				if node.Value != value {
					t.Errorf("%s has %d bytes", key, len(node.Value))
				}
			}
			if len(files) != 10 {
				t.Errorf("%d keys", len(files))
			}
			watched := client.Must(t, "GET", "/large/9?wait=true&waitIndex=1", nil)
			if watched.Node.Value != value {
				t.Errorf("the watch has %d bytes", len(watched.Node.Value))
			}
		})
	}
}

// TestTLSPipelining sends requests without waiting for the responses, with long polls among them.
func TestTLSPipelining(t *testing.T) {
	s := startSecure(t)
	plain := servertest.NewKeyClient(t, s.Client)
	plain.Must(t, "PUT", "/a", servertest.Form("value", "first"))
	conn := s.dial(t)
	in := bufio.NewReader(conn)
	for i := range 20 {
		text := servertest.GetRequest("/v2/keys/a") + servertest.GetRequest("/v2/keys/a?wait=true&recursive=true") +
			servertest.GetRequest("/version")
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		if status := readHead(t, in); !strings.HasPrefix(status, servertest.Status200) {
			t.Fatal(status)
		}
		if _, err := in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		servertest.Await(t, "the watch", func() bool { return s.Watchers() == 1 })
		value := servertest.Itoa(i)
		plain.Must(t, "PUT", "/a", servertest.Form("value", value))
		readHead(t, in)
		if event := readEvent(t, in); event.Node.Value != value {
			t.Fatalf("the long poll %d returned %+v", i, event.Node)
		}
		for _, end := range []string{"\r\n", "0\r\n", "\r\n"} {
			if line, err := in.ReadString('\n'); err != nil || line != end {
				t.Fatalf("after the event: %q, %v", line, err)
			}
		}
		if status := readHead(t, in); !strings.HasPrefix(status, servertest.Status200) {
			t.Fatal(status)
		}
		version := make([]byte, len(s.Get("/version")))
		if _, err := io.ReadFull(in, version); err != nil || !strings.HasPrefix(string(version), `{"etcdserver"`) {
			t.Fatalf("%q, %v", version, err)
		}
	}
}

// TestTLSBadHandshakes sends invalid and incomplete handshakes to the https URL. The server must close each connection and free its
// resources.
func TestTLSBadHandshakes(t *testing.T) {
	servertest.SkipShort(t, "it waits for deadlines")
	t.Parallel()
	s := startSecure(t)
	before := s.Footprint()
	hello := recordHello(t)
	const slow = 9 * time.Second // the deadline of a handshake is 10 s
	var group sync.WaitGroup
	for _, c := range []struct {
		name, send string
		least      time.Duration // how long the server must wait
		want       string        // the beginning of the answer
	}{
		{"nothing", "", slow, ""},
		{"half a hello", hello[:len(hello)/2], slow, ""},
		{"a hello and no more", hello, slow, "\x16"},
		{"garbage", strings.Repeat("\xff", 100), 0, ""},
		{"plain HTTP", servertest.GetRequest("/version"), 0, servertest.Status400},
		{"plain HTTP with a body", "PUT /v2/keys/a HTTP/1.1\r\n" + servertest.HostHeader + "Content-Length: 1000000\r\n\r\n" +
			strings.Repeat("x", 300_000), 0, servertest.Status400},
		{"HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, servertest.Status400},
		{"a hello with a wrong length", hello[:3] + "\xff\xff" + hello[5:], 0, "\x15"},
	} {
		group.Go(func() {
			begin := time.Now() // before the server begins to wait
			conn := openWith(t, s.addr(), c.send)
			defer conn.Close()
			_ = conn.SetReadDeadline(begin.Add(servertest.Timeout))
			answer, err := io.ReadAll(conn)
			if took := time.Since(begin); errors.Is(err, os.ErrDeadlineExceeded) || took < c.least || !strings.HasPrefix(string(answer), c.want) {
				t.Errorf("%s: after %v: %.200q, %v", c.name, took, answer, err)
			}
		})
	}
	group.Wait()
	s.AwaitFootprint(t, before)
	if metrics := s.Get("/metrics"); !strings.Contains(metrics, "\npando_tls_handshake_failures_total{listener=\"client\"} 8\n") {
		t.Error("the failed handshakes are not counted")
	}
}

// recordHello returns the first record of a TLS client.
func recordHello(t *testing.T) string {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() { _ = tls.Client(theirs, &tls.Config{ServerName: "localhost"}).Handshake() }() // fails when ours is closed
	header := make([]byte, 5)
	if _, err := io.ReadFull(ours, header); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, int(header[3])<<8|int(header[4]))
	if _, err := io.ReadFull(ours, body); err != nil {
		t.Fatal(err)
	}
	return string(header) + string(body)
}

// TestTLSHelloToPlainPort sends a TLS handshake to the http URL, to the peer URL, and to a unix socket.
func TestTLSHelloToPlainPort(t *testing.T) {
	s := startSecure(t)
	hello := recordHello(t)
	for name, url := range map[string]string{"client": s.Client, "peer": s.Peer} {
		t.Run(name, func(t *testing.T) {
			conn := openWith(t, servertest.URLHost(url), hello)
			defer conn.Close()
			_ = conn.SetReadDeadline(time.Now().Add(servertest.Timeout))
			begin := time.Now()
			answer, err := io.ReadAll(conn)
			if len(answer) > 0 || errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) > 8*time.Second {
				t.Errorf("after %v: %q, %v", time.Since(begin), answer, err)
			}
		})
	}
}

// TestTLSRenegotiation asks for a renegotiation, which the server refuses. It serves other connections.
func TestTLSRenegotiation(t *testing.T) {
	servertest.RequireProgram(t, "openssl", "openssl")
	s := startSecure(t)
	p := *s.Process
	p.Client = s.addr()
	t.Setenv("D", s.pki.Dir)
	playSteps(t, &p, []clientStep{
		{
			// The command R of openssl begins a renegotiation. The pipe stays open, so that openssl reads the answer.
			`(echo R; sleep 2) | openssl s_client -tls1_2 -connect $P ` +
				`-CAfile $D/ca.pem -cert $D/alice.pem -key $D/alice-key.pem 2>&1 | grep -o -E 'RENEGOTIATING|alert unexpected message'`,
			`RENEGOTIATING\nalert unexpected message`,
		},
		{
			`(printf 'GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'; sleep 2) | openssl s_client -quiet -connect $P ` +
				`-CAfile $D/ca.pem -cert $D/alice.pem -key $D/alice-key.pem 2>/dev/null`,
			`HTTP/1.1 200 OK\r\n.*etcdserver.*`,
		},
	})
}
