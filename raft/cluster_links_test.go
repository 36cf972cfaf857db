package raft

import (
	"bufio"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"pando/members"
)

// The scenarios take a few seconds each. More of them are run by
//
//	go test ./raft -run 'Linearizable|Reconfigure' -faults 10m
var (
	clusterLog    = flag.Bool("cluster-log", false, "show what the members of test clusters log")
	faultTime     = flag.Duration("faults", 5*time.Second, "how long the random faults go on")
	linearPicture = flag.String("linear-picture", "", "where to draw a history that is not linearizable")
	faultSeed     = flag.Uint64("fault-seed", 0, "what the random faults follow from; 0 for a new one")
)

// link is how one member hears another: a direction of its own.
type link struct {
	// cut breaks connections and refuses new ones.
	cut bool
	// mute swallows all that comes, and keeps the connection.
	mute bool
	// drop and swap are how often, in percent, a message gets lost, or comes
	// after the one behind it.
	drop, swap int
	// delay is how long a message takes, at most.
	delay time.Duration
}

// The states of all links of one member.
var (
	mended = link{}
	cut    = link{cut: true}
)

// links are the links between all members.
type links struct {
	mu     sync.Mutex
	each   map[[2]members.ID]link
	severe map[members.ID]link    // of all links from and to a member
	bodies map[*linkBody]struct{} // open ones
}

func newLinks() *links {
	return &links{each: map[[2]members.ID]link{}, severe: map[members.ID]link{}, bodies: map[*linkBody]struct{}{}}
}

// set puts one direction into a state.
func (l *links) set(from, to members.ID, state link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.each[[2]members.ID{from, to}] = state
	l.breakCut()
}

// sever puts all links of a member into a state; the others' own states stay.
func (l *links) sever(id members.ID, state link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.severe[id] = state
	l.breakCut()
}

// heal mends all links between running members.
func (l *links) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.each)
}

// split cuts both directions between the groups.
func (c *cluster) split(a, b []*replica) {
	for _, x := range a {
		for _, y := range b {
			c.links.set(x.id, y.id, cut)
			c.links.set(y.id, x.id, cut)
		}
	}
}

// isolate cuts a member off from all others.
func (c *cluster) isolate(r *replica) {
	for _, other := range c.members {
		if other != r {
			c.split([]*replica{r}, []*replica{other})
		}
	}
}

// disturb puts the same state on all links between members.
func (c *cluster) disturb(state link) {
	for _, a := range c.members {
		for _, b := range c.members {
			if a != b {
				c.links.set(a.id, b.id, state)
			}
		}
	}
}

func (l *links) state(from, to members.ID) link {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stateLocked(from, to)
}

func (l *links) stateLocked(from, to members.ID) link {
	if l.severe[from].cut || l.severe[to].cut {
		return cut
	}
	return l.each[[2]members.ID{from, to}]
}

// breakCut closes what runs over links that are cut.
func (l *links) breakCut() {
	for b := range l.bodies {
		if l.stateLocked(b.from, b.to).cut {
			b.close()
		}
	}
}

// pass lets a request in, unless its link is cut, and puts what it brings under the
// link's state: the body of a snapshot, or the connection of a stream.
func (l *links) pass(from, to members.ID, w http.ResponseWriter, req *http.Request) (http.ResponseWriter, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stateLocked(from, to).cut {
		return nil, false
	}
	b := &linkBody{links: l, from: from, to: to, in: req.Body, closed: make(chan struct{})}
	if b.whole = strings.HasSuffix(req.URL.Path, "/snapshot"); !b.whole {
		return &linkWriter{w, b}, true
	}
	l.bodies[b] = struct{}{}
	req.Body = b
	return w, true
}

// linkWriter answers a request for a stream. The connection that it gives away is
// under the link's state.
type linkWriter struct {
	http.ResponseWriter
	body *linkBody
}

func (w *linkWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *linkWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	w.body.in = io.NopCloser(buffered)
	w.body.links.mu.Lock()
	w.body.links.bodies[w.body] = struct{}{}
	w.body.links.mu.Unlock()
	linked := &linkConn{conn, w.body}
	return linked, bufio.NewReadWriter(bufio.NewReader(linked), bufio.NewWriter(conn)), nil
}

// linkConn is the connection of a stream.
type linkConn struct {
	net.Conn
	body *linkBody
}

func (c *linkConn) Read(p []byte) (int, error) { return c.body.Read(p) }

func (c *linkConn) Close() error { return errors.Join(c.body.Close(), c.Conn.Close()) }

var errCut = errors.New("the link is cut")

// linkBody is what comes over a link: frames of messages, or a snapshot.
type linkBody struct {
	links    *links
	from, to members.ID
	in       io.ReadCloser
	whole    bool // a snapshot: no frames to lose
	rest     []byte
	deferred []byte // comes after the next one
	once     sync.Once
	closed   chan struct{}
}

func (b *linkBody) close() { b.once.Do(func() { close(b.closed) }) }

// Close is called when the request has ended.
func (b *linkBody) Close() error {
	b.links.mu.Lock()
	delete(b.links.bodies, b)
	b.links.mu.Unlock()
	b.close()
	return b.in.Close()
}

// Read gives what the link lets pass. A cut makes itself felt at the next frame,
// which a stream brings each second; nothing passes meanwhile.
func (b *linkBody) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if err := b.next(p); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *linkBody) next(p []byte) error {
	if b.whole {
		n, err := b.in.Read(p)
		if b.isCut() {
			panic(http.ErrAbortHandler)
		}
		if n == 0 {
			return err
		}
		b.rest = append([]byte(nil), p[:n]...)
		return nil
	}
	frame, err := readRaw(b.in)
	if b.isCut() {
		return errCut
	}
	if err != nil {
		return err
	}
	b.deliver(frame)
	return nil
}

// deliver does to a frame what the link does to it.
func (b *linkBody) deliver(frame []byte) {
	state := b.links.state(b.from, b.to)
	if state.delay > 0 {
		select {
		case <-time.After(rand.N(state.delay)):
		case <-b.closed:
		}
	}
	switch {
	case state.mute || rand.IntN(100) < state.drop:
	case b.deferred == nil && rand.IntN(100) < state.swap:
		b.deferred = frame
	default:
		b.rest = append(frame, b.deferred...)
		b.deferred = nil
	}
}

func (b *linkBody) isCut() bool {
	return closed(b.closed) || b.links.state(b.from, b.to).cut
}

func readRaw(in io.Reader) ([]byte, error) {
	frame := make([]byte, 4)
	if _, err := io.ReadFull(in, frame); err != nil {
		return nil, err
	}
	frame = append(frame, make([]byte, binary.BigEndian.Uint32(frame))...)
	_, err := io.ReadFull(in, frame[4:])
	return frame, err
}

// newRandom is the source of a test's random choices.
func newRandom(t testing.TB) *rand.Rand {
	seed := *faultSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to see this again: -fault-seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
