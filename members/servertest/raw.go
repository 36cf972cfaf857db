package servertest

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"
)

// Parts of requests and of status lines, for tests that write to a connection without net/http.
const (
	HostHeader    = "Host: x\r\n"
	CloseHeader   = "Connection: close\r\n"
	FormHeader    = "Content-Type: application/x-www-form-urlencoded\r\n"
	ChunkedHeader = "Transfer-Encoding: chunked\r\n"
	EndOfHead     = "\r\n"
	Status200     = "HTTP/1.1 200 "
	Status201     = "HTTP/1.1 201 "
	Status400     = "HTTP/1.1 400 "
	Status413     = "HTTP/1.1 413 "
)

// GetRequest returns a GET request that keeps the connection open.
func GetRequest(path string) string { return "GET " + path + " HTTP/1.1\r\n" + HostHeader + EndOfHead }

// OpenConn opens a connection, sends a request, and reads the status line and the header of the response. The returned
// reader returns the body. The connection is closed at the end of the test.
func OpenConn(t *testing.T, addr, request string) *bufio.Reader {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, Timeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(4 * Timeout)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer := bufio.NewReader(conn)
	for {
		line, err := answer.ReadString('\n')
		if err != nil {
			t.Fatalf("%.60q: %v", request, err)
		}
		if line == "\r\n" {
			return answer
		}
	}
}
