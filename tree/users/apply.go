package users

// Apply returns the State after a change. It never returns nil. After an error, which is an
// *Error, the users, the roles and the switch are those of s.
func (s *State) Apply(c *Change) (*State, Outcome, *Error) {
	t := transition{State: *s}
	var err *Error
	switch c.Op {
	case PutUser:
		err = t.putUser(c)
	case DeleteUser:
		err = t.deleteUser(c.Name)
	case PutRole:
		err = t.putRole(c)
	case DeleteRole:
		err = t.deleteRole(c.Name)
	case Enable:
		err = t.enable()
	case Disable:
		err = t.disable()
	default:
		err = &Error{Invalid, "auth: unknown operation"}
	}
	if err == nil || t.initialized != s.initialized {
		next := t.State
		return &next, t.outcome, err
	}
	return s, t.outcome, err
}

// transition is a State that is being made by one change. Its maps are clones that it may
// change only after mutate.
type transition struct {
	State
	outcome Outcome
}

// mutate begins the change itself, after all checks.
func (t *transition) mutate() {
	t.revision++
	t.users, t.roles = t.users.Clone(t.revision), t.roles.Clone(t.revision)
}

// directories is the number of nodes that the reference makes before it creates or deletes a
// user or a role for the first time, even if that fails.
const directories = 4

func (t *transition) initialize() {
	if !t.initialized {
		t.initialized = true
		t.outcome.Writes.Created += directories
	}
}

func (t *transition) enable() *Error {
	switch {
	case t.enabled:
		return &Error{Conflict, "auth: already enabled"}
	case t.User(Root) == nil:
		return &Error{Conflict, "auth: No root user available, please create one"}
	}
	t.mutate()
	if t.Role(Guest) == nil {
		t.roles.Insert((*roleItem)(newRole(Guest, fullAccess())))
		t.outcome.Writes.Created++
	}
	t.enabled = true
	t.outcome.Writes.Updated++
	return nil
}

func (t *transition) disable() *Error {
	if !t.enabled {
		return &Error{Conflict, "auth: already disabled"}
	}
	t.mutate()
	t.enabled = false
	t.outcome.Writes.Updated++
	return nil
}
