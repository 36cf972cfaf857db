package service

import (
	"context"
	"errors"
	"time"

	"pando/httpapi/auth"
	"pando/tree"
	"pando/tree/users"
)

// ErrNotUpgraded means that the feature level of the cluster is too low for users and roles.
var ErrNotUpgraded = errors.New("users and roles can't be changed: not all members of the cluster have been upgraded")

// ErrUsersFollow means that the cluster follows a running etcd, so its users and roles can't be changed.
var ErrUsersFollow = errors.New(
	"users and roles can't be changed while the cluster follows an etcd; change them after `pando migrate switch`")

// AuthEnabled reports whether requests must be authorized. It needs no authorization. The result contains every change that was
// acknowledged to any client before the call. Errors are *tree.Error.
func (s *Service) AuthEnabled(ctx context.Context) (bool, error) {
	if err := s.cfg.Log.Barrier(ctx); err != nil {
		return false, err
	}
	return s.cfg.Tree.View().Users().Enabled(), nil
}

// Users returns the users, the roles and the auth switch, if the sender has the role root. The result contains every change that was
// acknowledged to any client before the call. The audit log records name, which is UserGet or RoleGet, and key, which is the name of
// the user or role, or "" for all. Errors are those of AuthorizeRoot, or *tree.Error.
func (s *Service) Users(ctx context.Context, who auth.Credentials, name, key string) (*users.State, error) {
	from, err := s.authorizeLatest(ctx, who)
	o := operation{name: name, key: key, read: true}
	if err != nil {
		s.record(who, &from, o, 0, err)
		return nil, err
	}
	s.record(who, &from, o, from.view.Index(), nil)
	return from.view.Users(), nil
}

// levelTimeout bounds how long a change of users or of the mirror waits for the feature level that it needs. A new cluster raises its
// feature level shortly after it has begun to serve.
const levelTimeout = 5 * time.Second

// awaitLevel waits until commands of a feature level may enter the log. It returns tooLow if the level of the cluster stays lower.
func (s *Service) awaitLevel(ctx context.Context, level uint64, tooLow error) error {
	if s.cfg.Log.FeatureLevel() >= level {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, levelTimeout)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for s.cfg.Log.FeatureLevel() < level {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return tooLow
		case <-s.stopped:
			return tree.NewError(tree.CodeRaftInternal, tree.CauseStopped)
		}
	}
	return nil
}

// ChangeUsers executes a change of users, roles or the auth switch, if the sender has the role root at the index of the change. password
// is the new password of the user, or "". Only its hash enters the log: ChangeUsers sets c.PasswordHash. The caller must not change c
// until ChangeUsers returns.
//
// Errors are those of AuthorizeRoot, ErrNotUpgraded, ErrUsersFollow, or *tree.Error. After an error with CodeRaftInternal the change may
// still be applied.
func (s *Service) ChangeUsers(ctx context.Context, who auth.Credentials, c *users.Change, password string) (users.Outcome, error) {
	from, event, err := s.changeUsers(ctx, who, c, password)
	o := operation{name: userOperations[c.Op], key: c.Name}
	if err != nil {
		s.record(who, &from, o, 0, err)
		return users.Outcome{}, err
	}
	s.record(who, &from, o, event.Index(), nil)
	return *event.Outcome(), nil
}

// changeUsers is ChangeUsers without the record of the audit log.
func (s *Service) changeUsers(ctx context.Context, who auth.Credentials, c *users.Change, password string) (sender, *tree.Event, error) {
	from, err := s.identifyRoot(ctx, who) // before the expensive hash
	if err != nil {
		return from, nil, err
	}
	if from.view.Mirror() != nil {
		return from, nil, ErrUsersFollow
	}
	if err := s.awaitLevel(ctx, (&tree.Command{Op: tree.OpUsers, Change: c}).Level(), ErrNotUpgraded); err != nil {
		return from, nil, err
	}
	if password != "" {
		if c.PasswordHash, err = s.cfg.Auth.Hash(ctx, password); err != nil {
			return from, nil, err
		}
	}
	return s.proposeUsers(ctx, who, c)
}

// proposeUsers sends a change of users through the log, if the sender has the role root. If another change of users was applied first, it
// authorizes the sender and proposes the change again. Each repetition means that another change was applied, so repetitions end.
func (s *Service) proposeUsers(ctx context.Context, who auth.Credentials, c *users.Change) (sender, *tree.Event, error) {
	timer := time.NewTimer(s.cfg.ReadyTimeout) // the change before this one may wait for a quorum
	defer timer.Stop()
	select {
	case s.changingUsers <- struct{}{}: // one at a time: each change makes the authorization of the others outdated
		defer func() { <-s.changingUsers }()
	case <-ctx.Done():
		return sender{}, nil, tree.NewError(tree.CodeRaftInternal, tree.CauseTimedOut)
	case <-timer.C:
		return sender{}, nil, tree.NewError(tree.CodeRaftInternal, tree.CauseTimedOut)
	}
	for {
		from, err := s.identifyRoot(ctx, who)
		if err != nil {
			return from, nil, err
		}
		event, err := s.proposeAs(ctx, &from, &tree.Command{Op: tree.OpUsers, Change: c})
		switch {
		case isFollowing(err): // this member has not applied the mirror yet
			return from, nil, ErrUsersFollow
		case !isAuthChanged(err):
			return from, event, err
		}
	}
}
