package raft

import (
	"time"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"

	"pando/members"
)

// maxHandOver bounds how long a leader that stops waits for another, however long
// the election timeout is: whoever stops a process soon kills it.
const maxTransfer = 2 * time.Second

// handOver begins to stop: a leader first gives its place to another member, so
// that the others need not notice its absence.
func (c *core) transferAndStop() {
	to := c.transferee()
	if to == 0 {
		c.finish()
		return
	}
	c.proposeCoalesced() // raft takes nothing while it hands over
	c.raw.TransferLeader(to)
	wait := time.Duration(c.cfg.ElectionTicks) * c.cfg.Tick
	c.stopping = time.Now().Add(min(wait, maxTransfer))
}

// heir is the member that is furthest of those that can take the place of this
// leader; zero where there is none. Raft counts one that has gone as active until
// an election timeout has passed; its stream ends at once.
func (c *core) transferee() uint64 {
	to, match := uint64(0), uint64(0)
	if !c.leads() {
		return 0
	}
	c.raw.WithProgress(func(id uint64, kind etcdraft.ProgressType, p tracker.Progress) {
		if id != uint64(c.id) && kind == etcdraft.ProgressTypePeer && p.RecentActive && p.Match > match &&
			!c.transport.LastReceived(members.ID(id)).IsZero() {
			to, match = id, p.Match
		}
	})
	return to
}

// handOverAgain looks for another heir when the member that was to lead has gone.
func (c *core) retryTransfer(gone members.ID) {
	if c.stopping.IsZero() || !c.leads() || c.raw.BasicStatus().LeadTransferee != uint64(gone) || !c.transport.LastReceived(gone).IsZero() {
		return
	}
	if to := c.transferee(); to != 0 {
		c.raw.TransferLeader(to)
		return
	}
	c.finish()
}

// handedOver reports whether another leads. Until then this member stays: what came
// while raft took nothing waits for the new leader.
func (c *core) transferred() bool { return c.leader.Load() != 0 && !c.leads() }

// finish stops the loop. A member that is alone first lets land what is on its way
// to the disk, so that the next start has nothing to replay. Others would bring
// more for as long as there is load.
func (c *core) finish() {
	c.refuse(ErrStopped)
	if c.alone() {
		for c.workUntilIdle(); c.writer.busy() && c.failed == nil; c.workUntilIdle() {
			c.awaitAppends()
		}
	}
	if c.failed == nil {
		c.failed = ErrStopped
	}
}

// refuse answers the proposals that wait in the queue, and all to come.
func (c *core) refuse(err error) {
	for _, p := range c.queue.close(err) {
		p.done <- outcome{err: err}
	}
}
