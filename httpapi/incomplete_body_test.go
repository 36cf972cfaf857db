package httpapi

import (
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pando/httpapi/stream"
)

// TestIncompleteBody checks that a write with an incomplete body changes nothing, whatever its content type. The reference deletes the
// value if the body is not a form.
func TestIncompleteBody(t *testing.T) {
	f := newFixture(t, nil)
	server := httptest.NewUnstartedServer(f.handler)
	server.Listener = stream.Listen(server.Listener, f.stallPolicy())
	server.Start()
	defer server.Close()
	if w := f.do("PUT", "/v2/keys/a", "value=kept"); w.Code != 201 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	for _, head := range []string{
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n",
		"Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n",
		"Content-Type: application/json\r\nContent-Length: 100\r\n",
		"Content-Length: 100\r\n",
		"Transfer-Encoding: chunked\r\n",
	} {
		for _, method := range []string{"PUT", "DELETE"} {
			c, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.WriteString(c, method+" /v2/keys/a HTTP/1.1\r\nHost: x\r\n"+head+"\r\n"); err != nil {
				t.Fatal(err)
			}
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(c)
			if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") || !strings.Contains(string(answer), `"errorCode":210`) {
				t.Errorf("%s %q: %q, %v", method, head, answer, err)
			}
			_ = c.Close()
			if w := f.do("GET", "/v2/keys/a", ""); !strings.Contains(w.Body.String(), `"value":"kept"`) {
				t.Errorf("%s %q: the key is %s", method, head, w.Body)
			}
		}
	}
}
