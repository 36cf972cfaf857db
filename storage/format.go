package storage

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// The versions of what is on disk. A program reads versions up to its own.
const (
	stateFormat = 2 // of state.db; 1 has no recent changes
	// unfinishedFormat is that of state.db while a checkpoint is written that takes more
	// than one transaction: some of the last chunks and events do not count yet.
	unfinishedFormat = 3
	// The same two formats for a cluster whose feature level is not zero: meta holds it.
	levelFormat           = 4
	unfinishedLevelFormat = 5
	logFormat             = 2 // 1 may have a last segment that is shorter than it was made
	// fullSegments is the first format of the log in which no crash leaves a segment
	// shorter than it was made, but for a note that says so.
	fullSegments = 2
	// oldestFormat is the first one of both.
	oldestFormat = 1
)

// The buckets of state.db, and the keys of those that hold single values.
var (
	metaBucket    = []byte("meta")
	keysBucket    = []byte("keys")
	nodesBucket   = []byte("nodes")
	historyBucket = []byte("history")
	deltaBucket   = []byte("recent") // its name in format 2

	formatKey   = []byte("format")   // in meta: 4 bytes; never changes its form
	identityKey = []byte("identity") // in meta: cluster ID, member ID
	positionKey = []byte("position") // in meta: applied index, its term
	confKey     = []byte("conf")     // in meta: raftpb.ConfState
	membersKey  = []byte("members")  // in meta: the caller's
	levelKey    = []byte("level")    // in meta: the cluster's feature level; missing while it is 0

	treeStateKey = []byte("state")  // in keys: tree.View.AppendState
	totalsKey    = []byte("totals") // in keys: treeTotals
)

// position is a place in the log: the index of an entry and its term.
type position struct {
	index uint64
	term  uint64
}

// meta is what state.db says about itself.
type meta struct {
	identity Identity
	position position
	conf     *raftpb.ConfState
	members  []byte
	level    uint64 // the cluster's feature level
}

// appendWords appends numbers of 8 bytes each.
func appendWords(dst []byte, words ...uint64) []byte {
	for _, w := range words {
		dst = binary.BigEndian.AppendUint64(dst, w)
	}
	return dst
}

// readWords reads numbers of 8 bytes each, and reports whether they were all of
// src.
func readWords(src []byte, words ...*uint64) bool {
	if len(src) != 8*len(words) {
		return false
	}
	for i, w := range words {
		*w = binary.BigEndian.Uint64(src[8*i:])
	}
	return true
}

// treeTotals are the totals of the buckets of a tree, and the bytes of the chunks in
// recent.
type treeTotals struct {
	nodes, history, deltas totals
	deltaBytes             uint64
}

func (t *treeTotals) encode() []byte {
	return appendWords(nil, t.nodes.records, t.nodes.sum, t.history.records, t.history.sum,
		t.deltas.records, t.deltas.sum, t.deltaBytes)
}

func decodeTotals(src []byte) (t treeTotals, ok bool) {
	format1 := []*uint64{&t.nodes.records, &t.nodes.sum, &t.history.records, &t.history.sum}
	ok = readWords(src, format1...) || readWords(src, append(format1, &t.deltas.records, &t.deltas.sum, &t.deltaBytes)...)
	return t, ok
}

// historyKey is the key under which an event is stored.
func historyKey(index uint64) []byte { return appendWords(nil, index) }

// chunkKey is the key under which a chunk is stored.
func chunkKey(number uint64) []byte { return appendWords(nil, number) }

// walMagic begins the metadata of a log, so that another program's log is not
// taken for one of ours.
const walMagic = "PANDOLOG"

// encodeHead gives the metadata that begins every segment of the log.
func encodeHead(id Identity) []byte {
	return appendWords([]byte(walMagic), logFormat, id.ClusterID, id.MemberID)
}

// decodeHead reads the metadata of a log, and gives its format.
func decodeHead(data []byte) (id Identity, version uint64, err error) {
	if len(data) < len(walMagic)+8 || string(data[:len(walMagic)]) != walMagic {
		return Identity{}, 0, fmt.Errorf("%w: the log was written by another program", ErrForeign)
	}
	rest := data[len(walMagic):]
	if err := checkFormat(binary.BigEndian.Uint64(rest), logFormat); err != nil {
		return Identity{}, 0, err
	}
	if !readWords(rest, &version, &id.ClusterID, &id.MemberID) {
		return Identity{}, 0, damaged("the log's head has %d bytes", len(data))
	}
	return id, version, nil
}

// checkFormat refuses formats that this program does not read. It reads all from
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

// encode gives the values of the meta bucket that a checkpoint changes.
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

// set takes one value of the meta bucket. It reports false for one that it does
// not know or cannot read.
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
