package raft

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/raft/pace"
)

// The raft library trusts its messages. A message that no member of a healthy cluster sends can make it panic, or accept
// entries that no leader has written. The transport checks that a message is from the member at the other end of its stream,
// and that it has the form of its type. Then the messageChecker compares the message with the log, and the library gets it.

// maxTermJump bounds the difference between a message's term and this member's. Each election raises the term by one. A
// hundred elections in each second reach the bound after more than a year. A member that has no term yet may join a cluster
// of any age.
const maxTermJump = 1 << 32

// A jump of more than longJump terms is accepted once in jumpPause. Otherwise a flood of messages could use up all terms. If
// the refused term was right, the next heartbeat has it again.
const (
	longJump  = 1 << 16
	jumpPause = time.Second
)

// maxFirstTerm bounds the first term that a member without one accepts.
const maxFirstTerm = 1 << 63

// errImplausible refuses a message that no member of this cluster sends.
var errImplausible = errors.New("raft: no member of this cluster sends such a message")

// errNotLeading refuses a message that only a leader can answer, and only after it has committed an entry of its term. The
// sender has made no error.
var errNotLeading = errors.New("raft: this member does not lead, or has committed no entry of its term")

// messageChecker checks messages against the log, and has contradictions confirmed; see contradiction.go.
//
// Only the goroutine that has the turn may use it.
type messageChecker struct {
	state    *logState
	raft     raftRole
	storage  *logStorage
	observer *Observer
	log      *zap.Logger
	// answersTooEarly reports whether raft would answer a read with an index that may be too low.
	answersTooEarly func() bool
	catchUp         func() // waits until the log in memory has all that raft has accepted
	request         func(*claim)

	jumped time.Time // when a long jump of the term was accepted last
	// last is the largest index of all appends since the last catchUp. Entries after it and after the log's last index
	// replace nothing.
	last uint64
	// overlapped means that raft may have replaced entries which the log in memory still has.
	overlapped bool
	logPace    pace.Pace
	claims     claims
}

// raftRole is the part of the raft library that a messageChecker uses. logState is older until the core has handled the next Ready.
type raftRole interface {
	isLeader() bool
	leader() uint64
}

func newMessageChecker(c *core) *messageChecker {
	k := &messageChecker{
		state: c.state, raft: c.raw, storage: c.storage, observer: c.observer, log: c.log,
		answersTooEarly: c.reader.answersTooEarly, catchUp: c.catchUpWithRaft,
	}
	k.request = func(x *claim) { c.requestReport(x) }
	return k
}

// accepts reports whether a message may go to raft. A message that contradicts the log is dropped, and its sender is asked
// at its own URL.
func (k *messageChecker) accepts(m *raftpb.Message) bool {
	var contradicts *claim
	err := k.check(m)
	switch {
	case err == nil:
		return true
	case errors.Is(err, errNotLeading):
	case errors.As(err, &contradicts):
		k.refuse(contradicts.from, err)
		k.verify(contradicts)
	default:
		k.refuse(members.ID(m.GetFrom()), err)
	}
	return false
}

// refuse logs, at growing intervals, that a message was dropped.
func (k *messageChecker) refuse(from members.ID, err error) {
	emit1(k.observer.MessageRefused, from)
	if k.logPace.Due(time.Now()) {
		k.log.Warn("a message on the peer port was refused", zap.Stringer("from", from), zap.Error(err))
	}
}

func (k *messageChecker) check(m *raftpb.Message) error {
	if err := k.checkTerm(m); err != nil {
		return err
	}
	if m.GetTerm() > 0 && m.GetTerm() < k.state.term.Load() {
		return nil // raft reads nothing but the term
	}
	switch m.GetType() {
	case raftpb.MsgApp:
		return k.checkAppend(m)
	case raftpb.MsgHeartbeat:
		return k.checkHeartbeat(m)
	case raftpb.MsgAppResp:
		return k.checkAcknowledgement(m)
	case raftpb.MsgTimeoutNow:
		if lead := k.raft.leader(); lead != etcdraft.None && m.GetFrom() != lead {
			return fmt.Errorf("%w: a transfer of the leadership from member %x, which does not lead", errImplausible, m.GetFrom())
		}
	case raftpb.MsgReadIndex:
		if len(m.GetEntries()) != 1 {
			return fmt.Errorf("%w: a read of %d entries", errImplausible, len(m.GetEntries()))
		}
		return k.checkLeads(m)
	case raftpb.MsgTransferLeader:
		return k.checkLeads(m)
	}
	return nil
}

// checkLeads refuses a message that only a leader can answer. Raft would forward it to the leader, and panic at some of
// them. The sender repeats it.
func (k *messageChecker) checkLeads(m *raftpb.Message) error {
	early := m.GetType() == raftpb.MsgReadIndex && k.answersTooEarly()
	if early || !k.raft.isLeader() {
		return errNotLeading
	}
	return nil
}

