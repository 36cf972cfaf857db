package main

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"
)

const (
	toHost   = "Host: x\r\n"
	lastOne  = "Connection: close\r\n"
	isForm   = "Content-Type: application/x-www-form-urlencoded\r\n"
	aChunk   = "Transfer-Encoding: chunked\r\n"
	noMore   = "\r\n"
	ok1      = "HTTP/1.1 200 "
	created1 = "HTTP/1.1 201 "
	bad1     = "HTTP/1.1 400 "
	tooBig1  = "HTTP/1.1 413 "
)

// get1 is a GET on a connection that stays open.
func get1(path string) string { return "GET " + path + " HTTP/1.1\r\n" + toHost + noMore }

// openConn sends a request and gives the connection, once the head of the answer has come.
func openConn(t *testing.T, addr, request string) *bufio.Reader {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(4 * patience)); err != nil {
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
