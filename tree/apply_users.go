package tree

import "pando/tree/users"

// usersCodes maps the errors of package users.
var usersCodes = map[users.Kind]Code{
	users.NotFound:  CodeUsersNotFound,
	users.Conflict:  CodeUsersConflict,
	users.Forbidden: CodeUsersForbidden,
	users.Invalid:   CodeUsersInvalid,
}

// changeUsers executes an OpUsers. It takes the indexes that the reference takes, one event
// for each. Even a change that fails may take some: see users.Outcome. The result of a
// successful change is its last event.
func (s *Store) changeUsers(c *users.Change) (*Event, *Error) {
	next, outcome, err := s.users.Apply(c)
	if err == nil && next.Enabled() && !outcome.Created { // a new user or a new role takes no rights away
		s.rightsLost = true
	}
	s.users = next
	s.counters.countWrites(outcome.Writes)
	var event *Event
	for range outcome.Writes.Indexes() {
		node := newDir("/", noChildren)
		node.modified = s.index + 1
		event = s.emit(&Event{action: ActionAuth, node: node}, nil)
	}
	if err != nil {
		return nil, NewError(usersCodes[err.Kind], err.Text)
	}
	event.outcome = &outcome
	return event, nil
}
