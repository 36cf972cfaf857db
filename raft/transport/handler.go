package transport

import (
	"context"
	"errors"
	"fmt"
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
}

// admit checks who wants to talk to whom, and answers those who may not.
func (t *Transport) admit(w http.ResponseWriter, r *http.Request) (members.ID, bool) {
	answerAtOnce(w)
	refuse := func(status int, format string, args ...any) (members.ID, bool) {
		http.Error(w, fmt.Sprintf(format, args...), status)
		return 0, false
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refuse(http.StatusMethodNotAllowed, "Method Not Allowed")
	}
	if v := r.Header.Get(headerProtocol); v != protocol {
		return refuse(http.StatusPreconditionFailed, "peer protocol %q, this member speaks %q", v, protocol)
	}
	if c := r.Header.Get(headerCluster); c != t.Cluster.String() {
		return refuse(http.StatusPreconditionFailed, "request of cluster %s, this member is of cluster %s; do two clusters share a peer URL?", c, t.Cluster)
	}
	if to := r.Header.Get(headerTo); to != t.Self.String() {
		return refuse(http.StatusPreconditionFailed, "request for member %s, this is member %s; is a peer URL out of date?", to, t.Self)
	}
	from, err := members.ParseID(r.Header.Get(headerFrom))
	if err != nil {
		return refuse(http.StatusBadRequest, "the request does not say whom it is from")
	}
	if t.Removed(from) {
		return refuse(http.StatusGone, "member %s was removed from the cluster", from)
	}
	return from, true
}

// answerAtOnce lets an answer out while the request's body still comes. That of a
// snapshot is long, and what members of another version send may have no end: for a
// client that keeps its connections, the server would wait for it before it told it
// that it is refused.
func answerAtOnce(w http.ResponseWriter) {
	control := http.NewResponseController(w)
	// Where a server can't do either, the sender learns of a refusal late.
	_ = control.EnableFullDuplex()
	_ = control.SetReadDeadline(time.Now().Add(Silence))
}

func (t *Transport) serveStream(w http.ResponseWriter, r *http.Request) {
	from, ok := t.admit(w, r)
	if !ok || !asksForStream(w, r) {
		return
	}
	if !t.enter() {
		http.Error(w, "this member is stopping", http.StatusServiceUnavailable)
		return
	}
	defer t.wg.Done()
	conn, in, err := accept(w)
	if err != nil {
		t.Logger.Debug("stream from a peer not taken", zap.Stringer("peer", from), zap.Error(err))
		return
	}
	defer func() { _ = conn.Close() }()
	// The server has forgotten the connection.
	defer context.AfterFunc(t.ctx, func() { _ = conn.Close() })()
	defer t.lose(from, t.callBack(from))
	switch err := t.listen(from, newFrameReader(in, t.MaxMessage)); {
	case errors.Is(err, errFrame):
		t.Logger.Warn("message from a peer not taken", zap.Stringer("peer", from), zap.Error(err))
	case err != io.EOF:
		t.Logger.Debug("stream from a peer ended", zap.Stringer("peer", from), zap.Error(err))
	}
}

// listen takes what a member says, until its stream ends or it is removed.
func (t *Transport) listen(from members.ID, in *frameReader) error {
	var messages []*raftpb.Message
	for !t.Removed(from) {
		var err error
		messages, err = t.readTogether(in, messages[:0])
		if err == nil || len(messages) > 0 {
			t.hear(from)
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
func (t *Transport) readTogether(in *frameReader, messages []*raftpb.Message) ([]*raftpb.Message, error) {
	for {
		m, size, err := in.next()
		if err != nil {
			return messages, err
		}
		if m != nil {
			t.Received(m, size)
			messages = append(messages, m)
		}
		if len(messages) == maxFrames || !in.ready() {
			return messages, nil
		}
	}
}

// maxAnnouncement bounds the message in front of a snapshot, which names a position and the members.
const maxAnnouncement = 1 << 20

func (t *Transport) serveSnapshot(w http.ResponseWriter, r *http.Request) {
	from, ok := t.admit(w, r)
	if !ok {
		return
	}
	in := newFrameReader(&livelyReader{in: r.Body, timer: http.NewResponseController(w)}, maxAnnouncement)
	m, size, err := in.next()
	if err == nil && (m == nil || m.GetType() != raftpb.MsgSnap || r.ContentLength < 0) {
		err = errFrame
	}
	if err == nil {
		err = t.ReceiveSnapshot(m, in.in, r.ContentLength-int64(size)-headSize)
	}
	if err != nil {
		t.Logger.Warn("snapshot not taken", zap.Stringer("from", from), zap.Error(err))
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	t.hear(from)
	w.WriteHeader(http.StatusNoContent)
}
