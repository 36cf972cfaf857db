package servertest

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"
)

const (
	ToHost   = "Host: x\r\n"
	LastOne  = "Connection: close\r\n"
	IsForm   = "Content-Type: application/x-www-form-urlencoded\r\n"
	AChunk   = "Transfer-Encoding: chunked\r\n"
	NoMore   = "\r\n"
	Ok1      = "HTTP/1.1 200 "
	Created1 = "HTTP/1.1 201 "
	Bad1     = "HTTP/1.1 400 "
	TooBig1  = "HTTP/1.1 413 "
)

// Get1 is a GET on a connection that stays open.
func Get1(path string) string { return "GET " + path + " HTTP/1.1\r\n" + ToHost + NoMore }

// OpenConn sends a request and gives the connection, once the head of the answer has come.
func OpenConn(t *testing.T, addr, request string) *bufio.Reader {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, Patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(4 * Patience)); err != nil {
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
