package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"pando/members"
)

// Silence is how long a stream may bring nothing before it counts as dead.
const Silence = 5 * keepAlive

// Register mounts the receiving side on the peer URLs' router.
func (t *Transport) Register(handle func(pattern string, h http.HandlerFunc)) {
	handle(streamPath, t.serveStream)
	handle(snapshotPath, t.serveSnapshot)
	handle(logPath, t.serveLog)
}

func (t *Transport) serveStream(w http.ResponseWriter, r *http.Request) {
	peer, ok := t.admit(w, r)
	if !ok || !asksForStream(w, r) {
		return
	}
	if !t.enter() {
		http.Error(w, "this member is stopping", http.StatusServiceUnavailable)
		return
	}
	defer t.wg.Done()
	conn, in, err := t.accept(w)
	if err != nil {
		t.Logger.Debug("stream from a peer not taken", zap.Stringer("peer", peer.from), zap.Error(err))
		return
	}
	defer func() { _ = conn.Close() }()
	// The server has forgotten the connection.
	defer context.AfterFunc(t.ctx, func() { _ = conn.Close() })()
	t.callBack(peer, conn)
	defer t.lose(peer.from, conn)
	switch err := t.listen(peer, newFrameReader(in, t.MaxMessage)); {
	case errors.Is(err, errFrame):
		t.notTaken("message from a peer not taken", peer.from, err)
	case err != io.EOF:
		t.Logger.Debug("stream from a peer ended", zap.Stringer("peer", peer.from), zap.Error(err))
	}
}

// listen takes what a member says, until its stream ends or it is removed.
func (t *Transport) listen(peer announcement, in *frameReader) error {
	var messages []*raftpb.Message
	in.long = t.long
	for t.Standing(peer.from) != Removed {
		var err error
		messages, err = t.readTogether(peer.from, in, messages[:0])
		if err == nil || len(messages) > 0 {
			t.hear(peer.from)
		}
		if len(messages) > 0 {
			t.Receive(messages)
			clear(messages)
		}
		if err != nil {
			return err
		}
	}
	return ErrRemoved // learned by its next request
}

// readTogether waits for a frame, and appends its message and those of the frames
// that have come with it.
func (t *Transport) readTogether(from members.ID, in *frameReader, messages []*raftpb.Message) ([]*raftpb.Message, error) {
	for {
		m, size, err := in.next()
		if err != nil {
			return messages, err
		}
		if m != nil {
			if err := t.check(from, m); err != nil {
				t.Refuse(from, err)
			} else {
				t.Received(m, size)
				messages = append(messages, m)
			}
		}
		if len(messages) == maxFrames || !in.ready() {
			return messages, nil
		}
	}
}

// maxAnnouncement bounds the message in front of a snapshot, which names a position and the members.
const maxAnnouncement = 1 << 20

func (t *Transport) serveSnapshot(w http.ResponseWriter, r *http.Request) {
	peer, ok := t.admit(w, r)
	if !ok {
		return
	}
	if err := t.takeSnapshot(peer.from, w, r); err != nil {
		t.notTaken("snapshot not taken", peer.from, err)
		answerAtOnce(w)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	t.hear(peer.from)
	w.WriteHeader(http.StatusNoContent)
}

// takeSnapshot reads the message that announces a snapshot, checks it, and hands on
// what follows it.
func (t *Transport) takeSnapshot(from members.ID, w http.ResponseWriter, r *http.Request) error {
	in := newFrameReader(&steadyReader{in: r.Body, timer: http.NewResponseController(w)}, maxAnnouncement)
	m, size, err := in.next()
	switch {
	case err != nil:
		return err
	case m == nil || m.GetType() != raftpb.MsgSnap || r.ContentLength < 0:
		return errFrame
	}
	if err := t.check(from, m); err != nil {
		t.Refuse(from, err)
		return err
	}
	return t.ReceiveSnapshot(m, in.in, r.ContentLength-int64(size)-headSize)
}

// notTaken tells of what could not be taken from a peer, more and more rarely: who sent
// it tries again and again.
func (t *Transport) notTaken(what string, from members.ID, err error) {
	t.mu.Lock()
	due := t.failures.Due(time.Now())
	t.mu.Unlock()
	if due {
		t.Logger.Warn(what, zap.Stringer("from", from), zap.Error(err))
	}
}
