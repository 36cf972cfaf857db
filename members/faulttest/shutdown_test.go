package faulttest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// stopLimit is the longest time of a clean stop, also on a busy machine. A server that waited for an idle client would need 30 s: then
// it closes the connection of such a client.
const stopLimit = 20 * time.Second

// TestShutdown stops a server with all kinds of open connections.
func TestShutdown(t *testing.T) {
	t.Parallel()
	p := servertest.Launch(t, t.TempDir())
	client := servertest.NewKeyClient(t, p.Client)
	client.Must(t, "PUT", "/a", servertest.Form("value", strings.Repeat("x", 1<<20)))
	// Watches end as in the reference: the connection is closed without the last chunk, so that no client takes the end for an answer.
	// Connections between two requests are just closed.
	open := map[string]*bufio.Reader{}
	for name, path := range map[string]string{
		"long poll":           "/v2/keys/b?wait=true",
		"long poll, future":   "/v2/keys/b?wait=true&waitIndex=1000",
		"stream":              "/v2/keys/b?wait=true&stream=true",
		"stream with content": "/v2/keys/a?wait=true&stream=true&waitIndex=2",
	} {
		open[name] = servertest.OpenConn(t, p.Addr(), servertest.GetRequest(path))
	}
	idle := servertest.OpenConn(t, p.Addr(), servertest.GetRequest("/version"))
	unread := servertest.OpenConn(t, p.Addr(), servertest.GetRequest("/v2/keys/a")+strings.Repeat(servertest.GetRequest("/v2/keys/a"), 20))
	_ = unread // the client reads nothing, so the writes of the server block
	half, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	head := "PUT /v2/keys/c HTTP/1.1\r\n" + servertest.HostHeader + servertest.FormHeader + "Content-Length: 100\r\n\r\n"
	if _, err := io.WriteString(half, head+"value="); err != nil {
		t.Fatal(err)
	}

	took := p.Terminate()
	if code := p.AwaitExit(); code != 0 || took > stopLimit {
		t.Errorf("the shutdown took %v and ended with code %d\n%s", took, code, p.Stderr)
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
	if _, err := net.Dial("tcp", p.Addr()); err == nil {
		t.Error("somebody still listens")
	}
}

// TestShutdownOfAFreshServer stops servers before they serve. The next start must work as the first one would.
func TestShutdownOfAFreshServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for life := range 5 {
		p := servertest.Start(t, dir)
		// The data directory is locked after the handler of the signal is set. So this is the earliest time for the signal.
		servertest.Await(t, "the server to begin", func() bool {
			return strings.Contains(p.Stderr.String(), "leader elected")
		})
		if took, code := p.Terminate(), p.AwaitExit(); code != 0 || took > stopLimit {
			t.Fatalf("life %d: the shutdown took %v and ended with code %d\n%s", life, took, code, p.Stderr)
		}
	}
	p := servertest.Launch(t, dir)
	if got := servertest.NewKeyClient(t, p.Client).Must(t, "PUT", "/a", servertest.Form("value", "1")); got.Node.ModifiedIndex != firstEvent {
		t.Errorf("the first write has index %d, want %d", got.Node.ModifiedIndex, firstEvent)
	}
}

// TestShutdownAnswersWrites stops a server under load. Each write must be answered or its connection closed.
// Acknowledged writes must be there after a restart.
func TestShutdownAnswersWrites(t *testing.T) {
	dir := t.TempDir()
	p := servertest.Launch(t, dir)
	const writers = 8
	last := make(chan int, writers)
	for w := range writers {
		client := servertest.NewKeyClient(t, p.Client)
		go func() {
			done := 0
			for {
				answer, err := client.Do("PUT", fmt.Sprintf("/w%d/%d", w, done), servertest.Form("value", "x"))
				if err != nil || answer.ErrorCode != 0 {
					break
				}
				done++
			}
			last <- done
		}()
	}
	client := servertest.NewKeyClient(t, p.Client)
	servertest.Await(t, "some writes", func() bool { return client.Must(t, "GET", "/", nil).EtcdIndex > 200 })
	if took, code := p.Terminate(), p.AwaitExit(); code != 0 || took > stopLimit {
		t.Errorf("the shutdown took %v and ended with code %d\n%s", took, code, p.Stderr)
	}
	done := 0
	for range writers {
		done += <-last
	}
	found := map[string]servertest.KeyNode{}
	servertest.NewKeyClient(t, servertest.Launch(t, dir).Client).Must(t, "GET", "/?recursive=true", nil).Node.Files(found)
	if len(found) < done || len(found) > done+writers {
		t.Errorf("%d writes were acknowledged, %d are there", done, len(found))
	}
	t.Logf("%d writes acknowledged, %d there", done, len(found))
}
