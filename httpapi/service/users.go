package service

import (
	"context"
	"errors"
	"time"

	"pando/httpapi/auth"
	"pando/tree"
	"pando/tree/users"
)

// ErrNotUpgraded says that a change needs a higher feature level of the cluster.
var ErrNotUpgraded = errors.New("users and roles can't be changed: not all members of the cluster have been upgraded")

// AuthEnabled reports whether requests must be authorized. Everybody may ask. The result contains every change that was acknowledged
// to any client before the call. Errors are *tree.Error.
func (s *Service) AuthEnabled(ctx context.Context) (bool, error) {
	if err := s.cfg.Log.Barrier(ctx); err != nil {
		return false, err
	}
	return s.cfg.Tree.View().Users().Enabled(), nil
}

// Users returns the users, the roles and the auth switch, for a sender who may do what only root may do. The result contains every
// change that was acknowledged to any client before the call. operation is UserGet or RoleGet, and name that of the user or role, or
// empty, for the audit log. Errors are those of AuthorizeRoot, or *tree.Error.
func (s *Service) Users(ctx context.Context, who auth.Credentials, operation, name string) (*users.State, error) {
	from, err := s.authorizeLatest(ctx, who)
	s.recordUsers(who, &from, operation, name, true, 0, err)
	if err != nil {
		return nil, err
	}
	return from.view.Users(), nil
}

// recordUsers writes a record of an operation on users or roles to the audit log, if there is one.
func (s *Service) recordUsers(who auth.Credentials, from *sender, name, key string, read bool, index uint64, err error) {
	if s.cfg.Audit == nil {
		return
	}
	if read && err == nil {
		index = from.view.Index()
	}
	s.record(who, from, operation{name: name, key: key, read: read}, index, err)
}

// levelTimeout bounds how long a change of users waits for the feature level that it needs. A new cluster reaches its level shortly
// after it has begun to serve.
const levelTimeout = 5 * time.Second

// awaitLevel waits until commands for users may enter the log.
func (s *Service) awaitLevel(ctx context.Context) error {
	if s.cfg.Log.FeatureLevel() >= tree.UsersLevel {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, levelTimeout)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for s.cfg.Log.FeatureLevel() < tree.UsersLevel {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ErrNotUpgraded
		case <-s.stopped:
			return tree.NewError(tree.CodeRaftInternal, tree.CauseStopped)
		}
	}
	return nil
}

// ChangeUsers carries out a change of users, roles or the auth switch, for a sender who may do what only root may do. password is the
// new password of the user, or empty: only its hash enters the log. The change must have no PasswordHash, and must not be changed
// until ChangeUsers returns. The right of the sender is that at the index of the change: if users have changed meanwhile, it is
// checked again.
//
// Errors are those of AuthorizeRoot, ErrNotUpgraded, or *tree.Error. After an error with CodeRaftInternal the change may
// still be applied.
func (s *Service) ChangeUsers(ctx context.Context, who auth.Credentials, c *users.Change, password string) (users.Outcome, error) {
	from, event, err := s.changeUsers(ctx, who, c, password)
	if err != nil {
		s.recordUsers(who, &from, userOperations[c.Op], c.Name, false, 0, err)
		return users.Outcome{}, err
	}
	s.recordUsers(who, &from, userOperations[c.Op], c.Name, false, event.Index(), nil)
	return *event.Outcome(), nil
}

// changeUsers is ChangeUsers without the record. It returns the sender as far as it was found out.
func (s *Service) changeUsers(ctx context.Context, who auth.Credentials, c *users.Change, password string) (sender, *tree.Event, error) {
	from, err := s.identifyRoot(ctx, who) // before the expensive hash
	if err != nil {
		return from, nil, err
	}
	if err := s.awaitLevel(ctx); err != nil {
		return from, nil, err
	}
	if password != "" {
		if c.PasswordHash, err = s.cfg.Auth.Hash(ctx, password); err != nil {
			return from, nil, err
		}
	}
	return s.proposeUsers(ctx, who, c)
}

// proposeUsers sends a change through the log, if its sender has the right. It authorizes the sender again after each other change that
// was applied before this one. Of the changes that are proposed at the same time one is applied, so the repetition ends.
func (s *Service) proposeUsers(ctx context.Context, who auth.Credentials, c *users.Change) (sender, *tree.Event, error) {
	timer := time.NewTimer(s.cfg.ReadyTimeout) // without a quorum, the change before this one waits as long as any write
	defer timer.Stop()
	select {
	case s.changingUsers <- struct{}{}: // the changes of this member would only make each other fail
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
		if !isAuthChanged(err) {
			return from, event, err
		}
	}
}
