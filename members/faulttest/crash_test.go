package faulttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pando/members/servertest"
	"pando/storage"
)

// TestCrash kills a server several times while clients write. After each restart it compares the server with all
// earlier answers and events.
func TestCrash(t *testing.T) {
	t.Parallel()
	rounds := 50
	if testing.Short() {
		rounds = 3
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := &crash{
		t: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(seed, 0)),
		load:  &load{t: t, acknowledged: map[uint64]issued{}},
		state: replayed{files: map[string]servertest.KeyNode{}},
	}
	for round := range rounds {
		c.round(round)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	p := c.restart()
	c.expired(p)
	t.Logf("%d rounds, %d writes acknowledged and found, %d of %d without an answer were carried out, %d events, index %d",
		rounds, len(c.load.acknowledged), c.happened, c.unanswered, len(c.log.events), c.log.next()-1)
}

// crash is one server across its restarts, with all its answers and events.
type crash struct {
	t       *testing.T
	dir     string
	random  *rand.Rand
	load    *load
	log     eventLog
	state   replayed
	checked uint64 // the index up to which the log was compared with the writes

	unanswered, happened int
}

const crashHistory = 20_000

// restart starts the server with a random --snapshot-count.
func (c *crash) restart() *servertest.Process {
	count := []string{"20", "200", "5000"}[c.random.IntN(3)]
	return servertest.Launch(c.t, c.dir, "--snapshot-count", count, "--history-size", servertest.Itoa(crashHistory))
}

// round starts the server, checks it, writes to it and ends it.
func (c *crash) round(number int) {
	if number%5 == 4 { // this process is killed before a client connects
		p := servertest.Start(c.t, c.dir, "--snapshot-count", "20", "--history-size", servertest.Itoa(crashHistory))
		<-time.After(time.Duration(c.random.IntN(60)) * time.Millisecond)
		p.Kill()
	}
	p := c.restart()
	c.check(p)
	watching := make(chan error, 1)
	go func() { watching <- c.log.follow(context.Background(), p.Client, 0) }()
	writing := c.load.writers(p.Client)
	<-time.After(time.Duration(50+c.random.IntN(600)) * time.Millisecond)
	if number%10 == 9 {
		c.shutdown(p)
	} else {
		p.Kill()
	}
	writing.Wait()
	if err := <-watching; err != nil {
		c.t.Error(err)
	}
}

// shutdown stops the server with SIGTERM under load, and checks the data that it leaves.
func (c *crash) shutdown(p *servertest.Process) {
	took := p.Terminate()
	if took > stopLimit || p.AwaitExit() != 0 {
		c.t.Errorf("the shutdown took %v and ended with code %d\n%s", took, p.AwaitExit(), p.Stderr)
	}
	disk, left, err := storage.Open(storage.Options{DataDir: c.dir, HistorySize: crashHistory})
	if err != nil {
		c.t.Fatal(err)
	}
	if len(left.Entries) > 0 {
		c.t.Errorf("after a clean shutdown %d entries are left to replay", len(left.Entries))
	}
	if err := disk.Close(); err != nil {
		c.t.Error(err)
	}
}

// check compares the server with all earlier answers and events.
func (c *crash) check(p *servertest.Process) {
	c.t.Helper()
	client := servertest.NewKeyClient(c.t, p.Client)
	known := c.log.next() - 1
	for index := range c.load.acknowledged {
		known = max(known, index)
	}
	// The answer has the index even if the root is empty.
	root := client.Must(c.t, "GET", "/?recursive=true", nil)
	if root.EtcdIndex < known {
		c.t.Errorf("the index went back from %d to %d", known, root.EtcdIndex)
	}
	resumed := c.log.next()
	ctx, cancel := context.WithTimeout(context.Background(), servertest.Timeout)
	defer cancel()
	if err := c.log.follow(ctx, p.Client, root.EtcdIndex); err != nil {
		c.t.Fatal(err)
	}
	if c.log.next() <= root.EtcdIndex {
		c.t.Fatalf("the watch resumed at %d came to %d of %d", resumed, c.log.next()-1, root.EtcdIndex)
	}
	c.state.advance(&c.log, root.EtcdIndex)
	c.state.mustEqual(c.t, root.Node)
	c.account(root.EtcdIndex)
	c.reread(client, root.EtcdIndex)
}

// account finds the write for each event, and the event for each acknowledged write.
func (c *crash) account(index uint64) {
	unknown := c.load.unknown
	c.unanswered += len(unknown)
	for c.checked = max(c.checked, firstEvent-1); c.checked < index; c.checked++ {
		event := c.log.at(c.checked + 1)
		if write, ok := c.load.acknowledged[c.checked+1]; ok {
			if !write.is(&event.KeyAnswer) {
				c.t.Errorf("at index %d %v was acknowledged, and there is %s", c.checked+1, write, event.text)
			}
			continue
		}
		if event.Action == "expire" {
			continue
		}
		found := -1
		for i, write := range unknown {
			if write.is(&event.KeyAnswer) {
				found = i
			}
		}
		if found < 0 {
			c.t.Errorf("no client sent the write of %s, or it was carried out twice", event.text)
			continue
		}
		c.happened++
		unknown = append(unknown[:found], unknown[found+1:]...)
	}
	// The other writes will never be carried out: their process has ended.
	c.load.unknown = nil
}

// reread reads events from the history that were read before. They must be the same byte for byte.
func (c *crash) reread(client *servertest.KeyClient, index uint64) {
	oldest := uint64(firstEvent)
	if index > crashHistory/2 { // expirations in the meantime remove the oldest events from the history
		oldest = index - crashHistory/2
	}
	for range min(5, int(index+1-oldest)) {
		at := oldest + c.random.Uint64N(index+1-oldest)
		got := servertest.RawGet(c.t, client, fmt.Sprintf("/v2/keys/?wait=true&recursive=true&waitIndex=%d", at))
		if want := c.log.at(at).text; got != want {
			c.t.Errorf("event %d is now\n%s, and was\n%s", at, got, want)
		}
	}
}

// expired waits until every file with a short TTL has expired, by one event each and not too early.
func (c *crash) expired(p *servertest.Process) {
	c.check(p)
	client := servertest.NewKeyClient(c.t, p.Client)
	servertest.Await(c.t, "the short TTLs to expire", func() bool {
		soon := client.Must(c.t, "GET", "/soon?recursive=true", nil)
		return len(soon.Node.Nodes) == 0
	})
	c.check(p)
	late := client.Must(c.t, "GET", "/late", nil)
	if len(late.Node.Nodes) == 0 {
		c.t.Error("the long TTLs are gone too")
	}
	for i := range c.log.events {
		if e := &c.log.events[i]; e.Action == "expire" && (e.PrevNode == nil || e.PrevNode.Expiration == "" || e.Node.Key[:6] != "/soon/") {
			c.t.Errorf("expired: %s", e.text)
		}
	}
}
