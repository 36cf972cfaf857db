package storage

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// The versions of the formats on disk. A program reads all versions up to its own.
const (
	stateFormat = 2 // of state.db; format 1 has no deltas
	// unfinishedFormat is the format of state.db between the transactions of a checkpoint:
	// its last chunks and events may be those of a checkpoint that is not valid yet.
	unfinishedFormat = 3
	// The same two formats for a cluster whose feature level is not zero: meta holds it.
	levelFormat           = 4
	unfinishedLevelFormat = 5
	logFormat             = 2
	// fullSegments is the first format of the log in which every segment has its full size,
	// unless an opening note says that it has not.
	fullSegments = 2
	// oldestFormat is the first format of state.db and of the log.
	oldestFormat = 1
)

// The buckets of state.db, and the keys of those that hold single values.
var (
	metaBucket    = []byte("meta")
	keysBucket    = []byte("keys")
	nodesBucket   = []byte("nodes")
	historyBucket = []byte("history")
	deltaBucket   = []byte("recent") // its name in format 2
	usersBucket   = []byte("users")  // missing before the first change of users
	// removedBucket is missing before the history keeps the first removed directory.
	removedBucket = []byte("removed")
	leasesBucket  = []byte("leases") // missing before the first lease

	formatKey   = []byte("format")   // in meta: the format, in a form that never changes
	identityKey = []byte("identity") // in meta: cluster ID, member ID
	positionKey = []byte("position") // in meta: applied index, its term
	confKey     = []byte("conf")     // in meta: raftpb.ConfState
	membersKey  = []byte("members")  // in meta: Checkpoint.Members
	levelKey    = []byte("level")    // in meta: the cluster's feature level; missing while it is 0

	treeStateKey = []byte("state")  // in keys: tree.View.AppendState
	totalsKey    = []byte("totals") // in keys: treeTotals
	usersKey     = []byte("auth")   // in keys: users.State.AppendHead; missing before the first change of users
	mirrorKey    = []byte("mirror") // in keys: tree.View.AppendMirror; missing if the cluster has never followed an etcd
)

// position is the index and the term of an entry.
type position struct {
	index uint64
	term  uint64
}

// meta is the content of the bucket meta, without the format.
type meta struct {
	identity Identity
	position position
	conf     *raftpb.ConfState
	members  []byte
	level    uint64 // the cluster's feature level
}

// appendWords appends numbers of 8 bytes each, big-endian.
func appendWords(dst []byte, words ...uint64) []byte {
	for _, w := range words {
		dst = binary.BigEndian.AppendUint64(dst, w)
	}
	return dst
}

// readWords reads numbers of 8 bytes each. It reports whether src holds just so many.
func readWords(src []byte, words ...*uint64) bool {
	if len(src) != 8*len(words) {
		return false
	}
	for i, w := range words {
		*w = binary.BigEndian.Uint64(src[8*i:])
	}
	return true
}

// treeTotals are the totals of the buckets of a tree, and the size of the chunks of the
// deltas.
type treeTotals struct {
	nodes, history, deltas, users, removed, leases totals
	deltaBytes                                     uint64
}

// optional returns the totals that are stored only if one of them or one after it is not zero, in the order in which they are stored.
// Programs below the feature level at which the first records of a kind are written can't read their totals.
func (t *treeTotals) optional() []*totals { return []*totals{&t.users, &t.removed, &t.leases} }

// encode leaves out the last optional totals if they are zero.
func (t *treeTotals) encode() []byte {
	words := appendWords(nil, t.nodes.records, t.nodes.sum, t.history.records, t.history.sum,
		t.deltas.records, t.deltas.sum, t.deltaBytes)
	optional := t.optional()
	for len(optional) > 0 && *optional[len(optional)-1] == (totals{}) {
		optional = optional[:len(optional)-1]
	}
	for _, o := range optional {
		words = appendWords(words, o.records, o.sum)
	}
	return words
}

func decodeTotals(src []byte) (t treeTotals, ok bool) {
	words := []*uint64{&t.nodes.records, &t.nodes.sum, &t.history.records, &t.history.sum}
	if readWords(src, words...) { // format 1
		return t, true
	}
	words = append(words, &t.deltas.records, &t.deltas.sum, &t.deltaBytes)
	for _, o := range t.optional() {
		if readWords(src, words...) {
			return t, true
		}
		words = append(words, &o.records, &o.sum)
	}
	return t, readWords(src, words...)
}

// historyKey is the key under which an event is stored.
func historyKey(index uint64) []byte { return appendWords(nil, index) }

// chunkKey is the key under which a chunk is stored.
func chunkKey(number uint64) []byte { return appendWords(nil, number) }

// walMagic begins the metadata of a log. It distinguishes the logs of Pando from those of other
// programs that use the wal package.
const walMagic = "PANDOLOG"

// encodeMetadata encodes the metadata at the beginning of every segment of the log.
func encodeMetadata(id Identity) []byte {
	return appendWords([]byte(walMagic), logFormat, id.ClusterID, id.MemberID)
}

// decodeMetadata decodes the metadata of a log.
func decodeMetadata(data []byte) (id Identity, version uint64, err error) {
	if len(data) < len(walMagic)+8 || string(data[:len(walMagic)]) != walMagic {
		return Identity{}, 0, fmt.Errorf("%w: the log was written by another program", ErrForeign)
	}
	rest := data[len(walMagic):]
	if err := checkFormat(binary.BigEndian.Uint64(rest), logFormat); err != nil {
		return Identity{}, 0, err
	}
	if !readWords(rest, &version, &id.ClusterID, &id.MemberID) {
		return Identity{}, 0, damaged("the metadata of the log has %d bytes", len(data))
	}
	return id, version, nil
}

// checkFormat refuses formats that this program does not read. It reads those from
// oldestFormat to known.
func checkFormat(version, known uint64) error {
	switch {
	case version > known:
		return fmt.Errorf("%w: format %d, this program reads formats up to %d: start the newer Pando that wrote it",
			ErrNewerFormat, version, known)
	case version < oldestFormat:
		return fmt.Errorf("%w: format %d, this program reads formats from %d on: "+
			"start the older Pando that wrote it, save a snapshot, and restore that", ErrOlderFormat, version, oldestFormat)
	}
	return nil
}

// encode encodes those values of the bucket meta that a checkpoint changes.
func (m *meta) encode() (map[string][]byte, error) {
	conf, err := proto.Marshal(m.conf)
	if err != nil {
		return nil, fmt.Errorf("storage: conf state: %w", err)
	}
	values := map[string][]byte{
		string(positionKey): appendWords(nil, m.position.index, m.position.term),
		string(confKey):     conf,
		string(membersKey):  append([]byte(nil), m.members...),
	}
	if m.level > 0 {
		values[string(levelKey)] = appendWords(nil, m.level)
	}
	return values, nil
}

// set decodes one value of the bucket meta. It reports false for an unknown key and for a
// value that it can't read.
func (m *meta) set(key string, value []byte) bool {
	switch key {
	case string(identityKey):
		return readWords(value, &m.identity.ClusterID, &m.identity.MemberID)
	case string(positionKey):
		return readWords(value, &m.position.index, &m.position.term)
	case string(confKey):
		m.conf = &raftpb.ConfState{}
		return proto.Unmarshal(value, m.conf) == nil
	case string(membersKey):
		m.members = append([]byte(nil), value...)
		return true
	case string(levelKey):
		return readWords(value, &m.level)
	}
	return false
}
