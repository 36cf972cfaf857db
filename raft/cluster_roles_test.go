package raft

// leader waits until the given members, or all running ones, agree that one of them leads.
func (c *cluster) leader(among ...*replica) *replica {
	c.t.Helper()
	if len(among) == 0 {
		among = c.running()
	}
	var found *replica
	c.await("a leader", func() bool {
		found = agreed(among)
		return found != nil
	})
	return found
}

func agreed(among []*replica) *replica {
	first := among[0].up.Load().Status()
	var found *replica
	for _, r := range among {
		s := r.up.Load().Status()
		if s.Leader != first.Leader || s.Term != first.Term {
			return nil
		}
		if s.ID == s.Leader {
			found = r
		}
	}
	return found
}

// follower returns a running member that does not lead.
func (c *cluster) follower() *replica {
	c.t.Helper()
	return c.others(c.leader())[0]
}
