package raft

import (
	"time"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"
)

// handOver begins to stop: a leader first gives its place to the member that is
// furthest, so that the others need not notice its absence.
func (l *loop) handOver() {
	to, match := uint64(0), uint64(0)
	if l.leads() && l.stopping.IsZero() {
		l.raw.WithProgress(func(id uint64, kind etcdraft.ProgressType, p tracker.Progress) {
			if id != uint64(l.id) && kind == etcdraft.ProgressTypePeer && p.RecentActive && p.Match > match {
				to, match = id, p.Match
			}
		})
	}
	if to == 0 {
		l.finish()
		return
	}
	l.offerGathered() // raft takes nothing while it hands over
	l.raw.TransferLeader(to)
	l.stopping = time.Now().Add(time.Duration(l.cfg.ElectionTicks) * l.cfg.Tick)
	l.ending = nil // closed for good: it must not be selected again
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
