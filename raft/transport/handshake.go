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
	leasePath    = "/raft/leases"
)

// The headers in which a member describes itself. Requests and responses have all of them, except headerTo, which only
// requests have.
const (
	headerCluster = "X-Etcd-Cluster-Id"
	headerFrom    = "X-Pando-From"
	headerTo      = "X-Pando-To"
	// headerProtocol is the lowest protocol that the sender serves, headerProtocols its range as "LOWEST-HIGHEST".
	// Programs without feature levels send only headerProtocol, and only in requests.
	headerProtocol  = "X-Pando-Protocol"
	headerProtocols = "X-Pando-Protocols"
	// headerLevel is the highest feature level that the sender serves. It is missing at level 0.
	headerLevel = "X-Pando-Feature-Level"
	// headerVersion is the version of the sender's program, for error texts.
	headerVersion = "X-Pando-Version"
	// headerFounding is the founding ID of the sender's cluster, or noFounding while the sender does not have it yet.
	// Programs without founding IDs don't send this header.
	headerFounding = "X-Pando-Founding"
	noFounding     = "none"
)

// announcement is the content of the headers in which a member describes itself.
type announcement struct {
	from        members.ID
	founding    members.ID // zero if the member does not have it yet
	hasFounding bool       // whether the member's program has founding IDs
	protocols   protocolRange
	level       uint64
	version     string
}

// announce sets the headers that describe this member.
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

// readAnnouncement reads the announcement of the member from. It does not read headerFrom: callers must check that header.
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

// admit checks whether a request may be served. If not, it responds with an error and returns false.
func (t *Transport) admit(w http.ResponseWriter, r *http.Request) (announcement, bool) {
	t.announce(w.Header())
	refuse := func(status int, format string, args ...any) (announcement, bool) {
		skipBody(w)
		http.Error(w, fmt.Sprintf(format, args...), status)
		return announcement{}, false
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refuse(http.StatusMethodNotAllowed, "Method Not Allowed")
	}
	if p := readProtocols(r.Header); !p.overlaps(t.protocols) {
		return refuse(http.StatusPreconditionFailed,
			"the request is of peer protocol %s, this member (Pando %s) serves %s: upgrade the older of the two members",
			p, stats.Version, t.protocols)
	}
	if c := r.Header.Get(headerCluster); c != t.Cluster.String() {
		return refuse(http.StatusPreconditionFailed,
			"the request is of cluster %s, this member is of cluster %s: do two clusters share a peer URL?", c, t.Cluster)
	}
	if to := r.Header.Get(headerTo); to != t.Self.String() {
		return refuse(http.StatusPreconditionFailed, "the request is for member %s, this is member %s: is a peer URL out of date?", to, t.Self)
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
		return refuse(http.StatusForbidden, "member %[2]s does not have member %[1]s in its list of members. "+
			"If member %[1]s was just added, wait. "+
			"Otherwise member %[2]s was down while other members were replaced: "+
			"start it again with the current members in its --initial-cluster", from, t.Self)
	}
	if err := t.checkCertificate(from, r); err != nil {
		t.logRejected("refused a request with the certificate of another member", from, err)
		return refuse(http.StatusForbidden, "%v", err)
	}
	t.logPlaintext(from, r)
	peer := readAnnouncement(from, r.Header)
	if err := t.checkCompatible(peer); err != nil {
		t.logIncompatible(from, err)
		return refuse(http.StatusConflict, "%v", err)
	}
	return peer, true
}

// skipBody makes the server respond without reading the rest of the request's body. The body of a snapshot is long, and
// members of other versions may send a body without an end.
func skipBody(w http.ResponseWriter) {
	// If the server does not support read deadlines, it responds late.
	_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
}

// errIncompatible is returned for a member that names the same cluster but can't work with this member.
var errIncompatible = errors.New("transport: incompatible member")

// checkCompatible returns an error if the peer has another founding ID, or if its program is below the cluster's
// feature level.
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

// compareFounding returns an error if the peer's founding ID differs from this member's. Zero stands for an ID that is not
// known yet, and differs from none.
func (t *Transport) compareFounding(peer, founding members.ID) error {
	own := t.Founding()
	if own == 0 || founding == 0 || own == founding {
		return nil
	}
	return fmt.Errorf("%w: the two members have the same flags, but belong to different clusters: "+
		"the data directory of member %s has founding ID %s, that of member %s has founding ID %s. "+
		"One of them is left over from an earlier cluster: stop that member, move its data directory away, "+
		"remove the member, and add it again as a new member", errIncompatible, peer, founding, t.Self, own)
}

// logIncompatible logs that a member was refused. The member tries again and again, so the pauses between log lines grow.
func (t *Transport) logIncompatible(from members.ID, err error) {
	t.mu.Lock()
	due := t.incompatible.Due(time.Now())
	t.mu.Unlock()
	if due {
		t.Logger.Warn("refused an incompatible member", zap.Stringer("from", from), zap.Error(err))
	}
}

// latestAnnouncement returns the announcement of the member's latest stream to this one. It returns false if the member has
// no such stream.
func (t *Transport) latestAnnouncement(id members.ID) (announcement, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	streams := t.incoming[id]
	if len(streams) == 0 {
		return announcement{}, false
	}
	return streams[len(streams)-1].announcement, true
}

// FoundingOf returns the founding ID that a member has announced. It is zero if the member does not have it yet.
// hasFounding is false if the member's program has no founding IDs, or if the member has no stream to this one.
func (t *Transport) FoundingOf(id members.ID) (founding members.ID, hasFounding bool) {
	a, _ := t.latestAnnouncement(id)
	return a.founding, a.hasFounding
}

// FeatureLevelOf returns the highest feature level that a member's program serves, as the member has announced it. It is
// zero if the member has no stream to this one.
func (t *Transport) FeatureLevelOf(id members.ID) uint64 {
	a, _ := t.latestAnnouncement(id)
	return a.level
}

// RecheckPeers closes the streams to and from members that are no longer compatible. It must be called when this member's
// founding ID or the cluster's feature level has changed.
func (t *Transport) RecheckPeers() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, streams := range t.incoming {
		for _, in := range streams {
			if err := t.checkCompatible(in.announcement); err != nil {
				t.Logger.Warn("closing the stream of an incompatible member", zap.Error(err))
				_ = closeNow(in.conn)
			}
		}
	}
	for _, p := range t.peers {
		p.recheck()
	}
}
