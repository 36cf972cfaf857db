package faulttest

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"pando/members/servertest"
)

var (
	mixedTime = flag.Duration("mixed.time", 3*time.Second, "how long clients of v2 and of v3 change the same keys while members fail")
	mixedSeed = flag.Uint64("mixed.seed", 0, "seed of the clients and faults; 0 for a new one")
)

// TestMixed has clients of v2 and of v3 change the same keys, watch them, read old revisions and keep leases, while members are killed,
// stopped and cut off. The history of the keys must be linearizable, watchers must get every event once and in order, reads at old
// revisions must agree with the events, and leases must end when they may.
func TestMixed(t *testing.T) {
	t.Parallel()
	seed := *mixedSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-mixed.seed=%d", seed)
	c := newMixedCluster(t, rand.New(rand.NewPCG(seed, 1)))
	c.start()
	l := newMixedLoad(t, c.clients(-1), seed)
	faults := map[string]int{}
	for end := time.Now().Add(time.Duration(shortened(int(*mixedTime)))); time.Now().Before(end) && !t.Failed(); {
		faults[c.fault()]++
	}
	l.settle()
	t.Logf("faults: %v", faults)
	l.check()
	c.mustAgree()
}

// mixedCluster is a cluster with a network that can be cut, where the system has network namespaces.
type mixedCluster struct {
	*cluster
	network *network // nil on loopback
	random  *rand.Rand
}

func newMixedCluster(t *testing.T, random *rand.Rand) *mixedCluster {
	t.Helper()
	m := &mixedCluster{cluster: &cluster{t: t}, random: random}
	if !networksPossible() {
		m.members = servertest.NewMembers(t, "a", "b", "c")
		m.spawn = func(s servertest.Member) *servertest.Process {
			return s.StartPando(t, loadedFlags(servertest.InitialCluster(m.members))...)
		}
		return m
	}
	m.network = newNetwork(t, "a", "b", "c")
	m.members = m.network.members()
	m.spawn = func(s servertest.Member) *servertest.Process {
		flags := s.Flags(loadedFlags(servertest.InitialCluster(m.members))...)
		return s.StartCommand(t, m.network.command(slices.Index(m.network.hosts, s.Name), append([]string{os.Args[0]}, flags...)...))
	}
	return m
}

// networksPossible reports whether newNetwork can make hosts here.
func networksPossible() bool {
	space := fmt.Sprintf("pt%dprobe", os.Getpid())
	if exec.Command("ip", "netns", "add", space).Run() != nil {
		return false
	}
	return exec.Command("ip", "netns", "delete", space).Run() == nil
}

// fault makes one fault, and repairs it after a while. It returns its kind.
func (m *mixedCluster) fault() string {
	member := m.random.IntN(len(m.running))
	if m.random.IntN(2) == 0 {
		member = m.leader(-1)
	}
	kinds := []string{"killed", "stopped", "cut off", "not heard", "all killed"}
	kind := kinds[m.random.IntN(len(kinds))]
	if m.network == nil && (kind == "cut off" || kind == "not heard") {
		kind = kinds[m.random.IntN(2)]
	}
	pause := time.Duration(50+m.random.IntN(2000)) * time.Millisecond
	other := (member + 1 + m.random.IntN(2)) % len(m.running)
	switch kind {
	case "killed":
		m.running[member].Kill()
		<-time.After(pause / 2)
		m.restart(member)
		return kind
	case "all killed":
		m.killAll()
		return kind
	case "stopped":
		m.running[member].Signal(syscall.SIGSTOP)
		<-time.After(pause)
		m.running[member].Signal(syscall.SIGCONT)
	case "cut off":
		m.network.isolate(member)
		<-time.After(pause)
		m.network.rejoin(member)
	case "not heard":
		m.network.mute(member, other)
		<-time.After(pause)
		m.network.unmute(member, other)
	}
	if m.random.IntN(2) == 0 { // else the next fault comes before the member has caught up
		m.awaitIndex(member, other)
	}
	return kind
}

// killAll kills all members at once, and starts them again.
func (m *mixedCluster) killAll() {
	var killed sync.WaitGroup
	for _, p := range m.running {
		killed.Go(p.Kill)
	}
	killed.Wait()
	for i := range m.running {
		m.running[i] = m.spawn(m.members[i])
	}
	for _, p := range m.running {
		p.AwaitServing()
	}
}

