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

// The upstream library trusts its messages: one that no member of a healthy cluster
// sends can make it panic, or take what nobody has written. The transport has checked
// that a message is from the member at the other end of its stream, and that it has the
// form of its kind. Here it is checked against the log before the library sees it.

// maxTermJump is how far ahead of this member's term a message may be. A term goes up
// by one with an election that somebody could have won. A member that missed so many
// was away for more than a year of nothing but elections, a hundred in each second. A
// member without a term has seen none, and may join a cluster of any age.
const maxTermJump = 1 << 32

// A jump of more than longJump elections is taken once in jumpPause. Otherwise a flood
// of messages could use up all terms that there are; what is dropped comes again with
// the next heartbeat.
const (
	longJump  = 1 << 16
	jumpPause = time.Second
)

// maxFirstTerm bounds the term that a member without one takes over.
const maxFirstTerm = 1 << 63

// errImplausible refuses a message that no member of this cluster sends.
var errImplausible = errors.New("raft: no message that a member of this cluster could have sent")

// vetting is the loop's account of messages that it has refused.
type checks struct {
	jumped time.Time // when a long jump of the term was taken last
	// last is the largest index that an append has brought since raft was caught up
	// with. Behind it and the log's last index there is nothing that could be replaced.
	last uint64
	// overlapped says that raft may have replaced entries which the log in memory still
	// shows.
	overlapped bool
	told       pace.Pace
}

// vet reports whether a message may go to raft.
func (c *core) accept(m *raftpb.Message) bool {
	var against *claim
	err := c.check(m)
	switch {
	case err == nil:
		return true
	case errors.Is(err, errNotLeading):
	case errors.As(err, &against):
		c.refused(against.from, err)
		c.verify(against)
	default:
		c.refused(members.ID(m.GetFrom()), err)
	}
	return false
}

// refused tells of a message that was dropped, more and more rarely.
func (c *core) refused(from members.ID, err error) {
	emit1(c.observer.MessageRefused, from)
	if c.checks.told.Due(time.Now()) {
		c.log.Warn("a message on the peer port was refused", zap.Stringer("from", from), zap.Error(err))
	}
}

func (c *core) check(m *raftpb.Message) error {
	if err := c.checkTerm(m); err != nil {
		return err
	}
	if m.GetTerm() > 0 && m.GetTerm() < c.term.Load() {
		return nil // raft looks at nothing else of it
	}
	switch m.GetType() {
	case raftpb.MsgApp:
		return c.checkAppend(m)
	case raftpb.MsgHeartbeat:
		return c.checkHeartbeat(m)
	case raftpb.MsgAppResp:
		return c.checkAcknowledgement(m)
	case raftpb.MsgTimeoutNow:
		if lead := c.raw.BasicStatus().Lead; lead != etcdraft.None && m.GetFrom() != lead {
			return fmt.Errorf("%w: the leadership is handed over by member %x, which does not lead", errImplausible, m.GetFrom())
		}
	case raftpb.MsgReadIndex:
		if len(m.GetEntries()) != 1 {
			return fmt.Errorf("%w: a read of %d entries", errImplausible, len(m.GetEntries()))
		}
		return c.checkLeads(m)
	case raftpb.MsgTransferLeader:
		return c.checkLeads(m)
	}
	return nil
}

// checkLeads refuses what only a leader can answer. Raft would pass it on to the leader,
// and panic at some. Who asked asks again.
func (c *core) checkLeads(m *raftpb.Message) error {
	early := m.GetType() == raftpb.MsgReadIndex && c.answersTooEarly()
	if early || c.raw.BasicStatus().RaftState != etcdraft.StateLeader {
		return errNotLeading
	}
	return nil
}

// errNotLeading is for what only a leader can answer, and not at once when it begins. It
// is no fault of the sender's.
var errNotLeading = errors.New("raft: this member does not lead, or not long enough")

// checkTerm refuses a term that no election has led to.
func (c *core) checkTerm(m *raftpb.Message) error {
	own, term := c.term.Load(), m.GetTerm()
	switch {
	case own == 0 && term > maxFirstTerm, own > 0 && term > own && term-own > maxTermJump:
		return fmt.Errorf("%w: %v of term %d, and this member is in term %d", errImplausible, m.GetType(), term, own)
	case own == 0 || term <= own || term-own <= longJump:
		return nil
	case time.Since(c.checks.jumped) < jumpPause:
		return fmt.Errorf("%w: %v of term %d, right behind another leap of the term", errImplausible, m.GetType(), term)
	}
	c.checks.jumped = time.Now()
	return nil
}

