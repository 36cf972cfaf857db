package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"pando/members"
	"pando/raft/pace"
)

// Pauses between attempts to reach a peer: doubled from the first to the last,
// and spread, so that members don't come in step.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
)

// peer is the sending side of the connection to one member.
type peer struct {
	t      *Transport
	id     members.ID
	outbox *outbox
	ctx    context.Context
	stop   context.CancelFunc
	log    *zap.Logger
	again  chan struct{} // the peer was heard: the pause may end

	mu     sync.Mutex
	urls   []string
	next   int          // the URL to try next
	theirs announcement // with which the peer took the stream
	conn   io.Closer    // of that stream; nil before the first
}

func newPeer(t *Transport, m members.Member) *peer {
	p := &peer{t: t, id: m.ID, urls: m.PeerURLs, log: t.Logger.With(zap.Stringer("peer", m.ID)), again: make(chan struct{}, 1)}
	p.ctx, p.stop = context.WithCancel(t.ctx)
	p.outbox = newOutbox(m.ID, t.MaxWaiting, t.Sent, func() { t.Unreachable(m.ID) })
	return p
}

func (p *peer) setURLs(urls []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.urls = urls
}

// url gives one of the peer's URLs, another one each time.
func (p *peer) url(path string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.urls) == 0 {
		return ""
	}
	p.next++
	return p.urls[p.next%len(p.urls)] + path
}

// connected records the stream to the peer, and what the peer announced when it took it.
func (p *peer) connected(conn io.Closer, theirs announcement) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn, p.theirs = conn, theirs
}

// recheck ends the stream if the peer no longer fits this cluster.
func (p *peer) recheck() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil && p.t.checkCompatible(p.theirs) != nil {
		_ = p.conn.Close()
	}
}

// run keeps a stream to the peer open.
func (p *peer) run() {
	pause := firstPause
	var told pace.Pace
	for p.ctx.Err() == nil {
		start := time.Now()
		err := p.stream()
		p.outbox.drop()
		if p.ctx.Err() != nil {
			return
		}
		if lasted := time.Since(start); lasted > lastPause {
			pause = firstPause
			if lasted > steady {
				told.Reset()
			}
		}
		if told.Due(time.Now()) {
			p.tell(err)
		}
		p.t.Unreachable(p.id)
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-p.again:
		case <-p.ctx.Done():
		}
		pause = min(2*pause, lastPause)
	}
}

// steady is how long a stream must have lasted for its end to be news: a peer that
// takes streams and ends them at once is told of more and more rarely.
const steady = time.Minute

// tell logs why there is no stream to the peer.
func (p *peer) tell(err error) {
	var refusal *refusal
	text := "peer not reachable; trying again"
	switch {
	case errors.As(err, &refusal):
		text = "the peer refuses this member; trying again"
	case errors.Is(err, errIncompatible):
		text = "the peer does not fit this cluster; trying again"
	}
	p.log.Warn(text, zap.Strings("peer-urls", p.allURLs()), zap.Error(err))
}

func (p *peer) allURLs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.urls
}

// stream opens a stream and returns when it has ended.
func (p *peer) stream() error {
	conn, direct, err := p.connect()
	if err != nil {
		return err
	}
	// The client has forgotten the connection.
	defer context.AfterFunc(p.ctx, func() { _ = conn.Close() })()
	return p.outbox.open(conn, direct).run()
}

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

// refusal is why a peer, or whatever listens at its URL, does not take a request.
type refusal struct {
	status string
	text   string
}

func (r *refusal) Error() string { return fmt.Sprintf("transport: %s: %s", r.status, r.text) }

// verdict reads why the peer ended a request.
func (p *peer) verdict(resp *http.Response) error {
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	said := &refusal{resp.Status, strings.TrimSpace(string(text))}
	switch resp.StatusCode {
	case http.StatusNoContent:
		return nil
	case http.StatusGone:
		if p.answered(resp) {
			p.t.Refused()
			return ErrRemoved
		}
	case http.StatusConflict:
		if p.answered(resp) {
			if err := p.t.checkCompatible(readAnnouncement(p.id, resp.Header)); err != nil {
				return err
			}
		}
	case http.StatusPreconditionFailed:
		return p.mismatch(resp, said)
	}
	return said
}

// mismatch explains a request that was for somebody else than the one it came to.
func (p *peer) mismatch(resp *http.Response, said *refusal) error {
	met := resp.Header.Get(headerCluster)
	switch {
	case met == "": // a member of an older version, whose text says it
	case met != p.t.Cluster.String():
		said.text = fmt.Sprintf("the member at this URL is of cluster %s, this member's data directory says cluster %s. "+
			"The one of the two that is new here was started with another --initial-cluster or --initial-cluster-token, "+
			"or with --initial-cluster-state new in place of existing: stop it, delete its data directory, and start it with the right flags",
			met, p.t.Cluster)
	case resp.Header.Get(headerFrom) != p.id.String():
		said.text = fmt.Sprintf("member %s listens at this URL, not member %s: correct the peer URLs of one of them, or remove the one that is gone",
			resp.Header.Get(headerFrom), p.id)
	}
	return said
}

// answered reports whether it was the peer itself that answered, as a member of this
// cluster. Anything else that listens at its URL has nothing to say about this member.
func (p *peer) answered(resp *http.Response) bool {
	return resp.Header.Get(headerCluster) == p.t.Cluster.String() && resp.Header.Get(headerFrom) == p.id.String()
}

// sendSnapshot sends the message with the content that it announces.
func (p *peer) sendSnapshot(m *raftpb.Message) {
	err := p.snapshot(m)
	if err != nil {
		p.log.Warn("snapshot not sent; trying again", zap.Error(err))
		// Raft tries again as soon as it is told, and each time copies the
		// checkpoint.
		select {
		case <-time.After(lastPause):
		case <-p.ctx.Done():
		}
	}
	p.t.SnapshotSent(p.id, err)
}

func (p *peer) snapshot(m *raftpb.Message) error {
	content, size, err := p.t.Snapshot(m)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	frame, _, err := appendFrame(nil, m)
	if err != nil {
		return err
	}
	start := time.Now()
	p.log.Info("sending a snapshot", zap.Uint64("index", m.GetSnapshot().GetMetadata().GetIndex()), zap.Int64("bytes", size))
	body := io.MultiReader(bytes.NewReader(frame), content)
	req, err := p.request(p.ctx, snapshotPath, body, int64(len(frame))+size)
	if err != nil {
		return err
	}
	resp, err := p.t.Client.Do(req)
	if err != nil {
		return err
	}
	if err := p.verdict(resp); err != nil {
		return err
	}
	p.log.Info("snapshot sent", zap.Duration("took", time.Since(start)))
	return nil
}
