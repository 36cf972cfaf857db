package raft

import (
	"time"

	"pando/tree"
)

// leaseManager ends leases. The tree has the leases and their times to live. The leader measures the time: a lease has a deadline
// in the memory of the leader (see leaseTable), a renewal moves it, and when it has passed, the leader proposes to remove the
// lease. A new leader gives every lease its full time to live.
//
// A renewal that was acknowledged is never followed by a removal that was proposed before it:
//
//   - A lease whose removal the leader has proposed is not renewed until the removal is applied, or until this member no longer
//     leads.
//   - A removal that a former leader has proposed may still be in the log of a new leader. If it will ever be applied, it is before
//     the first entry of the new leader's term. So a new leader answers no request before it has applied this entry.
//   - A removal is not deferred and not forwarded to another leader: it enters the log of the member that decides, in its term, or
//     no log.
//   - The command has the time at which each lease was granted. So it does not remove a later lease with the same ID.
//
// Only the goroutine that has the turn may use a leaseManager. Any goroutine may use the table.
type leaseManager struct {
	state    *logState
	raft     raftRole
	proposer *proposer
	tree     *tree.Store
	observer *Observer
	table    *leaseTable

	term uint64 // the term in which the table was activated; zero while it is not active
	// proposed is the number of the batch with the removal in flight, and revoking the number of its leases. Both are zero if none
	// is in flight.
	proposed uint64
	revoking int
	more     bool // more leases may have ended while a removal was in flight
}

func newLeaseManager(c *core) *leaseManager {
	return &leaseManager{
		state: c.state, raft: c.raw, proposer: c.proposer, tree: c.tree, observer: c.observer, table: c.leaseTable,
	}
}

// maxRevokedKeys bounds the keys of the leases that one command removes. A lease with more keys has a command of its own.
const maxRevokedKeys = maxEntryChanges

// updateRole activates the table when this member leads and has applied an entry of its own term, and deactivates it when it no
// longer leads. Callers must call it after each apply and before they answer readers, whose requests may use the table.
func (m *leaseManager) updateRole() {
	term := uint64(0)
	if m.state.leads() && m.state.appliedTerm == m.state.term.Load() {
		term = m.state.appliedTerm
	}
	if term == m.term {
		return
	}
	m.term, m.proposed, m.revoking, m.more = term, 0, 0, false
	if term == 0 {
		m.table.deactivate()
		return
	}
	all, now := newLeaseDeadlines(), m.table.now()
	for lease := range m.tree.View().Leases() {
		all.grant(lease.ID, lease.TTL, lease.Granted, now)
	}
	m.table.activate(all)
}

// applied takes the changes of leases by an applied batch. It must be called before the callers of the batch are answered.
func (m *leaseManager) applied(b batch) {
	if m.term == 0 {
		return
	}
	for i := range b.commands {
		switch c := &b.commands[i]; c.Op {
		case tree.OpLeaseGrant:
			m.takeGrant(c.Lease)
		case tree.OpLeaseRevoke:
			m.takeRevoke(c.Leases)
		}
	}
	if m.proposed != 0 && b.proposer == uint64(m.state.id) && b.number == m.proposed {
		emit1(m.observer.LeasesExpired, m.revoking)
		m.proposed, m.revoking, m.more = 0, 0, true
	}
}

// takeGrant starts the time of a lease. If the grant has failed, the lease may be an older one, which keeps its deadline.
func (m *leaseManager) takeGrant(id int64) {
	lease, ok := m.tree.View().Lease(id)
	if !ok {
		return // a later command of the batch has removed it
	}
	m.table.update(func(l *leaseDeadlines, now time.Duration) {
		if d := l.byID[id]; d == nil || d.granted != lease.Granted {
			l.grant(id, lease.TTL, lease.Granted, now)
		}
	})
}

// takeRevoke removes the leases that no longer exist. A lease that exists all the same was granted after its removal was proposed.
func (m *leaseManager) takeRevoke(ids []int64) {
	view := m.tree.View()
	m.table.update(func(l *leaseDeadlines, _ time.Duration) {
		for _, id := range ids {
			if _, ok := view.Lease(id); !ok {
				l.remove(id)
			}
		}
	})
}

// proposeMore is proposeDue after a removal was applied. Many leases that end together need not wait for the next tick.
func (m *leaseManager) proposeMore() {
	if m.more {
		m.more = false
		m.proposeDue()
	}
}

// proposeDue proposes to remove the leases whose deadlines have passed. At most one such command is in flight.
func (m *leaseManager) proposeDue() {
	if m.term == 0 || m.proposed != 0 || !m.raft.isLeader() || m.proposer.foundingPending() {
		return
	}
	var due []*leaseDeadline
	m.table.update(func(l *leaseDeadlines, now time.Duration) {
		due = l.takeDue(now, maxRevokedKeys, func(id int64) int { return 1 + m.tree.LeaseKeyCount(id) })
	})
	if len(due) == 0 {
		return
	}
	command := tree.Command{Op: tree.OpLeaseRevoke, ByLeader: true}
	for _, d := range due {
		command.Leases = append(command.Leases, d.id)
		command.Granted = append(command.Granted, d.granted)
	}
	p := m.proposer
	data := tree.AppendCommand(p.beginBatch(64+16*len(due)), &command)
	if err := p.sendOnce(data); err != nil {
		// Raft takes no proposals now, for example because the leadership is being transferred. The next tick tries again.
		m.table.update(func(l *leaseDeadlines, _ time.Duration) {
			for _, d := range due {
				l.requeue(d)
			}
		})
		return
	}
	m.proposed, m.revoking = p.number, len(due)
}
