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
	faultSeed     = flag.Uint64("fault-seed", 0, "seed of the random faults; 0 for a random one")
)

// link is the state of one direction between two members.
type link struct {
	// cut closes connections and refuses new ones.
	cut bool
	// mute keeps the connection and drops everything on it.
	mute bool
	// drop and swap are the percentages of messages that get lost, and of those that arrive after the next one.
	drop, swap int
	// delay is the longest time that a message takes.
	delay time.Duration
}

// Usual states of all links of one member.
var (
	mended = link{}
	cut    = link{cut: true}
)

// links are the links between all members.
type links struct {
	mu     sync.Mutex
	each   map[[2]members.ID]link
	all    map[members.ID]link    // of all links from and to a member
	bodies map[*linkBody]struct{} // open ones
}

func newLinks() *links {
	return &links{each: map[[2]members.ID]link{}, all: map[members.ID]link{}, bodies: map[*linkBody]struct{}{}}
}

// set sets the state of one direction.
func (l *links) set(from, to members.ID, state link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.each[[2]members.ID{from, to}] = state
	l.breakCut()
}

// setAll sets the state of all links of a member. The states of single directions stay.
func (l *links) setAll(id members.ID, state link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[id] = state
	l.breakCut()
}

// heal removes the states of all single directions.
func (l *links) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.each)
}

// split cuts both directions between two groups.
func (c *cluster) split(a, b []*replica) {
	for _, x := range a {
		for _, y := range b {
			c.links.set(x.id, y.id, cut)
			c.links.set(y.id, x.id, cut)
		}
	}
}

// isolate cuts a member off from all other members.
func (c *cluster) isolate(r *replica) {
	for _, other := range c.members {
		if other != r {
			c.split([]*replica{r}, []*replica{other})
		}
	}
}

// disturb sets the same state for all links between members.
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
	if l.all[from].cut || l.all[to].cut {
		return cut
	}
	return l.each[[2]members.ID{from, to}]
}

// breakCut closes the bodies of requests over links that are cut.
func (l *links) breakCut() {
	for b := range l.bodies {
		if l.stateLocked(b.from, b.to).cut {
			b.close()
		}
	}
}

// pass lets a request in unless its link is cut. The body of a snapshot, or the connection of a stream, is then
// subject to the link's state.
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

// linkWriter answers a request for a stream. The connection that it gives away is subject to the link's state.
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

// linkBody is the data that arrives over a link: frames of messages, or a snapshot.
type linkBody struct {
	links    *links
	from, to members.ID
	in       io.ReadCloser
	whole    bool // a snapshot: no frames to lose
	rest     []byte
	delayed  []byte // arrives after the next one
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

// Read returns the data that the link lets pass. A cut takes effect at the next frame, which a stream sends each
// second; nothing passes meanwhile.
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

// deliver applies the link's state to a frame.
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
	case b.delayed == nil && rand.IntN(100) < state.swap:
		b.delayed = frame
	default:
		b.rest = append(frame, b.delayed...)
		b.delayed = nil
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
