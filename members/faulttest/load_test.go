package faulttest

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"pando/members/servertest"
)

// clusterLoad is a load on all members of a cluster, and the log of its events. It sends no write twice: a write
// without an answer may have happened or not.
type clusterLoad struct {
	load
	bases   []string // client URLs
	log     eventLog
	state   replayed
	writing sync.WaitGroup
	stopped context.Context
	stop    context.CancelFunc
	watched chan error // the end of the watch
}

const (
	// clusterHistory is how far the watch of a cluster's load may fall behind.
	clusterHistory = 50_000
	// writerTimeout is how long a writer waits for an answer before it uses another member.
	writerTimeout = 1500 * time.Millisecond
	// writerPause is the pause of a writer after a write. It bounds the memory for the log of all events.
	writerPause = 2 * time.Millisecond
	// writesPerMember is how many writes a writer sends to a member before it goes on to the next.
	writesPerMember = 40
)

// startClusterLoad starts writers on all members, and a watch.
func startClusterLoad(t *testing.T, bases ...string) *clusterLoad {
	l := &clusterLoad{
		load:  load{t: t, acknowledged: map[uint64]issued{}},
		bases: bases, state: replayed{files: map[string]servertest.KeyNode{}}, watched: make(chan error, 1),
	}
	l.stopped, l.stop = context.WithCancel(context.Background())
	t.Cleanup(l.stop)
	for number, write := range []func(c *servertest.KeyClient, number int) bool{
		l.put, l.put, l.put, l.chain(), l.chain(), l.line, l.expiring, l.directory, l.lock,
	} {
		l.writing.Go(func() { l.rotate(number, write) })
	}
	go func() { l.watched <- l.watch() }()
	return l
}

// client returns a client of a member with the time limit of a writer.
func (l *clusterLoad) client(base string) *servertest.KeyClient {
	c := servertest.NewKeyClient(l.t, base)
	c.HTTP.Timeout = writerTimeout
	return c
}

// rotate writes to one member after the other. After a write without an answer it uses the next member.
func (l *clusterLoad) rotate(number int, write func(c *servertest.KeyClient, number int) bool) {
	client := l.client("")
	defer client.HTTP.CloseIdleConnections()
	for member := number; l.stopped.Err() == nil; member++ {
		client.Base = l.bases[member%len(l.bases)]
		for range writesPerMember {
			<-time.After(writerPause)
			if l.stopped.Err() != nil || !write(client, number) {
				break
			}
		}
	}
}

// chain returns a writer that replaces its last value by the next one. Its condition is the value or the index, in alternation. After
// a write without an answer the writer uses another key.
func (l *clusterLoad) chain() func(c *servertest.KeyClient, number int) bool {
	key, last := "", (*servertest.KeyNode)(nil)
	return func(c *servertest.KeyClient, _ int) bool {
		value := l.unique()
		w, f := issued{"compareAndSwap", key, value}, servertest.Form("value", value)
		switch {
		case last == nil:
			key = "/chain/" + value
			w = issued{"create", key, value}
			f.Set("prevExist", "false")
		case last.ModifiedIndex%2 == 0:
			f.Set("prevIndex", servertest.Itoa(last.ModifiedIndex))
		default:
			f.Set("prevValue", last.Value)
		}
		answer := l.send(c, http.MethodPut, key, f, w)
		if last = nil; answer != nil {
			last = answer.Node
		}
		return answer != nil
	}
}

// watch collects the events, from one member after the other.
func (l *clusterLoad) watch() error {
	for member := 0; l.stopped.Err() == nil; member++ {
		if err := l.log.follow(l.stopped, l.bases[member%len(l.bases)], 0); err != nil {
			return err
		}
		<-time.After(writerPause)
	}
	return nil
}

// probePause is the time between two writes that find out whether the members serve.
const probePause = 20 * time.Millisecond

// restored waits until one of the members acknowledges a new write, and returns the time of the answer.
func (l *clusterLoad) restored(bases ...string) time.Time {
	l.t.Helper()
	served := make(chan time.Time, 1)
	expired := time.After(servertest.Timeout)
	for {
		for _, base := range bases {
			l.writing.Go(func() { l.probe(base, served) })
		}
		select {
		case at := <-served:
			return at
		case <-time.After(probePause):
		case <-expired:
			l.t.Fatalf("no write was acknowledged by %v within %v", bases, servertest.Timeout)
		}
	}
}

