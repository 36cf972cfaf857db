package tree

import "pando/tree/users"

// isAuthorized reports whether the authorization of a command is still valid. See
// Command.AuthRevision.
func (s *Store) isAuthorized(c *Command) bool {
	if c.ByLeader && (c.Op == OpLeaseRevoke || c.Op == OpCompact) {
		return true
	}
	if c.AuthRevision == 0 {
		return !s.users.Enabled()
	}
	return c.AuthRevision == s.users.Revision()
}

// usersCodes maps the kinds of errors of package users to codes.
var usersCodes = map[users.Kind]Code{
	users.NotFound:  CodeUsersNotFound,
	users.Conflict:  CodeUsersConflict,
	users.Forbidden: CodeUsersForbidden,
	users.Invalid:   CodeUsersInvalid,

	users.UserEmpty:            CodeUserEmpty,
	users.UserExists:           CodeUserExists,
	users.UserNotFound:         CodeUserNotFound,
	users.RoleEmpty:            CodeRoleEmpty,
	users.RoleExists:           CodeRoleExists,
	users.RoleNotFound:         CodeRoleNotFound,
	users.RoleNotGranted:       CodeRoleNotGranted,
	users.PermissionNotGranted: CodePermissionNotGranted,
	users.RootUserNotFound:     CodeRootUserNotFound,
	users.RootRoleNotGranted:   CodeRootRoleNotGranted,
	users.InvalidManagement:    CodeInvalidManagement,
	users.Unchanged:            CodeUsersUnchanged,
}

// changeUsers executes an OpUsers. It takes the indexes that the reference takes, and makes one
// event for each. A change that fails may take indexes, too: see users.Outcome. The result of a
// successful change is its last event.
func (s *Store) changeUsers(c *users.Change) (*Event, *Error) {
	next, outcome, err := s.users.Apply(c)
	// A new user or role takes no rights away, and a new key only makes tokens possible.
	if err == nil && next.Enabled() && !outcome.Created && c.Op != users.SetTokenKey {
		s.rightsLost = true
	}
	s.users = next
	s.counters.countWrites(outcome.Writes)
	var event *Event
	for range outcome.Writes.Indexes() {
		event = s.emitSilent()
	}
	if err != nil {
		return nil, NewError(usersCodes[err.Kind], err.Text)
	}
	event.outcome = &outcome
	return event, nil
}
