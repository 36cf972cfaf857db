package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"pando/members"
	"pando/raft/pace"
)

// The pause between two attempts to connect to a peer doubles from minPause to maxPause. A random factor keeps the members
// from retrying at the same time.
const (
	minPause = 20 * time.Millisecond
	maxPause = time.Second
)

// A stream is stable if it has lasted for stableAfter. The end of a stable stream is logged at once. If a peer accepts
// streams and closes them early, the pauses between log lines grow.
const stableAfter = time.Minute

// peer keeps a stream open to one member, and sends snapshots to it.
type peer struct {
	t        *Transport
	id       members.ID
	sender   *sender
	ctx      context.Context // done when the peer is removed or the transport is closed
	stop     context.CancelFunc
	log      *zap.Logger
	retryNow chan struct{} // ends the pause between attempts; capacity 1

	mu               sync.Mutex
	urls             []string
	nextURL          int             // counts calls of url; the index in urls is the remainder
	stream           *outgoingStream // the latest stream to the peer, open or closed; nil before the first
	lastAnnouncement announcement    // from the peer's response to the request for stream
}

func newPeer(t *Transport, m members.Member) *peer {
	p := &peer{t: t, id: m.ID, urls: m.PeerURLs, log: t.Logger.With(zap.Stringer("peer", m.ID)), retryNow: make(chan struct{}, 1)}
	p.ctx, p.stop = context.WithCancel(t.ctx)
	p.sender = newSender(m.ID, t.MaxQueued, t.Sent, func() { t.Unreachable(m.ID) })
	return p
}

// setURLs sets the peer's URLs. If all of them have the scheme https, it closes a stream without TLS, so that the next
// stream uses TLS.
func (p *peer) setURLs(urls []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.urls = urls
	if p.stream != nil && isPlain(p.stream.url) && !slices.ContainsFunc(urls, isPlain) {
		_ = p.stream.Close() // the stream may have ended
	}
}

// isPlain reports whether connections to a URL use no TLS.
func isPlain(url string) bool { return !strings.HasPrefix(url, "https://") }

func (p *peer) allURLs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.urls
}

// url joins a path to one of the peer's URLs, and takes the next URL with each call. It returns "" if the peer has no URL.
func (p *peer) url(path string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.urls) == 0 {
		return ""
	}
	p.nextURL++
	return p.urls[p.nextURL%len(p.urls)] + path
}

// retry makes run connect now instead of waiting for the end of the pause.
func (p *peer) retry() {
	select {
	case p.retryNow <- struct{}{}:
	default:
	}
}

// run opens a stream to the peer, and opens another one whenever the stream ends, until the peer is stopped.
func (p *peer) run() {
	pause := minPause
	var logged pace.Pace
	for p.ctx.Err() == nil {
		start := time.Now()
		err := p.runStream()
		p.sender.drop()
		if p.ctx.Err() != nil {
			return
		}
		lasted := time.Since(start)
		if lasted > maxPause {
			pause = minPause
		}
		if lasted > stableAfter {
			logged.Reset()
		}
		if logged.Due(time.Now()) {
			p.logFailure(err)
		}
		p.t.Unreachable(p.id)
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-p.retryNow:
		case <-p.ctx.Done():
		}
		pause = min(2*pause, maxPause)
	}
}

// logFailure logs why there is no stream to the peer.
func (p *peer) logFailure(err error) {
	text := "no stream to the peer; trying again"
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		text = "the peer refuses this member; trying again"
	case errors.Is(err, errIncompatible):
		text = "the peer is incompatible; trying again"
	}
	p.log.Warn(text, zap.Strings("peer-urls", p.allURLs()), zap.Error(err))
}

// runStream opens a stream and writes to it until it ends. It returns the error that prevented or ended the stream.
func (p *peer) runStream() error {
	conn, direct, err := p.connect()
	if err != nil {
		return err
	}
	// The HTTP client does not close a connection that has switched protocols.
	defer context.AfterFunc(p.ctx, func() { _ = conn.Close() })()
	p.sender.open(conn, direct)
	p.t.recheckNew(p.id, conn.conn)
	return p.sender.run()
}

// setStream records a new stream to the peer, and the announcement in the peer's response.
func (p *peer) setStream(stream *outgoingStream, a announcement) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stream, p.lastAnnouncement = stream, a
}

// latestStream returns the latest stream to the peer, open or closed, or nil before the first.
func (p *peer) latestStream() *outgoingStream {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stream
}

// recheck closes the stream if the peer is no longer compatible.
func (p *peer) recheck() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream != nil && p.t.checkCompatible(p.lastAnnouncement) != nil {
		_ = p.stream.Close()
	}
}

// request returns a new request to the peer, with a body of size bytes.
func (p *peer) request(ctx context.Context, path string, body io.Reader, size int64) (*http.Request, error) {
	url := p.url(path)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		return nil, fmt.Errorf("transport: peer URL %q: %w", url, err)
	}
	req.ContentLength = size
	p.t.announce(req.Header)
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set(headerTo, p.id.String())
	return req, nil
}
