package users

import "slices"

// Apply returns the State after a change. The State is never nil. If the change fails, the State
// has the users, the roles, the switch and the revision of s. The State keeps the slices of c.
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
		err = t.applyV3(c)
	}
	if err == nil || t.initialized != s.initialized {
		next := t.State
		return &next, t.outcome, err
	}
	return s, t.outcome, err
}

// transition is the new State while a change is applied. It shares its maps with the old State
// until mutate is called, and must not change them before.
type transition struct {
	State
	outcome Outcome
}

// mutate prepares the maps for changes and increases the revision. It must be called after all
// checks, because a change that fails keeps the revision.
func (t *transition) mutate() {
	t.revision++
	t.users, t.roles = t.users.Clone(t.revision), t.roles.Clone(t.revision)
}

// directories is the number of directories that the reference makes for users and roles, before
// it creates or deletes the first one. They stay even if that operation fails.
const directories = 4

// initialize counts the writes of the directories, once in the life of a cluster.
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
	if root := t.User(Root); !slices.Contains(root.Roles, Root) { // the v3 API has made the user
		t.users.Replace((*userItem)(withRootRole(root)))
	}
	if t.Role(Guest) == nil {
		t.roles.Insert((*roleItem)(newRole(Guest, fullAccess())))
		t.outcome.Writes.Created++
	}
	t.enabled, t.tokenKey = true, ""
	t.outcome.Writes.Updated++
	return nil
}

func (t *transition) disable() *Error {
	if !t.enabled {
		return &Error{Conflict, "auth: already disabled"}
	}
	t.mutate()
	t.enabled, t.tokenKey = false, ""
	t.outcome.Writes.Updated++
	return nil
}
