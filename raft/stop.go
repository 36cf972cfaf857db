package raft

import (
	"time"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"

	"pando/members"
)

// maxHandOver bounds how long a leader that stops waits for another, however long
// the election timeout is: whoever stops a process soon kills it.
const maxHandOver = 2 * time.Second

// handOver begins to stop: a leader first gives its place to another member, so
// that the others need not notice its absence.
func (l *loop) handOver() {
	to := l.heir()
	if to == 0 {
		l.finish()
		return
	}
	l.offerGathered() // raft takes nothing while it hands over
	l.raw.TransferLeader(to)
	wait := time.Duration(l.cfg.ElectionTicks) * l.cfg.Tick
	l.stopping = time.Now().Add(min(wait, maxHandOver))
}

// heir is the member that is furthest of those that can take the place of this
// leader; zero where there is none. Raft counts one that has gone as active until
// an election timeout has passed; its stream ends at once.
func (l *loop) heir() uint64 {
	to, match := uint64(0), uint64(0)
	if !l.leads() {
		return 0
	}
	l.raw.WithProgress(func(id uint64, kind etcdraft.ProgressType, p tracker.Progress) {
		if id != uint64(l.id) && kind == etcdraft.ProgressTypePeer && p.RecentActive && p.Match > match &&
			!l.transport.Heard(members.ID(id)).IsZero() {
			to, match = id, p.Match
		}
	})
	return to
}

// handOverAgain looks for another heir when the member that was to lead has gone.
func (l *loop) handOverAgain(gone members.ID) {
	if l.stopping.IsZero() || !l.leads() || l.raw.BasicStatus().LeadTransferee != uint64(gone) || !l.transport.Heard(gone).IsZero() {
		return
	}
	if to := l.heir(); to != 0 {
		l.raw.TransferLeader(to)
		return
	}
	l.finish()
}

// handedOver reports whether another leads. Until then this member stays: what came
// while raft took nothing waits for the new leader.
func (l *loop) handedOver() bool { return l.leader.Load() != 0 && !l.leads() }

// finish stops the loop. A member that is alone first lets land what is on its way
// to the disk, so that the next start has nothing to replay. Others would bring
// more for as long as there is load.
func (l *loop) finish() {
	l.refuse(ErrStopped)
	if l.alone() {
		for l.workOff(); l.writer.busy() && l.failed == nil; l.workOff() {
			l.awaitAppends()
		}
	}
	if l.failed == nil {
		l.failed = ErrStopped
	}
}

// refuse answers the proposals that wait in the queue, and all to come.
func (l *loop) refuse(err error) {
	for _, p := range l.queue.close(err) {
		p.done <- outcome{err: err}
	}
}
