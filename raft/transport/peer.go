package transport

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"pando/members"
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

	mu   sync.Mutex
	urls []string
	next int // the URL to try next
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

// run keeps a stream to the peer open.
func (p *peer) run() {
	pause := firstPause
	reported := false
	for p.ctx.Err() == nil {
		start := time.Now()
		err := p.stream()
		p.outbox.drop()
		if p.ctx.Err() != nil {
			return
		}
		if time.Since(start) > lastPause {
			pause, reported = firstPause, false
		}
		if !reported {
			p.log.Warn("peer not reachable; trying again", zap.Error(err))
			reported = true
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
	h := req.Header
	h.Set("Content-Type", "application/octet-stream")
	h.Set(headerCluster, p.t.Cluster.String())
	h.Set(headerFrom, p.t.Self.String())
	h.Set(headerTo, p.id.String())
	h.Set(headerProtocol, protocol)
	return req, nil
}

// verdict reads why the peer ended a request.
func (p *peer) verdict(resp *http.Response) error {
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	switch {
	case resp.StatusCode == http.StatusNoContent:
		return nil
	case resp.StatusCode == http.StatusGone:
		p.t.Refused()
		return ErrRemoved
	}
	return fmt.Errorf("transport: %s: %s", resp.Status, text)
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
