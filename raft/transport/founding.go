package transport

import (
	"errors"
	"fmt"
	"net/http"

	"go.uber.org/zap"

	"pando/members"
)

// headerFounding holds the founding ID of the one who asks, and of the one who answers.
// noFounding stands for one that is not known. Versions that know of no founding IDs send
// no such header.
const (
	headerFounding = "X-Pando-Founding"
	noFounding     = "none"
)

// errFounding says that two members are of different clusters with the same flags.
var errFounding = errors.New("transport: the same flags, but another cluster")

func (t *Transport) writeFounding(h http.Header) {
	h.Set(headerFounding, foundingText(t.Founding()))
}

func foundingText(id members.ID) string {
	if id == 0 {
		return noFounding
	}
	return id.String()
}

// readFounding gives the other end's founding ID, zero if it has none, and whether it
// knows what that is.
func readFounding(h http.Header) (id members.ID, told bool) {
	text := h.Get(headerFounding)
	id, err := members.ParseID(text)
	return id, err == nil || text == noFounding
}

// compareFounding wants another member's founding ID to be this member's, if both are
// known.
func (t *Transport) compareFounding(peer, theirs members.ID) error {
	own := t.Founding()
	if own == 0 || theirs == 0 || own == theirs {
		return nil
	}
	return fmt.Errorf("%w: the data directory of member %s is of founding %s, that of member %s is of founding %s. "+
		"The one that the running cluster does not have is left over from an earlier cluster: stop that member, move its data directory away, "+
		"remove the member, and add it again as a new one", errFounding, peer, theirs, t.Self, own)
}

// FoundingOf tells the founding ID that a member has said it has, zero for none, and
// whether it has said anything of one.
func (t *Transport) FoundingOf(id members.ID) (founding members.ID, told bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	streams := t.incoming[id]
	if len(streams) == 0 {
		return 0, false
	}
	latest := streams[len(streams)-1]
	return latest.founding, latest.told
}

// FoundingChanged ends the streams to and from members of another founding: when they
// began, this member's own was not known.
func (t *Transport) FoundingChanged() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, streams := range t.incoming {
		for _, in := range streams {
			if err := t.compareFounding(id, in.founding); err != nil {
				t.Logger.Warn("a peer is left alone", zap.Error(err))
				_ = in.conn.Close()
			}
		}
	}
	for _, p := range t.peers {
		p.compareFounding()
	}
}
