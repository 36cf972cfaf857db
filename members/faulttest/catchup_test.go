package faulttest

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pando/members"
	"pando/members/servertest"
	"pando/raft"
	"pando/tree"
)

var catchUpKeys = flag.Int("cluster.keys", 5000, "number of keys that a member misses while it is down")

const (
	// catchUpWriters is the number of concurrent writers.
	catchUpWriters = 64
	// catchUpRequest is the largest request.
	catchUpRequest = 64 << 10
	// catchUpValue is the size of a value in bytes. The log in memory has room for less than half of 5000 such values.
	catchUpValue = 2048
	// catchUpLimit is how long a member may take to come back in a long run, which has the machine to itself.
	catchUpLimit = 10 * time.Second
	// longCatchUp is the number of keys of a long run.
	longCatchUp = 100_000
)

// TestCatchUp stops a member, writes many keys, and starts the member again while writes go on: first with its data,
// then without.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	c := &cluster{t: t, members: servertest.NewMembers(t, "a", "b", "c")}
	// The log in memory is small, so a member that missed most of the keys gets a checkpoint.
	small := []string{
		"--snapshot-count", "10000", "--max-request-bytes", servertest.Itoa(catchUpRequest),
		"--catch-up-bytes", servertest.Itoa(raft.LeastCatchUp(catchUpRequest)),
	}
	c.spawn = func(s servertest.Member) *servertest.Process {
		return s.StartPando(t, append(small, "--initial-cluster", servertest.InitialCluster(c.members))...)
	}
	c.start()
	servertest.NewKeyClient(t, c.running[0].Client).Must(t, http.MethodPut, "/before", servertest.Form("value", "1"))
	leader := c.leader(-1)
	behind := (leader + 1) % len(c.running)
	w := newBulk(t, c.clients(behind)...)

	c.running[behind].Kill()
	begin := time.Now()
	w.write(0, w.keys)
	t.Logf("%d keys written while it was down, %.0f a second", w.keys, float64(w.keys)/time.Since(begin).Seconds())
	c.comeBack(behind, w)

	c.running[behind].Kill()
	replaceMember(t, c.running[leader].Client, c.members[behind])
	c.spawn = func(s servertest.Member) *servertest.Process {
		return s.StartPando(t, append(small, "--initial-cluster", servertest.InitialCluster(c.members), "--initial-cluster-state", "existing")...)
	}
	c.comeBack(behind, w)
}

// replaceMember deletes the data of a stopped member, and replaces the member by a new one in the cluster.
func replaceMember(t *testing.T, client string, s servertest.Member) {
	t.Helper()
	if err := os.RemoveAll(s.DataDir); err != nil {
		t.Fatal(err)
	}
	_, list := servertest.AwaitPublished(t, client, 3)
	for _, m := range list {
		if id, name, _ := strings.Cut(m, " "); name == s.Name {
			mustRequest(t, http.MethodDelete, client+"/v2/members/"+id, "", http.StatusNoContent)
		}
	}
	mustRequest(t, http.MethodPost, client+"/v2/members", `{"peerURLs":["`+s.PeerURL()+`"]}`, http.StatusCreated)
}

// mustRequest sends a request with a JSON body and fails the test unless the answer has the status. It repeats a request that was not
// committed in time: a busy machine may bring about an election at any time. The repeated request may find what an earlier one has done.
func mustRequest(t *testing.T, method, url, body string, status int) {
	t.Helper()
	repeated := false
	servertest.Await(t, "an answer to "+method+" "+url, func() bool {
		got, text := sendJSON(t, method, url, body)
		done := got == http.StatusOK || got == http.StatusConflict || got == http.StatusGone
		if got == status || repeated && done {
			return true
		}
		if !strings.Contains(text, tree.CauseTimedOut) && !strings.Contains(text, members.ErrUnhealthy.Error()) {
			t.Fatalf("%s %s: %d %s", method, url, got, text)
		}
		repeated = true
		return false
	})
}