// mixedLoad is all clients of the test.
type mixedLoad struct {
	t        *testing.T
	members  []*mixedMember
	clients  *mixedClients
	watchers []*keyEvents
	past     *pastReads
	leases   *mixedLeases
	log      eventLog // of a watcher of v2

	writing, watching         sync.WaitGroup
	stopWriting, stopWatching context.CancelFunc
}

const (
	mixedClientCount  = 6
	mixedWatcherCount = 3
)

// newMixedLoad starts clients of the members at the addresses.
func newMixedLoad(t *testing.T, bases []string, seed uint64) *mixedLoad {
	t.Helper()
	l := &mixedLoad{t: t}
	for _, base := range bases {
		l.members = append(l.members, newMixedMember(t, base))
	}
	l.clients = &mixedClients{members: l.members, start: time.Now(), open: map[string]int{}}
	l.leases = &mixedLeases{t: t, members: l.members}
	writing, stopWriting := context.WithCancel(t.Context())
	watching, stopWatching := context.WithCancel(t.Context())
	l.stopWriting, l.stopWatching = stopWriting, stopWatching
	t.Cleanup(stopWriting)
	t.Cleanup(stopWatching)
	stream := uint64(1)
	random := func() *rand.Rand {
		stream++
		return rand.New(rand.NewPCG(seed, stream))
	}
	watch := func(run func(random *rand.Rand) error) {
		own := random()
		l.watching.Go(func() {
			if err := run(own); err != nil {
				t.Error(err)
			}
		})
	}
	for range mixedWatcherCount {
		w := &keyEvents{members: l.members, last: 1}
		l.watchers = append(l.watchers, w)
		watch(func(random *rand.Rand) error { return w.run(watching, random) })
	}
	watch(func(random *rand.Rand) error { return l.watchV2(watching, random, bases) })
	l.past = &pastReads{members: l.members, watcher: l.watchers[0], read: map[int64][][]*mvccpb.KeyValue{}}
	for id := range mixedClientCount {
		own := random()
		l.writing.Go(func() { l.clients.run(writing, id, own) })
	}
	for _, run := range []func(context.Context, *rand.Rand){l.past.run, l.leases.keep, l.leases.keep, l.leases.drop} {
		own := random()
		l.writing.Go(func() { run(writing, own) })
	}
	return l
}

// watchV2 collects the events of the v2 API, from one member after the other.
func (l *mixedLoad) watchV2(ctx context.Context, random *rand.Rand, bases []string) error {
	for n := 0; ctx.Err() == nil; n++ {
		stay, cancel := context.WithTimeout(ctx, time.Duration(50+random.IntN(2000))*time.Millisecond)
		err := l.log.follow(stay, bases[n%len(bases)], 0)
		cancel()
		if err != nil {
			return err
		}
		<-time.After(mixedPause)
	}
	return nil
}

// settle ends the writers, and the watchers when they have all events.
func (l *mixedLoad) settle() {
	l.t.Helper()
	l.stopWriting()
	l.writing.Wait()
	l.leases.awaitEnds()
	l.clients.readAll(l.t)
	var last int64
	servertest.Await(l.t, "the last write", func() bool {
		ctx, cancel := context.WithTimeout(l.t.Context(), writerTimeout)
		defer cancel()
		r, err := l.members[0].kv.Put(ctx, &pb.PutRequest{Key: []byte(mixedPrefix + "last")})
		last = r.GetHeader().GetRevision()
		return err == nil
	})
	v2 := servertest.NewKeyClient(l.t, l.members[0].v2.Base)
	index := v2.Must(l.t, http.MethodGet, mixedPrefix+"last?quorum=true", nil).Node.ModifiedIndex
	for i, w := range l.watchers {
		servertest.Await(l.t, fmt.Sprintf("watcher %d to reach revision %d", i, last), func() bool {
			return w.reached() >= last || l.t.Failed()
		})
	}
	servertest.Await(l.t, fmt.Sprintf("the watcher of v2 to reach index %d", index), func() bool {
		return l.log.next() > index || l.t.Failed()
	})
	l.stopWatching()
	l.watching.Wait()
	l.past.readAll(l.t, last)
}

