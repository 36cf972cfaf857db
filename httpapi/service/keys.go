package service

import (
	"context"

	"pando/httpapi/auth"
	"pando/tree"
	"pando/tree/users"
)

// Consistency is the guarantee that a read gives.
type Consistency int

const (
	// Local reads return what is applied on this member. They wait for nothing.
	Local Consistency = iota
	// Linearizable reads contain everything that was acknowledged to any client before the read began. They wait until a
	// quorum has confirmed the leader and this member has applied the leader's commit index.
	Linearizable
)

// Read is the result of a successful Get. Both parts are immutable.
type Read struct {
	Node *tree.Node
	// Index is the index of the last change in the view from which the node was read.
	Index uint64
}

// Get reads the node at a clean path, if the sender may read it or, with users.Subtree, everything at and below it. The errors are
// *tree.Error, and ErrFollowing for a Linearizable read that the source of the cluster must answer.
func (s *Service) Get(ctx context.Context, who auth.Credentials, path string, scope users.Scope, c Consistency) (Read, error) {
	from, read, err := s.get(ctx, who, path, scope, c, nil)
	s.recordRead(who, &from, path, c, read, err)
	return read, err
}

// recordRead records a read for the audit log, unless the source must answer it.
func (s *Service) recordRead(who auth.Credentials, from *sender, path string, c Consistency, read Read, err error) {
	if err == ErrFollowing {
		return
	}
	s.record(who, from, operation{name: ReadOperation(c, read.Node).String(), key: path, read: true}, read.Index, err)
}

// get authorizes and performs a read. It reads from the view that choose returns for the current view, or from the current view if
// choose is nil.
func (s *Service) get(
	ctx context.Context, who auth.Credentials, path string, scope users.Scope, c Consistency,
	choose func(current *tree.View) (*tree.View, error),
) (sender, Read, error) {
	if c == Linearizable {
		if err := s.cfg.Log.Barrier(ctx); err != nil {
			return sender{}, Read{}, err
		}
	}
	from, err := s.authorize(ctx, who, users.Read, path, scope)
	if err != nil {
		return from, Read{}, err
	}
	if m := from.view.Mirror(); m != nil && c == Linearizable && forwards(m) {
		return from, Read{}, ErrFollowing
	}
	view := from.view
	if choose != nil {
		if view, err = choose(view); err != nil {
			return from, Read{}, err
		}
	}
	node, err := view.Get(path)
	if err != nil {
		s.reads.Fail()
		return from, Read{}, err
	}
	s.reads.Success()
	return from, Read{Node: node, Index: view.Index()}, nil
}

// Propose sends a command on keys through the log, if the sender may change these keys, and returns its event when it is applied. The
// caller must not change the command until then. Errors are *tree.Error, and ErrFollowing while the cluster follows a running etcd. After
// an error with CodeRaftInternal the command may still be applied.
func (s *Service) Propose(ctx context.Context, who auth.Credentials, c *tree.Command) (*tree.Event, error) {
	from, event, err := s.propose(ctx, who, c)
	if err == ErrFollowing {
		return nil, err
	}
	o, index := operation{name: ChangeOperation(c).String(), key: c.Path}, uint64(0)
	if event != nil {
		o.key, index = event.Node().Path(), event.Index() // a POST has made a name below c.Path
	}
	s.record(who, &from, o, index, err)
	return event, err
}

func (s *Service) propose(ctx context.Context, who auth.Credentials, c *tree.Command) (sender, *tree.Event, error) {
	scope := users.One
	if c.Recursive {
		scope = users.Subtree
	}
	var last sender
	for range maxAuthorizations {
		from, err := s.authorize(ctx, who, users.Write, c.Path, scope)
		if err != nil {
			return from, nil, err
		}
		if from.view.Mirror() != nil {
			return from, nil, ErrFollowing
		}
		if isDirectoryRefresh(c) {
			return from, nil, s.refuseDirectoryRefresh(ctx, c.Path)
		}
		if err := s.withinQuota(from.view, c); err != nil {
			return from, nil, err
		}
		event, err := s.proposeAs(ctx, &from, c)
		switch {
		case isFollowing(err): // this member has not applied the mirror yet
			return from, nil, ErrFollowing
		case !isAuthChanged(err):
			return from, event, err
		}
		last = from
	}
	return last, nil, errAuthChanging
}

// maxAuthorizations is the number of times that a command is authorized and proposed. Each repetition is caused by another change of
// users during a proposal.
const maxAuthorizations = 16

// errAuthChanging is the error of a command that was not executed after maxAuthorizations attempts.
var errAuthChanging = tree.NewError(tree.CodeRaftInternal,
	"the change was not made, because users or roles were changed during each attempt; try again")

// proposeAs proposes a command for which the sender is authorized. The error has CodeAuthChanged if users, roles or the auth switch
// have changed before the command was applied. The command was then not executed, and the caller must authorize the sender again.
func (s *Service) proposeAs(ctx context.Context, from *sender, c *tree.Command) (*tree.Event, error) {
	c.AuthRevision = from.authRevision()
	c.FileOnly = from.needsFile(c)
	event, err := s.cfg.Log.Propose(ctx, c)
	return event, hideUnauthorized(err)
}

// needsFile returns the FileOnly of a command. When the TTL of a directory ends, everything below it is removed. So setting it needs the
// right to the whole subtree.
func (s *sender) needsFile(c *tree.Command) bool {
	return c.Expires != 0 && !s.hasAccess(users.Write, c.Path, users.Subtree)
}

// hideUnauthorized returns errUnauthorized for each error with its code: like every error of the authorization, it has no index and does
// not show what is stored.
func hideUnauthorized(err error) error {
	if e, ok := err.(*tree.Error); ok && e.Code == tree.CodeUnauthorized {
		return errUnauthorized
	}
	return err
}

// isAuthChanged reports whether a command was not executed because its authorization was outdated.
func isAuthChanged(err error) bool {
	e, ok := err.(*tree.Error)
	return ok && e.Code == tree.CodeAuthChanged
}

// isFollowing reports whether a command was not executed because the cluster follows a running etcd.
func isFollowing(err error) bool {
	e, ok := err.(*tree.Error)
	return ok && e.Code == tree.CodeFollowing
}

// isDirectoryRefresh reports whether a command is a refresh with dir=true. Applied to a file, it would replace the file by a
// directory and lose the value, as it does in the reference. So no such command enters the log. Apply does not refuse it, because
// all versions must apply the entries of a log alike.
func isDirectoryRefresh(c *tree.Command) bool {
	return c.Op == tree.OpSet && c.Refresh && c.Dir && c.Path != "/"
}

// refuseDirectoryRefresh returns the error of a refresh with dir=true. The error is never nil: the path is missing, is a directory
// already, or is a file.
func (s *Service) refuseDirectoryRefresh(ctx context.Context, path string) error {
	if err := s.cfg.Log.Barrier(ctx); err != nil {
		return err
	}
	view := s.cfg.Tree.View()
	node, err := view.Get(path)
	switch {
	case err != nil:
		return err
	case node.IsDir():
		return &tree.Error{Code: tree.CodeNotFile, Cause: path, Index: view.Index()}
	}
	return &tree.Error{Code: tree.CodeNotDir, Cause: path, Index: view.Index()}
}