// sendJSON sends a request with a JSON body, and returns the status and the body of the answer.
func sendJSON(t *testing.T, method, url, body string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(content)
}

// comeBack starts a member while writes go on, and waits until the member has every write that the others have.
func (c *cluster) comeBack(i int, w *bulk) {
	t := c.t
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var writing sync.WaitGroup
	defer writing.Wait()
	defer stop()
	written := w.keep(ctx, &writing)
	begin := time.Now()
	c.running[i] = c.spawn(c.members[i])
	p := c.running[i]
	p.AwaitServing()
	other := servertest.NewKeyClient(t, c.running[(i+1)%len(c.running)].Client)
	own := servertest.NewKeyClient(t, p.Client)
	servertest.Await(t, "the member to catch up", func() bool {
		want := other.Must(t, http.MethodGet, "/before", nil).EtcdIndex
		return own.Must(t, http.MethodGet, "/before", nil).EtcdIndex >= want
	})
	took := time.Since(begin)
	during := float64(written.Load()) / took.Seconds()
	streamed := strings.Contains(p.Stderr.String(), "caught up from a snapshot")
	t.Logf("the member was back after %v, by a checkpoint: %t; meanwhile the others took %.0f writes a second",
		took.Round(time.Millisecond), streamed, during)
	if w.keys >= longCatchUp && took > catchUpLimit {
		t.Errorf("it took %v, more than %v", took, catchUpLimit)
	}
	if !streamed {
		t.Error("it came back without a checkpoint")
	}
	stop()
	writing.Wait()
	c.awaitIndex(i, (i+1)%len(c.running))
	if got, want := countKeys(t, p), w.keys; got != want {
		t.Errorf("it has %d keys of %d", got, want)
	}
}

// countKeys returns how many of the keys a member has.
func countKeys(t *testing.T, p *servertest.Process) int {
	t.Helper()
	found := map[string]servertest.KeyNode{}
	servertest.NewKeyClient(t, p.Client).Must(t, http.MethodGet, "/bulk?recursive=true", nil).Node.Files(found)
	return len(found)
}

// bulk writes many keys over many connections.
type bulk struct {
	t       *testing.T
	keys    int
	clients []*servertest.KeyClient
}

func newBulk(t *testing.T, bases ...string) *bulk {
	w := &bulk{t: t, keys: shortened(*catchUpKeys)}
	for i := range catchUpWriters {
		w.clients = append(w.clients, servertest.NewKeyClient(t, bases[i%len(bases)]))
	}
	return w
}

// put writes a key. It repeats a write that has failed, because each key always gets the same value.
func (w *bulk) put(client *servertest.KeyClient, number int) {
	key := fmt.Sprintf("/bulk/%03d/%06d", number/1000, number)
	for deadline := time.Now().Add(servertest.Timeout); time.Now().Before(deadline); {
		answer, err := client.Do(http.MethodPut, key, servertest.Form("value", fmt.Sprintf("%0*d", catchUpValue, number)))
		if err == nil && answer.ErrorCode == 0 {
			return
		}
		w.t.Logf("%s: %+v, %v", key, answer, err)
	}
	w.t.Errorf("%s could not be written", key)
}

// write writes the keys of these numbers.
func (w *bulk) write(from, to int) {
	w.t.Helper()
	var next atomic.Int64
	next.Store(int64(from))
	var group sync.WaitGroup
	for _, client := range w.clients {
		group.Go(func() {
			for number := next.Add(1) - 1; number < int64(to); number = next.Add(1) - 1 {
				w.put(client, int(number))
			}
		})
	}
	group.Wait()
}

// keep overwrites keys until ctx is done. It returns the number of writes, which grows.
func (w *bulk) keep(ctx context.Context, group *sync.WaitGroup) *atomic.Int64 {
	written := new(atomic.Int64)
	for number, client := range w.clients {
		group.Go(func() {
			for ; ctx.Err() == nil; number += len(w.clients) {
				w.put(client, (number*7919)%w.keys)
				written.Add(1)
			}
		})
	}
	return written
}
