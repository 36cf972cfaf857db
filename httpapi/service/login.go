package service

import (
	"context"
	"errors"

	"pando/httpapi/auth"
	"pando/tree"
	"pando/tree/users"
)

// errLoginFollow is the error of a login while the cluster follows an etcd and has no key for tokens.
var errLoginFollow = tree.NewError(tree.CodeFollowing,
	"this cluster follows an etcd and has no key for tokens; log in after `pando migrate switch`, or use a client certificate")

// Login returns a token for a name and a password. who has the address of the client. The limits of failed logins are those of the v2 API.
// The first login after auth was enabled makes the key of the tokens. Errors are *tree.Error, ErrReplaying and ErrNotUpgraded.
func (s *Service) Login(ctx context.Context, who auth.Credentials, name, password string) (string, error) {
	from, token, err := s.login(ctx, who, name, password)
	o, index := operation{name: opUserLogin, read: true}, uint64(0)
	if err == nil {
		o.key, index = name, from.view.Index()
	}
	s.record(who, &from, o, index, err)
	return token, err
}

// login is Login without the record of the audit log.
func (s *Service) login(ctx context.Context, who auth.Credentials, name, password string) (sender, string, error) {
	if err := s.awaitUsers(ctx); err != nil {
		return sender{}, "", err
	}
	if err := s.cfg.Log.Barrier(ctx); err != nil {
		return sender{}, "", err
	}
	var from sender
	for range maxAuthorizations {
		var err error
		if from, err = s.verifyLogin(ctx, who, name, password); err != nil {
			return from, "", err
		}
		token, err := s.cfg.Auth.NewToken(from.view.Users(), from.principal)
		if err == nil {
			return from, token, nil
		}
		if err := s.makeTokenKey(ctx, &from); err != nil {
			return from, "", err
		}
	}
	return from, "", errAuthChanging
}

// verifyLogin returns the sender whose name and password are right in the latest view.
func (s *Service) verifyLogin(ctx context.Context, who auth.Credentials, name, password string) (sender, error) {
	for {
		view := s.cfg.Tree.View()
		if !view.Users().Enabled() {
			return sender{view: view}, errAuthDisabled
		}
		principal, roles, err := s.cfg.Auth.Login(ctx, view.Users(), name, password, who.Remote)
		latest := s.cfg.Tree.View()
		switch {
		case latest.Users().Revision() != view.Users().Revision(): // the verification takes time
			continue
		case errors.Is(err, auth.ErrTooManyAttempts):
			err = errTooManyLogins
		case err != nil:
			err = errLoginFailed
		}
		return sender{latest, principal, roles, err == nil, err != nil}, err
	}
}

// makeTokenKey sends a key for tokens through the log, for a sender that has logged in. It returns nil also if the users have changed, or
// another login has made a key: then the login must be verified again.
func (s *Service) makeTokenKey(ctx context.Context, from *sender) error {
	if from.view.Mirror() != nil {
		return errLoginFollow
	}
	c := &tree.Command{Op: tree.OpUsers, Change: &users.Change{Op: users.SetTokenKey, TokenKey: auth.NewTokenKey()}}
	if err := s.awaitLevel(ctx, c.Level(), ErrNotUpgraded); err != nil {
		return err
	}
	_, err := s.proposeAs(ctx, from, c)
	e, _ := errors.AsType[*tree.Error](err)
	switch {
	case isAuthChanged(err), e != nil && e.Code == tree.CodeUsersUnchanged:
		return nil
	case isFollowing(err):
		return errLoginFollow
	}
	return err
}
