package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestWatchesAreCounted checks the outcomes of long polls in the metrics: "ok" after an event, even if the client closes the
// connection at once, and "canceled" if the client closes it before an event.
func TestWatchesAreCounted(t *testing.T) {
	f := newFixture(t, nil)
	server := serveFixture(t, f, (*httptest.Server).Start)
	const polls = 20
	for i := range 2 * polls {
		client, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		await(t, "the end of the previous watch", func() bool { return f.Service.Tree.Watchers() == 0 })
		mustSend(t, client, "GET /v2/keys/a?wait=true HTTP/1.1\r\nHost: x\r\n\r\n")
		await(t, "the watch", func() bool { return f.Service.Tree.Watchers() == 1 })
		if i < polls {
			f.do("PUT", "/v2/keys/a", "value=1")
			if resp, err := http.ReadResponse(bufio.NewReader(client), nil); err != nil {
				t.Fatal(err)
			} else if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Fatal(err)
			}
		}
		_ = client.Close()
	}
	f.do("GET", "/v2/keys/a?wait=true&waitIndex=2", "")
	f.awaitMetric(t, fmt.Sprintf(`pando_requests_total{operation="watch",outcome="ok"} %d`, polls+1))
	f.awaitMetric(t, fmt.Sprintf(`pando_requests_total{operation="watch",outcome="canceled"} %d`, polls))
}
