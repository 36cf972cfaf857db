package transport

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"pando/members"
	"pando/stats"
)

// The paths on the peer URLs.
const (
	streamPath   = "/raft/stream"
	snapshotPath = "/raft/snapshot"
	logPath      = "/raft/log"
)

// The headers by which a member describes itself. Requests and answers have all of them, but for headerTo.
const (
	headerCluster = "X-Etcd-Cluster-Id"
	headerFrom    = "X-Pando-From"
	headerTo      = "X-Pando-To"
	// headerProtocol is the lowest protocol that the sender serves, headerProtocols its range as "LOWEST-HIGHEST".
	// Programs without feature levels send headerProtocol alone, and only in requests.
	headerProtocol  = "X-Pando-Protocol"
	headerProtocols = "X-Pando-Protocols"
	// headerLevel is the highest feature level that the sender serves. It is missing at level 0.
	headerLevel = "X-Pando-Feature-Level"
	// headerVersion is the version of the sender's program, for error texts.
	headerVersion = "X-Pando-Version"
	// headerFounding is the founding ID of the sender's cluster, or noFounding where that is not known yet. Programs
	// without founding IDs don't send it.
	headerFounding = "X-Pando-Founding"
	noFounding     = "none"
)

// announcement is what a member says of itself in the headers of a request or of an answer.
type announcement struct {
	from        members.ID
	founding    members.ID // zero while it is not known
	hasFounding bool       // the program has founding IDs
	protocols   protocolRange
	level       uint64
	version     string
}

// announce writes this member's announcement.
func (t *Transport) announce(h http.Header) {
	h.Set(headerCluster, t.Cluster.String())
	h.Set(headerFrom, t.Self.String())
	h.Set(headerProtocol, strconv.Itoa(t.protocols.lowest))
	h.Set(headerProtocols, t.protocols.String())
	if t.Level > 0 {
		h.Set(headerLevel, strconv.FormatUint(t.Level, 10))
	}
	h.Set(headerVersion, stats.Version)
	founding := noFounding
	if id := t.Founding(); id != 0 {
		founding = id.String()
	}
	h.Set(headerFounding, founding)
}

// readAnnouncement reads the announcement of another member, whose ID the caller knows or checks.
func readAnnouncement(from members.ID, h http.Header) announcement {
	a := announcement{from: from, protocols: readProtocols(h), version: h.Get(headerVersion)}
	text := h.Get(headerFounding)
	id, err := members.ParseID(text)
	a.founding, a.hasFounding = id, err == nil || text == noFounding
	if level, err := strconv.ParseUint(h.Get(headerLevel), 10, 64); err == nil { // otherwise it is level 0
		a.level = level
	}
	return a
}

// admit checks whether a request may be served, and answers it if not.
func (t *Transport) admit(w http.ResponseWriter, r *http.Request) (announcement, bool) {
	t.announce(w.Header())
	refuse := func(status int, format string, args ...any) (announcement, bool) {
		answerAtOnce(w)
		http.Error(w, fmt.Sprintf(format, args...), status)
		return announcement{}, false
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refuse(http.StatusMethodNotAllowed, "Method Not Allowed")
	}
	if p := readProtocols(r.Header); !p.overlaps(t.protocols) {
		return refuse(http.StatusPreconditionFailed, "peer protocol %s, and this member, Pando %s, serves %s: the older of the two needs an upgrade",
			p, stats.Version, t.protocols)
	}
	if c := r.Header.Get(headerCluster); c != t.Cluster.String() {
		return refuse(http.StatusPreconditionFailed,
			"request of cluster %s, this member is of cluster %s; do two clusters share a peer URL?", c, t.Cluster)
	}
	if to := r.Header.Get(headerTo); to != t.Self.String() {
		return refuse(http.StatusPreconditionFailed, "request for member %s, this is member %s; is a peer URL out of date?", to, t.Self)
	}
	from, err := members.ParseID(r.Header.Get(headerFrom))
	if err != nil || from == t.Self {
		return refuse(http.StatusBadRequest, "the request does not name its sender")
	}
	switch t.Membership(from) {
	case Removed:
		return refuse(http.StatusGone, "member %s was removed from the cluster", from)
	case Unknown:
		t.UnknownSender(from)
		return refuse(http.StatusForbidden, "member %s is not known here. This passes soon for a member that was just added. "+
			"If it does not, member %s was away while others were replaced: name those of today in its --initial-cluster, and start it again", from, t.Self)
	}
	peer := readAnnouncement(from, r.Header)
	if err := t.checkCompatible(peer); err != nil {
		t.logIncompatible(from, err)
		return refuse(http.StatusConflict, "%v", err)
	}
	return peer, true
}