func (l *clusterLoad) probe(base string, served chan<- time.Time) {
	client := l.client(base)
	defer client.HTTP.CloseIdleConnections()
	if l.put(client, len(l.bases)) {
		select {
		case served <- time.Now():
		default: // not the first
		}
	}
}

// settle ends the load, and compares all answers and events with the data of each member.
func (l *clusterLoad) settle() {
	l.t.Helper()
	l.stop()
	l.writing.Wait()
	if err := <-l.watched; err != nil {
		l.t.Fatal(err)
	}
	roots := l.settledRoots()
	index := roots[0].EtcdIndex
	ctx, cancel := context.WithTimeout(context.Background(), servertest.Timeout)
	defer cancel()
	if err := l.log.follow(ctx, l.bases[0], index); err != nil {
		l.t.Fatal(err)
	}
	if l.log.next() <= index {
		l.t.Fatalf("the watch came to %d of %d", l.log.next()-1, index)
	}
	l.state.advance(&l.log, index)
	for _, root := range roots {
		l.state.mustEqual(l.t, root.Node)
	}
	l.account(index)
	for _, base := range l.bases {
		l.remembers(base, index)
	}
}

// settledRoots waits until all members are at the same index, and returns the content of each.
func (l *clusterLoad) settledRoots() []*servertest.KeyAnswer {
	l.t.Helper()
	var roots []*servertest.KeyAnswer
	servertest.Await(l.t, "all members to hold the same index, with the short TTLs expired", func() bool {
		roots = nil
		for _, base := range l.bases {
			c := servertest.NewKeyClient(l.t, base)
			if now, err := c.Do(http.MethodGet, "/?quorum=true", nil); err != nil || now.ErrorCode != 0 {
				return false
			}
			soon, err := c.Do(http.MethodGet, "/soon?recursive=true", nil)
			if err != nil {
				return false
			}
			root := c.Must(l.t, http.MethodGet, "/?recursive=true", nil)
			roots = append(roots, root)
			if soon.Node != nil && len(soon.Node.Nodes) > 0 || root.EtcdIndex != roots[0].EtcdIndex {
				return false
			}
		}
		return true
	})
	return roots
}

// account finds the write for each event, and the event for each acknowledged write.
func (l *clusterLoad) account(index uint64) {
	l.t.Helper()
	unknown := map[issued]bool{}
	for _, w := range l.unknown {
		unknown[w] = true
	}
	found, happened := 0, 0
	for at := uint64(firstEvent); at <= index; at++ {
		event := l.log.at(at)
		if write, ok := l.acknowledged[at]; ok {
			found++
			if !write.is(&event.KeyAnswer) {
				l.t.Errorf("at index %d %v was acknowledged, and there is %s", at, write, event.text)
			}
			continue
		}
		w := issued{event.Action, event.Node.Key, event.Node.Value}
		if event.Action == "create" && len(w.key) > len("/line/") && w.key[:len("/line/")] == "/line/" {
			w.key = "/line/"
		}
		switch {
		case event.Action == "expire":
		case unknown[w]:
			happened++
			delete(unknown, w)
		default:
			l.t.Errorf("no client sent the write of %s, or it was carried out twice", event.text)
		}
	}
	if found != len(l.acknowledged) {
		l.t.Errorf("%d writes were acknowledged, %d of them are in the log", len(l.acknowledged), found)
	}
	l.t.Logf("%d writes acknowledged, %d of them lost; %d without an answer, of which %d were carried out; %d events, each once",
		len(l.acknowledged), len(l.acknowledged)-found, len(l.unknown), happened, index+1-firstEvent)
}

// remembers reads some of the last events from a member. They must be those of the log, byte for byte.
func (l *clusterLoad) remembers(base string, index uint64) {
	c := servertest.NewKeyClient(l.t, base)
	for at := index; at > firstEvent && index-at < 500; at -= min(at, 100) {
		got := servertest.RawGet(l.t, c, "/v2/keys/?wait=true&recursive=true&waitIndex="+servertest.Itoa(at))
		if want := l.log.at(at).text; got != want {
			l.t.Errorf("event %d at %s is\n%s, in the log it is\n%s", at, base, got, want)
		}
	}
}
