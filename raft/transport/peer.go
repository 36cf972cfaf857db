package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"pando/members"
	"pando/raft/pace"
)

// The pause between attempts to connect to a peer is doubled from minPause to maxPause. Each is varied at random, so that
// the members don't retry in step.
const (
	minPause = 20 * time.Millisecond
	maxPause = time.Second
)

// stableAfter is how long a stream must have lasted for its end to be logged at once again. A peer that accepts streams
// and closes them soon is logged less and less often.
const stableAfter = time.Minute

// peer keeps a stream open to one member, and sends snapshots to it.
type peer struct {
	t        *Transport
	id       members.ID
	sender   *sender
	ctx      context.Context // done when the peer is removed, or the transport closed
	stop     context.CancelFunc
	log      *zap.Logger
	retryNow chan struct{} // has room for one; ends the pause between attempts

	mu      sync.Mutex
	urls    []string
	nextURL int          // index, modulo the number of URLs
	theirs  announcement // of the peer, when it accepted the last stream
	stream  io.Closer    // the last stream, which may have ended; nil before the first
}

func newPeer(t *Transport, m members.Member) *peer {
	p := &peer{t: t, id: m.ID, urls: m.PeerURLs, log: t.Logger.With(zap.Stringer("peer", m.ID)), retryNow: make(chan struct{}, 1)}
	p.ctx, p.stop = context.WithCancel(t.ctx)
	p.sender = newSender(m.ID, t.MaxQueued, t.Sent, func() { t.Unreachable(m.ID) })
	return p
}

func (p *peer) setURLs(urls []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.urls = urls
}

func (p *peer) allURLs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.urls
}

// url returns a path at one of the peer's URLs, at another one each time. It is empty if the peer has no URL.
func (p *peer) url(path string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.urls) == 0 {
		return ""
	}
	p.nextURL++
	return p.urls[p.nextURL%len(p.urls)] + path
}

// retry ends the pause between two attempts to connect.
func (p *peer) retry() {
	select {
	case p.retryNow <- struct{}{}:
	default:
	}
}

// run connects to the peer, and connects again whenever the stream ends, until the peer is stopped.
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
	text := "peer not reachable; trying again"
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		text = "the peer refuses this member; trying again"
	case errors.Is(err, errIncompatible):
		text = "the peer does not fit this cluster; trying again"
	}
	p.log.Warn(text, zap.Strings("peer-urls", p.allURLs()), zap.Error(err))
}

// runStream opens a stream, and returns why it could not be opened, or why it has ended.
func (p *peer) runStream() error {
	conn, direct, err := p.connect()
	if err != nil {
		return err
	}
	// The HTTP client does not close a connection that has switched protocols.
	defer context.AfterFunc(p.ctx, func() { _ = conn.Close() })()
	p.sender.open(conn, direct)
	return p.sender.run()
}

// setStream records the stream to the peer, and what the peer announced when it accepted it.
func (p *peer) setStream(stream io.Closer, theirs announcement) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stream, p.theirs = stream, theirs
}

// recheck closes the stream if the peer no longer fits this cluster.
func (p *peer) recheck() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream != nil && p.t.checkCompatible(p.theirs) != nil {
		_ = p.stream.Close()
	}
}

// request makes a request to the peer, with a body of size bytes.
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
