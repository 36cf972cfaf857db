package service

import (
	"context"
	"errors"

	"pando/httpapi/audit"
	"pando/httpapi/auth"
	"pando/tree"
	"pando/tree/users"
)

// The names of operations in the audit log, for those that have no stats.Op of their own.
const (
	MemberAdd      = "member_add"
	MemberRemove   = "member_remove"
	MemberUpdate   = "member_update"
	memberPromote  = "member_promote"
	LeaderTransfer = "leader_transfer"
	UserGet        = "user_get" // of one user, or of all
	RoleGet        = "role_get" // of one role, or of all
	UserPut        = "user_put"
	RolePut        = "role_put"
	opUserLogin    = "user_login" // for a token of the v3 API
	OpAlarm        = "alarm"      // a change of an alarm
	OpDowngrade    = "downgrade"
	opSnapshot     = "snapshot"
	opHashKV       = "hash_kv"
	opHash         = "hash"
	opDefragment   = "defragment"
	opProfile      = "profile"
	opWatchEnd     = "watch_end" // a watch ended because its user had lost the right
	opMirrorGet    = "mirror_get"
	OpMirror       = "mirror"  // a change of the mirror of an etcd
	opCompare      = "compare" // a condition of a transaction
)

// userOperations maps changes of users to operations of the audit log.
var userOperations = [...]string{
	users.PutUser:    UserPut,
	users.DeleteUser: "user_delete",
	users.PutRole:    RolePut,
	users.DeleteRole: "role_delete",
	users.Enable:     "auth_enable",
	users.Disable:    "auth_disable",

	users.UserAdd:              "user_add",
	users.UserDelete:           "user_delete",
	users.UserChangePassword:   "user_change_password",
	users.UserGrantRole:        "user_grant_role",
	users.UserRevokeRole:       "user_revoke_role",
	users.RoleAdd:              "role_add",
	users.RoleDelete:           "role_delete",
	users.RoleGrantPermission:  "role_grant_permission",
	users.RoleRevokePermission: "role_revoke_permission",
	users.AuthEnable:           "auth_enable",
	users.AuthDisable:          "auth_disable",
}

// operation describes an operation for the audit log.
type operation struct {
	name string
	key  string // the path, or the name of the user, role or member
	read bool   // it changes nothing
	// forwardedTo is the client URL of the etcd that has answered the operation; empty if it was not forwarded.
	forwardedTo string
}

// record passes a record of an operation to Config.Audit, unless it is nil. from is the sender; it is zero if the sender was not
// identified. index is that of the change or of the state that was read.
func (s *Service) record(who auth.Credentials, from *sender, o operation, index uint64, err error) {
	if s.cfg.Audit == nil {
		return
	}
	r := audit.Record{
		Remote: who.Remote, Forwarded: who.Forwarded(), Principal: from.principal.Name,
		Operation: o.name, Key: o.key, Index: index, Outcome: audit.OK, Read: o.read,
		ForwardedTo: o.forwardedTo,
	}
	if from.identified {
		r.Proof = from.principal.Proof.String()
	}
	if from.badLogin && from.view.Users().User(r.Principal) == nil {
		r.Principal = "" // the name may be a password that was typed in its place
	}
	if err != nil {
		r.Index = 0
		r.Outcome, r.Reason = outcomeOf(from, err)
	}
	if from.badLogin {
		selected, omitted := s.failures.Select(r.Principal, r.Remote)
		if !selected {
			return
		}
		r.Omitted = omitted
	}
	s.cfg.Audit.Record(r)
}

// outcomeOf returns the outcome and the reason of an operation that has failed.
func outcomeOf(from *sender, err error) (audit.Outcome, string) {
	switch {
	case isTooManyAttempts(err):
		return audit.Denied, "too many failed logins"
	case from.badLogin:
		return audit.Denied, "bad credentials"
	case isDenied(err):
		return audit.Denied, "insufficient credentials"
	}
	return audit.Failed, reasonOf(err)
}

func isTooManyAttempts(err error) bool {
	return errors.Is(err, ErrTooManyAttempts) || errors.Is(err, errTooManyLogins) || errors.Is(err, auth.ErrTooManyAttempts)
}

// isDenied reports whether an error says that the sender has no right to the operation.
func isDenied(err error) bool {
	if e, ok := errors.AsType[*tree.Error](err); ok {
		switch e.Code {
		case tree.CodeUnauthorized, tree.CodeNoCredentials, tree.CodeInvalidToken, tree.CodePermissionDenied, tree.CodeLoginFailed:
			return true
		}
		return false
	}
	return errors.Is(err, ErrNotRoot)
}

// reasonOf returns the reason of a failed operation for the audit log. The cause of an error about keys is left out, because it may
// contain a value.
func reasonOf(err error) string {
	e, ok := errors.AsType[*tree.Error](err)
	if !ok {
		return err.Error()
	}
	switch e.Code {
	case tree.CodeRaftInternal, tree.CodeFollowing, tree.CodeNotFollowing, tree.CodeMirrorIndex,
		tree.CodeUsersNotFound, tree.CodeUsersConflict, tree.CodeUsersForbidden, tree.CodeUsersInvalid:
		return e.Cause
	}
	if e.Code >= tree.CodeUserEmpty && e.Code <= tree.CodeAuthDisabled {
		return e.Cause
	}
	return e.Code.Message()
}

// recordEnd returns a function that records the end of a watch whose user has lost the right. It returns nil without an audit log.
func (s *Service) recordEnd(who auth.Credentials, from sender, paths []string) func() {
	if s.cfg.Audit == nil {
		return nil
	}
	from.view, from.roles = nil, nil // otherwise the watch would keep this state of the tree in memory
	return func() {
		for _, path := range paths {
			s.record(who, &from, operation{name: opWatchEnd, key: path, read: true}, 0, errUnauthorized)
		}
	}
}

// changeMembers authorizes a change of the members, calls change, and records the operation.
func (s *Service) changeMembers(ctx context.Context, who auth.Credentials, o operation, change func() error) error {
	from, err := s.authorizeLatest(ctx, who)
	if err == nil {
		err = change()
	}
	s.record(who, &from, o, 0, err)
	return err
}
