package service

import (
	"context"

	"pando/httpapi/auth"
	"pando/tree"
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

// Get reads the node at a clean path. Its errors are *tree.Error.
func (s *Service) Get(ctx context.Context, who auth.Credentials, path string, c Consistency) (Read, error) {
	if c == Linearizable {
		if err := s.cfg.Log.Barrier(ctx); err != nil {
			return Read{}, err
		}
	}
	view := s.cfg.Tree.View()
	node, err := view.Get(path)
	if err != nil {
		s.reads.Fail()
		return Read{}, err
	}
	s.reads.Success()
	return Read{Node: node, Index: view.Index()}, nil
}

// Propose sends a command through the log and returns its event when it is applied. The caller must not change the command until
// then. Errors are *tree.Error. After an error with CodeRaftInternal the command may still be applied.
func (s *Service) Propose(ctx context.Context, who auth.Credentials, c *tree.Command) (*tree.Event, error) {
	if isDirectoryRefresh(c) {
		return nil, s.refuseDirectoryRefresh(ctx, c.Path)
	}
	return s.cfg.Log.Propose(ctx, c)
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