// answerAtOnce makes the server answer without reading the rest of the request's body. The body of a snapshot is long, and
// members of other versions may send one without an end.
func answerAtOnce(w http.ResponseWriter) {
	// With a server that does not support this, the answer is late.
	_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
}

// errIncompatible says that a member can't work with this one, though the two name the same cluster.
var errIncompatible = errors.New("transport: the members don't fit together")

// checkCompatible refuses a member of another founding, and one whose program is below the cluster's feature level.
func (t *Transport) checkCompatible(peer announcement) error {
	if err := t.compareFounding(peer.from, peer.founding); err != nil {
		return err
	}
	level := t.ClusterLevel()
	if peer.level >= level {
		return nil
	}
	version := "an older version of Pando"
	if peer.version != "" {
		version = "Pando " + peer.version
	}
	return fmt.Errorf("%w: the cluster is at feature level %d, and member %s runs %s, which serves levels up to %d. "+
		"Upgrade that member to Pando %s, which member %s runs, or a newer version; its data is intact",
		errIncompatible, level, peer.from, version, peer.level, stats.Version, t.Self)
}

// compareFounding refuses a founding ID other than this member's, if both are known.
func (t *Transport) compareFounding(peer, theirs members.ID) error {
	own := t.Founding()
	if own == 0 || theirs == 0 || own == theirs {
		return nil
	}
	return fmt.Errorf("%w: the same flags, but another cluster: the data directory of member %s is of founding %s, that of member %s is of founding %s. "+
		"The one that the running cluster does not have is left over from an earlier cluster: stop that member, move its data directory away, "+
		"remove the member, and add it again as a new one", errIncompatible, peer, theirs, t.Self, own)
}

// logIncompatible logs less and less often that a member was refused: it tries again and again.
func (t *Transport) logIncompatible(from members.ID, err error) {
	t.mu.Lock()
	due := t.incompatible.Due(time.Now())
	t.mu.Unlock()
	if due {
		t.Logger.Warn("a member that does not fit this cluster was refused", zap.Stringer("from", from), zap.Error(err))
	}
}

// announced gives what a member has announced on its latest stream to this one. It reports false while there is none.
func (t *Transport) announced(id members.ID) (announcement, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	streams := t.incoming[id]
	if len(streams) == 0 {
		return announcement{}, false
	}
	return streams[len(streams)-1].announcement, true
}

// FoundingOf gives the founding ID that a member has announced, zero for none. It reports false for a member whose
// program has no founding IDs, and for one without a stream to this member.
func (t *Transport) FoundingOf(id members.ID) (founding members.ID, hasFounding bool) {
	a, _ := t.announced(id)
	return a.founding, a.hasFounding
}

// FeatureLevelOf gives the highest feature level that a member's program serves, as announced on its stream. It is zero
// for a member without a stream to this one.
func (t *Transport) FeatureLevelOf(id members.ID) uint64 {
	a, _ := t.announced(id)
	return a.level
}

// RecheckPeers ends the streams to and from members that no longer fit this cluster. It must be called when this
// member's founding ID or the cluster's feature level has changed.
func (t *Transport) RecheckPeers() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, streams := range t.incoming {
		for _, in := range streams {
			if err := t.checkCompatible(in.announcement); err != nil {
				t.Logger.Warn("the stream of a member that does not fit this cluster is closed", zap.Error(err))
				_ = in.conn.Close()
			}
		}
	}
	for _, p := range t.peers {
		p.recheck()
	}
}