// check compares what the clients have seen.
func (l *mixedLoad) check() {
	l.t.Helper()
	events := l.watchers[0].events
	for i, w := range l.watchers {
		l.t.Logf("watcher %d got %d events over %d streams", i, len(w.events), w.streams)
		if err := sameEvents(events, w.events); err != nil {
			l.t.Errorf("watchers 0 and %d: %v", i, err)
		}
	}
	c, err := replay(events)
	if err != nil {
		l.t.Fatal(err)
	}
	l.checkV2(events)
	l.checkWrites(events)
	l.t.Logf("%d reads at old revisions agree with the events", l.past.check(l.t, c))
	l.leases.check(events)
	l.clients.check(l.t)
}

func sameEvents(a, b []arrivedEvent) error {
	for i := range a {
		if i >= len(b) || a[i].String() != b[i].String() {
			return fmt.Errorf("event %d of %d and %d differs: %v", i, len(a), len(b), a[i])
		}
	}
	if len(b) > len(a) {
		return fmt.Errorf("%d events more: %v", len(b)-len(a), b[len(a)])
	}
	return nil
}

// checkV2 compares the events of v3 with those that v2 has shown.
func (l *mixedLoad) checkV2(events []arrivedEvent) {
	l.t.Helper()
	n := 0
	for at := uint64(firstEvent); at < l.log.next(); at++ {
		e := l.log.at(at)
		if !strings.HasPrefix(e.Node.Key, mixedPrefix) {
			continue
		}
		if n == len(events) {
			l.t.Fatalf("v2 has the event %s, and v3 has none", e.text)
		}
		v3 := events[n]
		n++
		deleted := e.Action == "delete" || e.Action == "compareAndDelete" || e.Action == "expire"
		if e.Node.Key != string(v3.Kv.Key) || deleted != (v3.Type == mvccpb.Event_DELETE) || !deleted && e.Node.Value != string(v3.Kv.Value) {
			l.t.Fatalf("v2 has the event %s, and v3 %v", e.text, v3)
		}
	}
	if n != len(events) {
		l.t.Fatalf("v3 has %d events, and v2 %d", len(events), n)
	}
}

// checkWrites finds one event for each acknowledged write, at its revision, and a client for each event.
func (l *mixedLoad) checkWrites(events []arrivedEvent) {
	l.t.Helper()
	puts, deletions := map[string]arrivedEvent{}, map[string]bool{}
	for _, e := range events {
		if e.Type == mvccpb.Event_DELETE {
			deletions[fmt.Sprintf("%s at %d", e.Kv.Key, e.Kv.ModRevision)] = true
			continue
		}
		name := fmt.Sprintf("%s = %s", e.Kv.Key, e.Kv.Value)
		if _, twice := puts[name]; twice && !strings.HasPrefix(string(e.Kv.Key), mixedPrefix+"lease/") && len(e.Kv.Value) > 0 {
			l.t.Errorf("%s was carried out twice", name)
		}
		puts[name] = e
	}
	acknowledged, known := 0, map[string]bool{}
	for _, op := range l.clients.ops {
		in, out := op.Input.(mixedInput), op.Output.(mixedOutput)
		for slot := range in.val {
			name := fmt.Sprintf("%s = %s", in.keyOf(slot), in.val[slot])
			known[name] = true
			e, found := puts[name]
			switch {
			case out.unknown || in.op == mixedGet || in.op != mixedPutAll && slot != in.slot:
			case in.op == mixedDelete || in.op == mixedDeleteIf:
				if !out.refused && out.revision > 0 && !deletions[fmt.Sprintf("%s at %d", in.keyOf(slot), out.revision)] {
					l.t.Errorf("%+v was acknowledged at %d, and has no event", in, out.revision)
				}
			case out.refused && found:
				l.t.Errorf("%+v was refused, and has the event %v", in, e)
			case !out.refused && (!found || out.revision != 0 && uint64(e.Kv.ModRevision) != out.revision):
				l.t.Errorf("%+v was acknowledged at %d, and has the event %v", in, out.revision, e)
			default:
				acknowledged++
			}
		}
	}
	for name := range puts {
		if !known[name] && !strings.HasPrefix(name, mixedPrefix+"lease/") && !strings.HasPrefix(name, mixedPrefix+"last") {
			l.t.Errorf("no client has written %s", name)
		}
	}
	l.t.Logf("%d writes of keys acknowledged or refused, as the events show", acknowledged)
}
