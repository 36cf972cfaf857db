package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestResponse(t *testing.T) {
	for _, test := range []struct {
		name, wire string
		status     int
		body       string
		closing    bool
	}{
		{"content length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false},
		{"header names in any case", "HTTP/1.1 201 Created\r\ncONTENT-lENGTH:2\r\n\r\nok", 201, "ok", false},
		{"empty body", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, "", false},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", false},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", 200,
			"abc0123456789", false},
		{"asks to close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, "x", true},
		{"until close", "HTTP/1.1 200 OK\r\n\r\nall of it", 200, "all of it", true},
		{"version 1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x", true},
		{"version 1.0 kept alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", 200, "x", false},
		{"bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", 200, "x", false},
		{"no reason phrase", "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", 200, "x", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			br := bufio.NewReader(strings.NewReader(test.wire))
			h, err := readHead(br)
			if err != nil {
				t.Fatal(err)
			}
			body, err := appendBody(br, h, nil)
			if err != nil {
				t.Fatal(err)
			}
			if h.status != test.status || string(body) != test.body || h.closing != test.closing {
				t.Errorf("got %d %q closing=%v, want %d %q closing=%v", h.status, body, h.closing, test.status, test.body, test.closing)
			}
			if n, _ := io.Copy(io.Discard, br); n != 0 {
				t.Errorf("%d bytes were left unread", n)
			}
		})
	}
}

func TestResponseErrors(t *testing.T) {
	for _, test := range []struct {
		name, wire string
		want       error
	}{
		{"nothing", "", io.EOF},
		{"cut in the status line", "HTTP/1.1 20", io.ErrUnexpectedEOF},
		{"cut in the headers", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", io.ErrUnexpectedEOF},
		{"cut in the body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", io.ErrUnexpectedEOF},
		{"cut in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", io.ErrUnexpectedEOF},
		{"cut before the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n", io.ErrUnexpectedEOF},
		{"another protocol", "SSH-2.0-OpenSSH_9.6\r\n\r\n", errResponse},
		{"status in letters", "HTTP/1.1 OK! 200\r\n\r\n", errResponse},
		{"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", errResponse},
		{"huge length", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", errResponse},
		{"huge chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", errResponse},
		{"chunk size in letters", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", errResponse},
		{"chunk longer than said", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", errResponse},
		{"endless header", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<16), errResponse},
	} {
		t.Run(test.name, func(t *testing.T) {
			br := bufio.NewReader(strings.NewReader(test.wire))
			h, err := readHead(br)
			if err == nil {
				_, err = appendBody(br, h, nil)
			}
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// FuzzResponse checks that no input makes the parser panic, and that a well-formed body is read unchanged.
func FuzzResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"), "body")
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "")
	f.Add([]byte("HTTP/1.1 200 OK\r\n:\r\n\r\n"), "a\r\nb")
	f.Fuzz(func(t *testing.T, wire []byte, body string) {
		br := bufio.NewReader(strings.NewReader(string(wire)))
		if h, err := readHead(br); err == nil && h.length < 1<<20 {
			_, _ = appendBody(br, h, nil) // whatever comes of it, it returns
		}
		chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		for _, part := range []string{body[:len(body)/3], body[len(body)/3:]} {
			if part != "" {
				chunked += fmt.Sprintf("%x\r\n%s\r\n", len(part), part)
			}
		}
		br = bufio.NewReader(strings.NewReader(chunked + "0\r\n\r\n"))
		h, err := readHead(br)
		if err != nil {
			t.Fatal(err)
		}
		got, err := appendBody(br, h, nil)
		if err != nil || string(got) != body {
			t.Fatalf("got %q %v, want %q", got, err, body)
		}
	})
}
