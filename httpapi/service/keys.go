package service

import (
	"context"

	"pando/tree"
)

// Consistency says what a read must contain.
type Consistency int

const (
	// Local reads what is applied on this member. It waits for nothing.
	Local Consistency = iota
	// Linearizable reads contain everything that was acknowledged to any client before the read began. They wait until a
	// quorum confirms the leader, and until this member has applied as much.
	Linearizable
)

// Read is the result of a successful Get. Both parts are immutable.
type Read struct {
	Node *tree.Node
	// Index is that of the last change in the view that the node was read from.
	Index uint64
}

// Get reads the node at a clean path. Its errors are *tree.Error.
func (s *Service) Get(ctx context.Context, path string, c Consistency) (Read, error) {
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

// Propose sends a command through the log and returns its event when it is applied. The command must not be changed until
// then. Errors are *tree.Error; one with CodeRaftInternal leaves open whether the command will be applied.
func (s *Service) Propose(ctx context.Context, c *tree.Command) (*tree.Event, error) {
	if refreshesDirectory(c) {
		return nil, s.refuseDirectoryRefresh(ctx, c.Path)
	}
	return s.cfg.Log.Propose(ctx, c)
}

// refreshesDirectory reports whether a command is a refresh that would replace a file by a directory. The reference does
// that, and loses the value. Here no such command enters the log: all versions apply the entries of a log alike.
func refreshesDirectory(c *tree.Command) bool {
	return c.Op == tree.OpSet && c.Refresh && c.Dir && c.Path != "/"
}

// refuseDirectoryRefresh returns the error of a refresh with dir=true. There always is one: the path is missing, is a
// directory already, or is a file.
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