// checkLeader refuses a second leader of a term: a term has one.
func (c *core) checkLeader(m *raftpb.Message) error {
	lead := c.leader.Load()
	if m.GetTerm() == c.term.Load() && lead != 0 && m.GetFrom() != lead {
		return fmt.Errorf("%w: member %x leads in term %d, in which member %x does", errImplausible, m.GetFrom(), m.GetTerm(), lead)
	}
	return nil
}

// checkAppend compares an append with what is committed here. What is committed never
// changes, so entries of another term there contradict this log.
func (c *core) checkAppend(m *raftpb.Message) error {
	if err := c.checkLeader(m); err != nil {
		return err
	}
	v := &c.checks
	fresh := m.GetIndex() >= max(c.lastIndex, v.last)
	if !fresh || m.GetIndex() <= c.committed.Load() {
		if err := c.compare(m); err != nil {
			return err
		}
	}
	v.overlapped = v.overlapped || !fresh
	v.last = max(v.last, m.GetIndex()+uint64(len(m.GetEntries())))
	return nil
}

// compare compares the part of an append that is applied here with the log. What is committed and not applied may still
// be on its way to the disk, and the log in memory then holds the entry that it replaces.
func (c *core) compare(m *raftpb.Message) error {
	applied := c.appliedIndex
	if m.GetIndex() > applied {
		return nil
	}
	own, unknown := c.storage.Term(m.GetIndex())
	compared := unknown == nil
	if compared && own != m.GetLogTerm() {
		return &claim{members.ID(m.GetFrom()), m.GetIndex()}
	}
	for _, e := range m.GetEntries() {
		if e.GetIndex() > applied {
			break
		}
		own, err := c.storage.Term(e.GetIndex())
		if err == nil && own != e.GetTerm() {
			return &claim{members.ID(m.GetFrom()), e.GetIndex()}
		}
		compared = compared || err == nil
	}
	if !compared && errors.Is(unknown, etcdraft.ErrCompacted) {
		// The log in memory begins behind the append: the leader may have another one.
		// Raft would answer that all of it is here.
		c.verify(&claim{members.ID(m.GetFrom()), applied})
	}
	return nil
}

// checkHeartbeat wants a leader to know of no more entries here than there are: it
// learned of them from this member.
func (c *core) checkHeartbeat(m *raftpb.Message) error {
	if err := c.checkLeader(m); err != nil {
		return err
	}
	if m.GetCommit() <= c.committed.Load() {
		return nil
	}
	last, err := c.storage.LastIndex()
	if c.checks.overlapped || err != nil || m.GetCommit() > last {
		c.catchUpWithRaft()
		if last, err = c.storage.LastIndex(); err != nil {
			return err
		}
	}
	if m.GetCommit() > last {
		return &claim{members.ID(m.GetFrom()), m.GetCommit()}
	}
	return nil
}

// checkAcknowledgement wants a follower to acknowledge no more than this leader has.
// One that does has a log of its own: it must not count for a quorum.
func (c *core) checkAcknowledgement(m *raftpb.Message) error {
	if !c.leads() || m.GetTerm() != c.term.Load() || m.GetReject() {
		return nil
	}
	last, err := c.storage.LastIndex()
	if err != nil {
		return err
	}
	if last = max(last, c.lastIndex); m.GetIndex() > last {
		return fmt.Errorf("%w: member %x has committed entry %d, and the last of this leader is %d: one of the two has lost data, "+
			"or is of an earlier cluster; it does not count for a quorum", errImplausible, m.GetFrom(), m.GetIndex(), last)
	}
	return nil
}

// catchUpWithRaft waits until the log in memory shows all that raft has taken.
func (c *core) catchUpWithRaft() {
	for c.failed == nil && c.raw.HasReady() {
		c.handle(c.raw.Ready())
	}
	c.awaitAppends()
	c.checks.overlapped, c.checks.last = false, 0
}
