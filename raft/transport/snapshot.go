package transport

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"pando/members"
)

// A snapshot is a request whose body is a frame with the message that announces the snapshot, and then its content.

// maxSnapshotMessage bounds the message that announces a snapshot, in bytes. It holds a position and the members' IDs.
const maxSnapshotMessage = 1 << 20

// sendSnapshot sends a snapshot, which is the message followed by its content, and reports the outcome to SnapshotSent.
func (p *peer) sendSnapshot(m *raftpb.Message) {
	err := p.trySendSnapshot(m)
	if err != nil {
		p.log.Warn("could not send a snapshot; trying again", zap.Error(err))
		// Raft sends another snapshot as soon as it gets the report. Each snapshot copies the checkpoint, so wait first.
		select {
		case <-time.After(maxPause):
		case <-p.ctx.Done():
		}
	}
	p.t.SnapshotSent(p.id, err)
}

func (p *peer) trySendSnapshot(m *raftpb.Message) error {
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
	if err := p.checkResponse(resp); err != nil {
		return err
	}
	p.log.Info("snapshot sent", zap.Duration("took", time.Since(start)))
	return nil
}

func (t *Transport) serveSnapshot(w http.ResponseWriter, r *http.Request) {
	peer, ok := t.admit(w, r)
	if !ok {
		return
	}
	if err := t.receiveSnapshot(peer.from, w, r); err != nil {
		t.logRejected("did not accept a snapshot", peer.from, err)
		skipBody(w)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	t.noteReceived(peer.from)
	w.WriteHeader(http.StatusNoContent)
}

// receiveSnapshot reads and validates the message that announces a snapshot. It passes the message and the content to
// ReceiveSnapshot.
func (t *Transport) receiveSnapshot(from members.ID, w http.ResponseWriter, r *http.Request) error {
	in := newFrameReader(&minRateReader{in: r.Body, timer: http.NewResponseController(w)}, maxSnapshotMessage)
	m, size, err := in.next()
	switch {
	case err != nil:
		return err
	case m == nil || m.GetType() != raftpb.MsgSnap || r.ContentLength < 0:
		return errFrame
	}
	if err := t.validate(from, m); err != nil {
		t.MessageRejected(from, err)
		return err
	}
	return t.ReceiveSnapshot(m, in.in, r.ContentLength-int64(size)-headerSize)
}
