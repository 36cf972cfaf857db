package raft

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/tree"
)

// The kind of a normal entry is its first byte. Kinds are on disk: never reuse one. A new kind needs a new feature level,
// and may have the bit ignorable: see level.go.
const (
	kindBatch      = 1 // commands for the tree
	kindAttributes = 2 // a member's name and client URLs

	kindAudit       = 3 // begins an audit; see audit.go
	kindAuditResult = 4 // the hashes of a member
)

// errEntry means that an entry cannot be decoded. A member that must apply such an entry stops: otherwise its tree
// would differ from the others'. See EntryError.
var errEntry = errors.New("it can't be decoded")

// batch is an entry of commands. Proposer and number identify it; time is that of the proposer's clock.
type batch struct {
	proposer uint64
	number   uint64
	time     int64 // nanoseconds since 1970
	commands []tree.Command
}

// appendBatchHead begins the encoding of a batch; the encoded commands follow.
func appendBatchHead(dst []byte, proposer, number uint64, now int64) []byte {
	dst = append(dst, kindBatch)
	dst = binary.LittleEndian.AppendUint64(dst, proposer)
	dst = binary.LittleEndian.AppendUint64(dst, number)
	return binary.LittleEndian.AppendUint64(dst, uint64(now))
}

const batchHead = 1 + 3*8

// decodeBatch reads a batch. Its commands are appended to buf.
func decodeBatch(data []byte, buf []tree.Command) (batch, error) {
	if len(data) < batchHead {
		return batch{}, fmt.Errorf("%w: a batch of %d bytes", errEntry, len(data))
	}
	b := batch{
		proposer: binary.LittleEndian.Uint64(data[1:]),
		number:   binary.LittleEndian.Uint64(data[9:]),
		time:     int64(binary.LittleEndian.Uint64(data[17:])),
		commands: buf,
	}
	for rest := data[batchHead:]; len(rest) > 0; {
		c, tail, err := tree.DecodeCommand(rest)
		if err != nil {
			return batch{}, fmt.Errorf("%w: %w", errEntry, err)
		}
		b.commands = append(b.commands, c)
		rest = tail
	}
	return b, nil
}

// checkBatch returns the error that decodeBatch or checkBatchLevel would return.
func checkBatch(data []byte, clusterLevel uint64) error {
	if len(data) < batchHead {
		return fmt.Errorf("%w: a batch of %d bytes", errEntry, len(data))
	}
	for rest := data[batchHead:]; len(rest) > 0; {
		level, tail, err := tree.CheckCommand(rest)
		if err != nil {
			return fmt.Errorf("%w: %w", errEntry, err)
		}
		if err := checkCommandLevel(level, clusterLevel); err != nil {
			return err
		}
		rest = tail
	}
	return nil
}

// checkBatchLevel returns an error if one of the commands must not be in the log of a cluster at this feature level.
func checkBatchLevel(commands []tree.Command, clusterLevel uint64) error {
	for i := range commands {
		if err := checkCommandLevel(commands[i].Level(), clusterLevel); err != nil {
			return err
		}
	}
	return nil
}

func checkCommandLevel(level, clusterLevel uint64) error {
	if level <= clusterLevel {
		return nil
	}
	return fmt.Errorf("%w: a command of feature level %d in a cluster at feature level %d", errEntry, level, clusterLevel)
}

// attributes is an entry by which a member publishes its name and its client URLs.
type attributes struct {
	ID         members.ID `json:"id"`
	Name       string     `json:"name"`
	ClientURLs []string   `json:"clientURLs"`
}

func encodeAttributes(a attributes) ([]byte, error) {
	b, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("raft: member attributes: %w", err)
	}
	return append([]byte{kindAttributes}, b...), nil
}

func decodeAttributes(data []byte) (attributes, error) {
	var a attributes
	if err := json.Unmarshal(data[1:], &a); err != nil {
		return a, fmt.Errorf("%w: member attributes: %w", errEntry, err)
	}
	return a, nil
}

// jsonText returns a name in the form that it has in an entry: JSON replaces each byte of invalid UTF-8 by U+FFFD.
func jsonText(name string) string { return string([]rune(name)) }

// entryOverhead is about the memory that an entry takes beside its data. The encoding of an entry adds less.
const entryOverhead = 128

func entriesSize(entries []*raftpb.Entry) int {
	size := 0
	for _, e := range entries {
		size += entrySize(e)
	}
	return size
}

func entrySize(e *raftpb.Entry) int { return len(e.GetData()) + entryOverhead }

// Nothing enters the log that cannot be applied: a committed entry that no member can decode stops all of them. So a
// forwarded proposal is checked before it is proposed, by the functions that apply it.

// errNothingProposed refuses a proposal without entries. The raft library panics at one.
var errNothingProposed = errors.New("it has no entries")

// checkProposal returns the reason why a forwarded proposal must not be proposed in a cluster at this feature level; nil if it
// may be.
func checkProposal(m *raftpb.Message, clusterLevel uint64) error {
	if len(m.GetEntries()) == 0 {
		return errNothingProposed
	}
	for _, e := range m.GetEntries() {
		if err := checkEntry(e, clusterLevel); err != nil {
			return err
		}
	}
	return nil
}

// checkEntry returns the reason why an entry cannot be applied in a cluster at this feature level; nil if it can be.
func checkEntry(e *raftpb.Entry, clusterLevel uint64) error {
	data := e.GetData()
	switch e.GetType() {
	case raftpb.EntryConfChange:
		return checkConfChange(data)
	case raftpb.EntryNormal:
		if len(data) == 0 {
			return nil
		}
		return checkData(data, clusterLevel)
	}
	return fmt.Errorf("%w: type %v", errEntry, e.GetType())
}

// checkConfChange also refuses a change after which a member has no URL. It could be applied, but the member would have a
// vote and could not be reached.
func checkConfChange(data []byte) error {
	cc, m, err := decodeConfChange(data)
	if err != nil {
		return err
	}
	if cc.GetType() != raftpb.ConfChangeRemoveNode && len(m.PeerURLs) == 0 {
		return fmt.Errorf("%w: %v of member %s without a peer URL", errEntry, cc.GetType(), m.ID)
	}
	return nil
}

func checkData(data []byte, clusterLevel uint64) error {
	var err error
	switch data[0] {
	case kindBatch:
		return checkBatch(data, clusterLevel)
	case kindAttributes:
		_, err = decodeAttributes(data)
	case kindAudit:
		_, err = decodeAudit(data, &auditStart{})
	case kindAuditResult:
		_, err = decodeAudit(data, &auditResult{})
	default:
		if !isIgnorable(data[0]) {
			err = fmt.Errorf("%w: kind %d", errEntry, data[0])
		}
	}
	return err
}
