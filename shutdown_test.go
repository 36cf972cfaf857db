package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestShutdown ends a server that is busy in every way.
func TestShutdown(t *testing.T) {
	t.Parallel()
	p := launch(t, t.TempDir())
	client := newKeyClient(t, p.client)
	client.must(t, "PUT", "/a", form("value", strings.Repeat("x", 1<<20)))
	// Watches end as the reference ends them: the connection closes without the last chunk, so that nobody takes the
	// end for an answer. Connections between two requests just close.
	open := map[string]*bufio.Reader{}
	for name, path := range map[string]string{
		"long poll":           "/v2/keys/b?wait=true",
		"long poll, future":   "/v2/keys/b?wait=true&waitIndex=1000",
		"stream":              "/v2/keys/b?wait=true&stream=true",
		"stream with content": "/v2/keys/a?wait=true&stream=true&waitIndex=2",
	} {
		open[name] = openConn(t, p.addr(), get1(path))
	}
	idle := openConn(t, p.addr(), get1("/version"))
	unread := openConn(t, p.addr(), get1("/v2/keys/a")+strings.Repeat(get1("/v2/keys/a"), 20))
	_ = unread // nobody reads what comes: the server's writes are stuck
	half, err := net.Dial("tcp", p.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	if _, err := io.WriteString(half, "PUT /v2/keys/c HTTP/1.1\r\n"+toHost+isForm+"Content-Length: 100\r\n\r\nvalue="); err != nil {
		t.Fatal(err)
	}

	took := p.terminate()
	if code := p.awaitExit(); code != 0 || took > 5*time.Second {
		t.Errorf("the shutdown took %v and ended with code %d\n%s", took, code, p.stderr)
	}
	for name, answer := range open {
		rest, err := io.ReadAll(answer)
		if strings.HasSuffix(string(rest), "0\r\n\r\n") || err != nil {
			t.Errorf("%s: ended with %.100q, error %v", name, rest, err)
		}
		if name != "stream with content" && len(rest) > 0 {
			t.Errorf("%s: %.100q came at the end", name, rest)
		}
	}
	if rest, err := io.ReadAll(idle); err != nil || !strings.HasPrefix(string(rest), "{") {
		t.Errorf("idle connection: %q, error %v", rest, err)
	}
	if _, err := net.Dial("tcp", p.addr()); err == nil {
		t.Error("somebody still listens")
	}
}

// TestShutdownOfAFreshServer ends servers that have served nobody: nothing they did shows to those after them.
func TestShutdownOfAFreshServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for life := range 5 {
		p := spawn(t, dir)
		// As early as the signal is caught at all: when the data directory is taken.
		await(t, "the server to begin", func() bool {
			return strings.Contains(p.stderr.String(), "leader elected")
		})
		if took, code := p.terminate(), p.awaitExit(); code != 0 || took > 5*time.Second {
			t.Fatalf("life %d: the shutdown took %v and ended with code %d\n%s", life, took, code, p.stderr)
		}
	}
	p := launch(t, dir)
	if got := newKeyClient(t, p.client).must(t, "PUT", "/a", form("value", "1")); got.Node.ModifiedIndex != firstEvent {
		t.Errorf("the first write has index %d, want %d", got.Node.ModifiedIndex, firstEvent)
	}
}

// TestShutdownAnswersWrites ends a server under load: every write is answered or its connection closed, and those
// that were answered with success are there afterwards.
func TestShutdownAnswersWrites(t *testing.T) {
	dir := t.TempDir()
	p := launch(t, dir)
	const writers = 8
	last := make(chan int, writers)
	for w := range writers {
		client := newKeyClient(t, p.client)
		go func() {
			done := 0
			for {
				answer, err := client.do("PUT", fmt.Sprintf("/w%d/%d", w, done), form("value", "x"))
				if err != nil || answer.ErrorCode != 0 {
					break
				}
				done++
			}
			last <- done
		}()
	}
	client := newKeyClient(t, p.client)
	await(t, "some writes", func() bool { return client.must(t, "GET", "/", nil).etcdIndex > 200 })
	if took, code := p.terminate(), p.awaitExit(); code != 0 || took > 5*time.Second {
		t.Errorf("the shutdown took %v and ended with code %d\n%s", took, code, p.stderr)
	}
	done := 0
	for range writers {
		done += <-last
	}
	found := map[string]keyNode{}
	newKeyClient(t, launch(t, dir).client).must(t, "GET", "/?recursive=true", nil).Node.leaves(found)
	if len(found) < done || len(found) > done+writers {
		t.Errorf("%d writes were acknowledged, %d are there", done, len(found))
	}
	t.Logf("%d writes acknowledged, %d there", done, len(found))
}
