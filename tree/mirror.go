package tree

// A cluster may follow a running etcd: its tree is then a mirror of the source's. From then on until the cluster takes over, only
// OpMirror changes the tree.

// MirrorPhase is the phase of a cluster that follows a running etcd.
type MirrorPhase uint8

// The phases. Their numbers are stored on disk and sent to other members.
const (
	// PhaseFollowing takes the changes of the source. Clients can't write.
	PhaseFollowing MirrorPhase = 1
	// PhaseFenced is the phase of a switch: the cluster still follows the source, and writes of clients wait for the end of the phase.
	PhaseFenced MirrorPhase = 2
	// PhaseEnded is the end: the cluster has taken over, and View.Mirror returns nil. It is used in a MirrorChange only.
	PhaseEnded MirrorPhase = 3
)

// String returns the name of the phase: none, following, fenced or ended.
func (p MirrorPhase) String() string {
	switch p {
	case 0:
		return "none"
	case PhaseFollowing:
		return "following"
	case PhaseFenced:
		return "fenced"
	case PhaseEnded:
		return "ended"
	}
	return "unknown"
}

// Mirror is what a cluster stores about the running etcd that it follows. A Mirror is never modified.
type Mirror struct {
	// Phase is PhaseFollowing or PhaseFenced.
	Phase MirrorPhase
	// Sources are the client URLs of the source. There are none before a MirrorChange has named them.
	Sources []string
	// ForwardWrites says that members forward the writes of clients to the source. Otherwise they refuse them.
	ForwardWrites bool
}

// MirrorChange is the change of an OpMirror: what happened in the source after one index and up to another one. Apply makes all of it
// or nothing.
type MirrorChange struct {
	// After must be the index of the tree. Otherwise the change fails with CodeMirrorIndex, because it was applied before, or a change
	// before it is missing.
	After uint64
	// To is the index of the tree after the change. It is not less than After. There may be indexes without an event: the
	// source sends no event for a refreshed TTL or a change of users.
	To uint64
	// Reset says that events up to To are missing. The history begins after To, and watchers that have not read all events up to To get
	// CodeHistoryCleared.
	Reset bool
	// Nodes and Removed come from a read of the source at the index After or later. They are applied before the events and make
	// no events. The paths in Removed are removed with all nodes below them. Then each of the Nodes is stored, unless an earlier read has
	// found a newer one. A directory keeps the nodes below it. Directories that are missing above a node get its createdIndex. Nodes may
	// be newer than To. Then the directories above them must be among the nodes, because an event changes no node that is newer, and none
	// below it.
	Nodes   []NodeFields
	Removed []string
	// Events are the changes of keys in the source with indexes after After and up to To, in the order of the indexes. Their Refresh
	// must be false, and ActionAuth is not allowed. An event changes no node that is newer than the event, and none
	// below it.
	Events []EventFields
	// Phase is the new phase, or zero if it does not change. PhaseEnded is allowed only in PhaseFenced, and only if no node is newer
	// than To.
	Phase MirrorPhase
	// Sources replaces Mirror.Sources, unless it is nil. ForwardWrites replaces Mirror.ForwardWrites, unless it is nil.
	Sources       []string
	ForwardWrites *bool
}

// MirrorLevel is the lowest feature level of a cluster at which a command may be an OpMirror. Programs of lower levels can't decode such
// a command.
const MirrorLevel = 3
