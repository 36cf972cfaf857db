package raft

import (
	"encoding/binary"
	"time"

	"go.uber.org/zap"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/tree"
)

// The member and cluster IDs follow from the flags, so that scripts know them. Two clusters that were founded with the
// same flags, one after the other, have the same IDs. The founding ID distinguishes them: a random number that the first
// leader puts into the log before the first command. Members compare their founding IDs when they connect, and refuse each
// other when these differ: a data directory of the earlier cluster cannot win an election in the later one.
//
// A member takes the ID as final once its log has the ID's entry and a command after it. The leader adds no commands before
// the ID is applied, so such a command proves that the ID is committed, even if this member has not seen the commit yet. An
// ID at the end of the log may still be replaced by that of another leader.

// foundingVersion is the version of the entry with the founding ID. The entry has the kind of an audit, because every
// version of the program ignores audit entries of a version that it does not know.
const foundingVersion = 0xF0

const foundingBytes = 2 + 8

func encodeFounding(id members.ID) []byte {
	return binary.LittleEndian.AppendUint64([]byte{kindAudit, foundingVersion}, uint64(id))
}

// decodeFounding returns false for any other entry.
func decodeFounding(data []byte) (members.ID, bool) {
	if len(data) != foundingBytes || data[0] != kindAudit || data[1] != foundingVersion {
		return 0, false
	}
	id := members.ID(binary.LittleEndian.Uint64(data[2:]))
	return id, id > members.Unfounded
}

func randomFounding() members.ID {
	for {
		if id := members.ID(randomNumber()); id > members.Unfounded {
			return id
		}
	}
}

// foundingManager proposes the founding ID of the cluster, finds it in the log and applies it.
//
// Only the goroutine that has the turn may use it.
type foundingManager struct {
	state    *logState
	raft     dataProposer
	registry *members.Registry
	log      *zap.Logger
	caughtUp func() bool // whether the tree has all entries that were committed before the start
	// foundingOf is the ID that a member has announced, and whether it has announced any.
	foundingOf func(members.ID) (id members.ID, announced bool)
	changed    func() // runs when the ID becomes known
	inTicks    func(n int) time.Time

	hasCommands bool       // the log has, or had, a command: the cluster is not new
	logged      members.ID // the ID in the log that is not applied yet, at loggedIndex; zero for none
	loggedIndex uint64
	proposed    uint64    // the term in which this member, as the leader, proposed an ID
	next        *deadline // of proposing an ID to a cluster that is not new
}

func newFoundingManager(c *core, d *deadlines) *foundingManager {
	f := &foundingManager{
		state: c.state, raft: c.raw, registry: c.registry, log: c.log, inTicks: d.inTicks,
		caughtUp:    func() bool { return c.startup.caughtUp },
		foundingOf:  c.transport.FoundingOf,
		changed:     c.transport.RecheckPeers,
		hasCommands: c.tree.View().Index() > tree.New(1).View().Index(),
	}
	f.next = d.add(func(time.Time) { f.proposeIfMissing() })
	f.next.set(d.inTicks(1))
	return f
}

// readEntries looks for the ID, and for a command after it, in new entries of the log.
func (f *foundingManager) readEntries(entries []*raftpb.Entry) {
	if _, founded := f.registry.Founded(); founded {
		return
	}
	for _, e := range entries {
		if e.GetIndex() <= f.loggedIndex {
			f.logged, f.loggedIndex = 0, 0 // the entry with the ID was replaced
		}
		data := e.GetData()
		if e.GetType() != raftpb.EntryNormal || len(data) == 0 {
			continue
		}
		if id, ok := decodeFounding(data); ok && f.logged == 0 {
			f.logged, f.loggedIndex = id, e.GetIndex()
		}
		if data[0] == kindBatch {
			f.hasCommands = true
			if f.logged != 0 {
				f.set(f.logged)
			}
		}
	}
}

// set makes the ID known to the transport.
func (f *foundingManager) set(id members.ID) {
	if f.state.founding.Swap(uint64(id)) != uint64(id) {
		f.changed()
	}
}

// apply takes the first ID that the log has, and ignores all others.
func (f *foundingManager) apply(index uint64, id members.ID) {
	if _, founded := f.registry.Founded(); founded {
		return
	}
	f.registry.SetFounding(id)
	f.set(id)
	if index > f.state.replayed {
		f.log.Info("the cluster has its founding ID", zap.Stringer("founding", id))
	}
}

// reset takes the ID of an installed snapshot from the registry.
func (f *foundingManager) reset() {
	f.hasCommands, f.logged, f.loggedIndex, f.proposed = true, 0, 0, 0
	if id, founded := f.registry.Founded(); founded {
		f.set(id)
	}
}

// proposeIfNew proposes an ID when this member begins to lead a new cluster.
func (f *foundingManager) proposeIfNew() {
	_, founded := f.registry.Founded()
	isNew := !f.hasCommands || f.registry.Founding() == members.Unfounded
	if founded || f.logged != 0 || !isNew || !f.state.leads() {
		return
	}
	f.propose(randomFounding())
}

func (f *foundingManager) propose(id members.ID) {
	if err := f.raft.Propose(encodeFounding(id)); err != nil {
		f.log.Debug("founding ID not proposed", zap.Error(err))
		return
	}
	if f.state.leads() {
		f.proposed = f.state.term.Load()
	}
}

// pending reports whether this leader must not add commands before the cluster's founding ID is applied.
func (f *foundingManager) pending() bool {
	if _, founded := f.registry.Founded(); founded || !f.state.leads() {
		return false
	}
	return f.logged != 0 || f.proposed == f.state.term.Load()
}

// foundingPause is the pause between two proposals to a cluster that is not new.
const foundingPause = 2 * time.Second

// proposeIfMissing proposes an ID to a cluster that an older version founded, once all its members announce that they use
// founding IDs. If other members have an ID that this one lacks, because an older version ran here when the entry was
// applied, it proposes that ID: the others keep theirs.
func (f *foundingManager) proposeIfMissing() {
	if !f.caughtUp() {
		f.next.set(f.inTicks(1))
		return
	}
	f.next.set(time.Now().Add(foundingPause))
	if _, founded := f.registry.Founded(); founded {
		return
	}
	if f.proposeIfNew(); f.pending() {
		return
	}
	known, all := members.ID(0), true
	for _, m := range f.registry.List() {
		if m.ID == f.state.id {
			continue
		}
		id, announced := f.foundingOf(m.ID)
		all = all && announced
		known = max(known, id)
	}
	switch {
	case known > members.Unfounded:
		f.propose(known)
	case all && f.state.leads():
		f.propose(randomFounding())
	}
}
