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

// Register adds the handlers of peer requests to the router of the peer URLs.
func (t *Transport) Register(handle func(pattern string, h http.HandlerFunc)) {
	handle(streamPath, t.serveStream)
	handle(snapshotPath, t.serveSnapshot)
	handle(logPath, t.serveLogReport)
}

func (t *Transport) serveStream(w http.ResponseWriter, r *http.Request) {
	peer, ok := t.admit(w, r)
	if !ok || !checkUpgrade(w, r) {
		return
	}
	if !t.beginTask() {
		http.Error(w, "this member is stopping", http.StatusServiceUnavailable)
		return
	}
	defer t.tasks.Done()
	conn, in, err := t.acceptStream(w)
	if err != nil {
		t.Logger.Debug("stream from a peer not taken", zap.Stringer("peer", peer.from), zap.Error(err))
		return
	}
	defer func() { _ = conn.Close() }()
	// The HTTP server does not close a connection that has switched protocols.
	defer context.AfterFunc(t.ctx, func() { _ = conn.Close() })()
	t.addIncoming(peer, conn)
	defer t.removeIncoming(peer.from, conn)
	switch err := t.receiveAll(peer.from, newFrameReader(in, t.MaxMessage)); {
	case errors.Is(err, errFrame):
		t.logRejected("message from a peer not taken", peer.from, err)
	case err != io.EOF:
		t.Logger.Debug("stream from a peer ended", zap.Stringer("peer", peer.from), zap.Error(err))
	}
}

// receiveAll hands on the messages of a stream, until it ends or its member is removed from the cluster.
func (t *Transport) receiveAll(from members.ID, in *frameReader) error {
	var messages []*raftpb.Message
	in.longFrame = t.longFrame
	for t.Membership(from) != Removed {
		var err error
		messages, err = t.readAvailable(from, in, messages[:0])
		if err == nil || len(messages) > 0 {
			t.noteReceived(from)
		}
		if len(messages) > 0 {
			t.Receive(messages)
			clear(messages)
		}
		if err != nil {
			return err
		}
	}
	return ErrRemoved // the answer to the member's next request says so
}

// readAvailable waits for a frame, and appends its message and those of all frames that have arrived by then, up to
// maxFrames. It drops invalid messages and empty frames.
func (t *Transport) readAvailable(from members.ID, in *frameReader, messages []*raftpb.Message) ([]*raftpb.Message, error) {
	for {
		m, size, err := in.next()
		if err != nil {
			return messages, err
		}
		if m != nil {
			if err := t.validate(from, m); err != nil {
				t.MessageRejected(from, err)
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

// logRejected logs less and less often that something of a member was not accepted: the member sends it again and again.
func (t *Transport) logRejected(what string, from members.ID, err error) {
	t.mu.Lock()
	due := t.rejected.Due(time.Now())
	t.mu.Unlock()
	if due {
		t.Logger.Warn(what, zap.Stringer("from", from), zap.Error(err))
	}
}
