package stream

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pando/httpapi/budget"
	"pando/tree"
)

// TestLargeEventOnTheWire checks that a large event is framed like a small one, whether its JSON is shared or not. On a connection
// that was taken over it is one chunk.
func TestLargeEventOnTheWire(t *testing.T) {
	value := strings.Repeat("é<", 200<<10)
	for _, encodings := range []int{8 << 20, 1 << 10} { // with room for the whole event, and without
		for _, query := range []string{"?wait", "?wait&stream", "?wait&waitIndex=2", "?wait&stream&waitIndex=2"} {
			t.Run(fmt.Sprint(encodings>>10, " KiB, ", query), func(t *testing.T) {
				f := newFixture(func(c *Config) {
					c.EventCache, c.Budget = tree.NewEventCache(encodings), budget.New(1<<20, &counters{})
				})
				server := f.serve(t, (*httptest.Server).Start)
				past := strings.Contains(query, "waitIndex")
				if past {
					f.put("/a", value)
				}
				client, in := dial(t, server)
				mustSend(t, client, get("/a"+query))
				if !past {
					f.awaitWatchers(t, 1)
					f.put("/a", value)
				}
				skipHeader(t, in)
				want := f.eventJSON(t, 2)
				if query == "?wait&waitIndex=2" { // net/http makes the chunks
					mustDechunk(t, in, want)
					return
				}
				mustRead(t, in, fmt.Sprintf("%x\r\n", len(want)))
				mustRead(t, in, want+"\r\n")
				if !strings.Contains(query, "stream") {
					mustRead(t, in, "0\r\n\r\n")
				}
			})
		}
	}
}

func skipHeader(t *testing.T, in *bufio.Reader) {
	t.Helper()
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
}

// mustRead reads as many bytes as want has, and compares them.
func mustRead(t *testing.T, in *bufio.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(in, got); err != nil || string(got) != want {
		t.Fatalf("got %.100q, want %.100q; %v", got, want, err)
	}
}

// mustDechunk reads a chunked body and compares it with want.
func mustDechunk(t *testing.T, in *bufio.Reader, want string) {
	t.Helper()
	header := strings.NewReader("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(io.MultiReader(header, in)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != want {
		t.Errorf("got a different event of %d bytes; %v", len(body), err)
	}
}
