package raft

// leaseManager keeps the table of the leases' deadlines. Only a leader has an active table. A new leader gives every lease its full
// time to live. A removal that a former leader has proposed may still be in its log. If it will ever be applied, it is before the
// first entry of the new leader's term. So a new leader answers no request about leases before it has applied this entry.
//
// Only the goroutine that has the turn may use a leaseManager. Any goroutine may use the table.
type leaseManager struct {
	state *logState
	table *leaseTable
	term  uint64 // the term in which the table was activated; zero while it is not active
}

func newLeaseManager(c *core) *leaseManager {
	return &leaseManager{state: c.state, table: c.leaseTable}
}

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
	m.term = term
	if term == 0 {
		m.table.deactivate()
		return
	}
	m.table.activate(newLeaseDeadlines())
}
