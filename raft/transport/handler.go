package transport

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"pando/members"
)

// Silence is how long a stream may bring nothing before it counts as dead.
const Silence = 5 * keepAlive

// maxFrame bounds the length of one message.
const maxFrame = 512 << 20

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

// answerAtOnce lets an answer out while the request goes on. A stream has no end:
// for a client that keeps its connections, the server would wait for that before it
// told it that it is refused.
func answerAtOnce(w http.ResponseWriter) {
	control := http.NewResponseController(w)
	// Where a server can't do either, the sender learns of a refusal late.
	_ = control.EnableFullDuplex()
	_ = control.SetReadDeadline(time.Now().Add(Silence))
}

func (t *Transport) serveStream(w http.ResponseWriter, r *http.Request) {
	from, ok := t.admit(w, r)
	if !ok {
		return
	}
	defer t.lose(from, t.callBack(from))
	control := http.NewResponseController(w)
	in := bufio.NewReaderSize(r.Body, 64<<10)
	for t.ctx.Err() == nil && !t.Removed(from) {
		if err := control.SetReadDeadline(time.Now().Add(Silence)); err != nil {
			return
		}
		m, size, err := readFrame(in)
		if err != nil {
			if err != io.EOF {
				t.Logger.Debug("stream from a peer ended", zap.Stringer("peer", from), zap.Error(err))
			}
			return
		}
		t.hear(from)
		if m != nil {
			t.Received(m, size)
			t.Receive(m)
		}
	}
	if t.Removed(from) {
		w.WriteHeader(http.StatusGone)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// readFrame reads one message; nil for a keep-alive.
func readFrame(in io.Reader) (*raftpb.Message, int, error) {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, 0, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size == 0 {
		return nil, 0, nil
	}
	if size > maxFrame {
		return nil, 0, fmt.Errorf("%w: %d bytes", errFrame, size)
	}
	data, err := readBytes(in, size)
	if err != nil {
		return nil, 0, err
	}
	m := &raftpb.Message{}
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", errFrame, err)
	}
	return m, int(size), nil
}

// promptBytes is the size up to which memory is set aside before a frame has
// come. A longer one gets it as it comes: its length may be a lie.
const promptBytes = 4 << 20

func readBytes(in io.Reader, size uint32) ([]byte, error) {
	if size <= promptBytes {
		data := make([]byte, size)
		_, err := io.ReadFull(in, data)
		return data, err
	}
	data, err := io.ReadAll(io.LimitReader(in, int64(size)))
	if err == nil && len(data) < int(size) {
		err = io.ErrUnexpectedEOF
	}
	return data, err
}

func (t *Transport) serveSnapshot(w http.ResponseWriter, r *http.Request) {
	from, ok := t.admit(w, r)
	if !ok {
		return
	}
	m, size, err := readFrame(r.Body)
	if err == nil && (m == nil || m.GetType() != raftpb.MsgSnap || r.ContentLength < 0) {
		err = errFrame
	}
	if err == nil {
		err = t.ReceiveSnapshot(m, &livelyReader{r.Body, http.NewResponseController(w)}, r.ContentLength-int64(size)-4)
	}
	if err != nil {
		t.Logger.Warn("snapshot not taken", zap.Stringer("from", from), zap.Error(err))
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	t.hear(from)
	w.WriteHeader(http.StatusNoContent)
}

// livelyReader gives up when nothing comes for too long.
type livelyReader struct {
	in      io.Reader
	control *http.ResponseController
}

func (l *livelyReader) Read(p []byte) (int, error) {
	if err := l.control.SetReadDeadline(time.Now().Add(Silence)); err != nil {
		return 0, err
	}
	return l.in.Read(p)
}
