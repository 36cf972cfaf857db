package raft

import (
	"encoding/binary"
	"time"

	"go.uber.org/zap"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// The member and cluster IDs follow from the flags, so that scripts know them. Two
// clusters that were founded with the same flags, one after the other, have the same
// ones. What tells them apart is the founding ID: a random number that the first leader
// puts into the log before the first command. Members compare theirs when they connect,
// and those of different foundings don't talk: a data directory of the earlier cluster
// can't win an election in the later one.
//
// A member knows the ID as soon as its log holds the entry and a command behind it. The
// leader makes no entry of commands until the ID is applied, so such a command tells
// that the ID is committed, even if this member has not heard of it yet. An ID at the
// end of the log may still be replaced by that of another leader.

// foundingVersion is the version of the entry that holds a founding ID. It is one of
// the comparison's kind, because every version of the program passes over those whose
// version it does not know.
const foundingVersion = 0xF0

const foundingBytes = 2 + 8

func encodeFounding(id members.ID) []byte {
	return binary.LittleEndian.AppendUint64([]byte{kindAudit, foundingVersion}, uint64(id))
}

// decodeFounding reports false for any other entry.
func decodeFounding(data []byte) (members.ID, bool) {
	if len(data) != foundingBytes || data[0] != kindAudit || data[1] != foundingVersion {
		return 0, false
	}
	id := members.ID(binary.LittleEndian.Uint64(data[2:]))
	return id, id > members.Unfounded
}

// newFounding is random. Only who proposes it may call it.
func randomFounding() members.ID {
	for {
		if id := members.ID(randomNumber()); id > members.Unfounded {
			return id
		}
	}
}

// identity is the loop's account of the cluster's founding ID.
type identity struct {
	// used says that the log has, or had, a command: the cluster is not new.
	used bool
	// logged is the ID in the log that is not applied yet, at index; zero for none.
	logged members.ID
	index  uint64
	// proposed is the term in which this member proposed an ID, as its leader.
	proposed uint64
	asked    time.Time // when it was last proposed to a cluster that is not new
}

// learnFounding looks through entries that the log gets, for the ID and what follows it.
func (c *core) learnFounding(entries []*raftpb.Entry) {
	if _, founded := c.registry.Founded(); founded {
		return
	}
	x := &c.identity
	for _, e := range entries {
		if e.GetIndex() <= x.index {
			x.logged, x.index = 0, 0 // it was replaced
		}
		data := e.GetData()
		if e.GetType() != raftpb.EntryNormal || len(data) == 0 {
			continue
		}
		if id, ok := decodeFounding(data); ok && x.logged == 0 {
			x.logged, x.index = id, e.GetIndex()
		}
		if data[0] == kindBatch {
			x.used = true
			if x.logged != 0 {
				c.foundingIs(x.logged)
			}
		}
	}
}

// foundingIs tells the transport the ID.
func (c *core) foundingIs(id members.ID) {
	if c.founding.Swap(uint64(id)) != uint64(id) {
		c.transport.RecheckPeers()
	}
}

// applyFounding takes the first ID that the log has.
func (c *core) applyFounding(index uint64, id members.ID) {
	if _, founded := c.registry.Founded(); founded {
		return
	}
	c.registry.SetFounding(id)
	c.foundingIs(id)
	if index > c.replayed {
		c.log.Info("the cluster has its founding ID", zap.Stringer("founding", id))
	}
}

// found proposes an ID for a new cluster when this member begins to lead it.
func (c *core) found() {
	x := &c.identity
	_, founded := c.registry.Founded()
	isNew := !x.used || c.registry.Founding() == members.Unfounded
	if founded || x.logged != 0 || !isNew || !c.leads() {
		return
	}
	c.proposeFounding(randomFounding())
}

func (c *core) proposeFounding(id members.ID) {
	if err := c.raw.Propose(encodeFounding(id)); err != nil {
		c.log.Debug("founding ID not proposed", zap.Error(err))
		return
	}
	if c.leads() {
		c.identity.proposed = c.term.Load()
	}
}

// awaitsFounding reports whether this leader holds back commands until the cluster's
// founding ID is applied.
func (c *core) awaitsFounding() bool {
	if _, founded := c.registry.Founded(); founded || !c.leads() {
		return false
	}
	return c.identity.logged != 0 || c.identity.proposed == c.term.Load()
}

// foundingPause is the pause between two proposals to a cluster that is not new.
const foundingPause = 2 * time.Second

// foundIfDue gives an ID to a cluster that an older version founded, once all its
// members know what that is; or to this member alone, when an older version has passed
// over the entry in its place. Then the others have it already, and keep it.
func (c *core) foundIfDue(now time.Time) {
	x := &c.identity
	if _, founded := c.registry.Founded(); founded || !c.caughtUp || now.Sub(x.asked) < foundingPause {
		return
	}
	x.asked = now
	if c.found(); c.awaitsFounding() {
		return
	}
	known, all := members.ID(0), true
	for _, m := range c.registry.List() {
		if m.ID == c.id {
			continue
		}
		id, told := c.transport.FoundingOf(m.ID)
		all = all && told
		known = max(known, id)
	}
	switch {
	case known > members.Unfounded:
		c.proposeFounding(known)
	case all && c.leads():
		c.proposeFounding(randomFounding())
	}
}