// checkTerm refuses a term that elections cannot have reached.
func (k *messageChecker) checkTerm(m *raftpb.Message) error {
	own, term := k.state.term.Load(), m.GetTerm()
	switch {
	case own == 0 && term > maxFirstTerm, own > 0 && term > own && term-own > maxTermJump:
		return fmt.Errorf("%w: %v of term %d, and this member is in term %d", errImplausible, m.GetType(), term, own)
	case own == 0 || term <= own || term-own <= longJump:
		return nil
	case time.Since(k.jumped) < jumpPause:
		return fmt.Errorf("%w: %v of term %d, too soon after another jump of the term", errImplausible, m.GetType(), term)
	}
	k.jumped = time.Now()
	return nil
}

// checkLeader refuses a second leader of a term: a term has at most one.
func (k *messageChecker) checkLeader(m *raftpb.Message) error {
	lead := k.state.leader.Load()
	if m.GetTerm() == k.state.term.Load() && lead != 0 && m.GetFrom() != lead {
		return fmt.Errorf("%w: member %x as the leader of term %d, whose leader is member %x", errImplausible, m.GetFrom(), m.GetTerm(), lead)
	}
	return nil
}

// checkAppend compares an append with what is committed here. Committed entries never change, so an entry of another term
// contradicts this log.
func (k *messageChecker) checkAppend(m *raftpb.Message) error {
	if err := k.checkLeader(m); err != nil {
		return err
	}
	extends := m.GetIndex() >= max(k.state.lastIndex, k.last)
	if !extends || m.GetIndex() <= k.state.committed.Load() {
		if err := k.compare(m); err != nil {
			return err
		}
	}
	k.overlapped = k.overlapped || !extends
	k.last = max(k.last, m.GetIndex()+uint64(len(m.GetEntries())))
	return nil
}

// compare compares the applied part of an append with the log. Entries that are committed and not applied may not be on
// the disk yet, and the log in memory may then have the entries that they replace.
func (k *messageChecker) compare(m *raftpb.Message) error {
	applied := k.state.applied.Load()
	if m.GetIndex() > applied {
		return nil
	}
	own, unknown := k.storage.Term(m.GetIndex())
	compared := unknown == nil
	if compared && own != m.GetLogTerm() {
		return &claim{members.ID(m.GetFrom()), m.GetIndex()}
	}
	for _, e := range m.GetEntries() {
		if e.GetIndex() > applied {
			break
		}
		own, err := k.storage.Term(e.GetIndex())
		if err == nil && own != e.GetTerm() {
			return &claim{members.ID(m.GetFrom()), e.GetIndex()}
		}
		compared = compared || err == nil
	}
	if !compared && errors.Is(unknown, etcdraft.ErrCompacted) {
		// The log in memory begins after the append, so the leader may have another log. Raft would acknowledge all
		// of the append.
		k.verify(&claim{members.ID(m.GetFrom()), applied})
	}
	return nil
}

// checkHeartbeat refuses a commit index beyond the end of this log. A leader sends at most the index that this member has
// acknowledged.
func (k *messageChecker) checkHeartbeat(m *raftpb.Message) error {
	if err := k.checkLeader(m); err != nil {
		return err
	}
	if m.GetCommit() <= k.state.committed.Load() {
		return nil
	}
	last, err := k.storage.LastIndex()
	if k.overlapped || err != nil || m.GetCommit() > last {
		k.catchUp()
		k.overlapped, k.last = false, 0
		if last, err = k.storage.LastIndex(); err != nil {
			return err
		}
	}
	if m.GetCommit() > last {
		return &claim{members.ID(m.GetFrom()), m.GetCommit()}
	}
	return nil
}

// checkAcknowledgement refuses a follower's acknowledgement of an entry that this leader does not have. That follower has
// another log, and must not count for a quorum.
func (k *messageChecker) checkAcknowledgement(m *raftpb.Message) error {
	if !k.state.leads() || m.GetTerm() != k.state.term.Load() || m.GetReject() {
		return nil
	}
	last, err := k.storage.LastIndex()
	if err != nil {
		return err
	}
	if last = max(last, k.state.lastIndex); m.GetIndex() > last {
		return fmt.Errorf("%w: member %x acknowledges entry %d, and the log of this leader ends with entry %d: one of the two has "+
			"lost data, or is of an earlier cluster. The acknowledgement does not count for a quorum",
			errImplausible, m.GetFrom(), m.GetIndex(), last)
	}
	return nil
}

// catchUpWithRaft waits until the log in memory has all that raft has accepted.
func (c *core) catchUpWithRaft() {
	for c.failed == nil && c.raw.HasReady() {
		c.handle(c.raw.Ready())
	}
	c.awaitAppends()
}
