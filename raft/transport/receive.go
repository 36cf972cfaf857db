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

// Register passes the handlers of peer requests, with their paths, to the router of the peer URLs.
func (t *Transport) Register(handle func(pattern string, h http.HandlerFunc)) {
	handle(streamPath, t.serveStream)
	handle(snapshotPath, t.serveSnapshot)
	handle(logPath, t.serveLogReport)
	handle(leasePath, t.serveLeases)
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
		t.Logger.Debug("could not accept a stream from a peer", zap.Stringer("peer", peer.from), zap.Error(err))
		return
	}
	defer func() { _ = closeNow(conn) }()
	// The HTTP server does not close a connection that has switched protocols.
	defer context.AfterFunc(t.ctx, func() { _ = closeNow(conn) })()
	t.addIncoming(peer, conn)
	defer t.removeIncoming(peer.from, conn)
	t.recheckNew(peer.from, conn)
	switch err := t.receiveAll(peer.from, newFrameReader(in, t.MaxMessage)); {
	case errors.Is(err, errFrame):
		t.logRejected("closed a stream after an invalid frame", peer.from, err)
	case err != io.EOF:
		t.Logger.Debug("stream from a peer ended", zap.Stringer("peer", peer.from), zap.Error(err))
	}
}

// receiveAll passes the messages of a stream to Receive, until the stream ends or its member is removed from the cluster.
func (t *Transport) receiveAll(from members.ID, in *frameReader) error {
	var messages []*raftpb.Message
	in.hugeFrames = t.hugeFrames
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
	return ErrRemoved // the member itself learns it from the response to its next request
}

// readAvailable waits for a frame. It appends the message of this frame and of all others that have arrived completely, up
// to maxFrames messages. It drops invalid messages and empty frames.
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

// logRejected logs that a frame or a snapshot from a member was not accepted. The member sends it again and again, so the
// pauses between log lines grow.
func (t *Transport) logRejected(what string, from members.ID, err error) {
	t.mu.Lock()
	due := t.rejected.Due(time.Now())
	t.mu.Unlock()
	if due {
		t.Logger.Warn(what, zap.Stringer("from", from), zap.Error(err))
	}
}
