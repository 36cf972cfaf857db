package service

import (
	"context"
	"errors"

	"pando/httpapi/auth"
	"pando/tree"
)

// ErrMirrorNotUpgraded means that the feature level of the cluster is too low for a change of the mirror.
var ErrMirrorNotUpgraded = errors.New("the cluster can't follow an etcd: not all members have been upgraded")

// MirrorState returns what this member has applied of the etcd that the cluster follows, and the number of requests that it forwards. It
// waits for no other member. The sender needs the role root. Errors are those of AuthorizeRoot.
func (s *Service) MirrorState(ctx context.Context, who auth.Credentials) (tree.MirrorState, error) {
	from, err := s.identifyRoot(ctx, who)
	var state tree.MirrorState
	if err == nil {
		state = s.mirrorState(from.view)
	}
	s.record(who, &from, operation{name: opMirrorGet, read: true}, state.Index, err)
	return state, err
}

// mirrorState returns the state of a view. The view must be older than the number of forwarded requests: see tree.MirrorState.
func (s *Service) mirrorState(view *tree.View) tree.MirrorState {
	state := tree.MirrorState{Index: view.Index(), Sources: []string{}, Member: s.cfg.Self.String(), Forwarding: s.Forwarding()}
	if m := view.Mirror(); m != nil {
		state.Phase, state.ForwardWrites = m.Phase, m.ForwardWrites
		state.Sources = append(state.Sources, m.Sources...)
	}
	return state
}

// MirrorNodes returns the published tree, for a list of its nodes, if the sender has the role root. It waits for no other member. Errors
// are those of AuthorizeRoot.
func (s *Service) MirrorNodes(ctx context.Context, who auth.Credentials) (*tree.View, error) {
	from, err := s.identifyRoot(ctx, who)
	o := operation{name: opMirrorGet, key: "nodes", read: true}
	if err != nil {
		s.record(who, &from, o, 0, err)
		return nil, err
	}
	s.record(who, &from, o, from.view.Index(), nil)
	return from.view, nil
}

// ChangeMirror sends a change of the mirror through the log, if the sender has the role root at the index of the change, and returns the
// state of this member after it. The caller must not change c until ChangeMirror returns. Errors are those of AuthorizeRoot,
// ErrMirrorNotUpgraded, or *tree.Error. After an error with CodeRaftInternal the change may still be applied.
func (s *Service) ChangeMirror(ctx context.Context, who auth.Credentials, c *tree.MirrorChange) (tree.MirrorState, error) {
	from, err := s.changeMirror(ctx, who, c)
	var state tree.MirrorState
	if err == nil {
		state = s.mirrorState(s.cfg.Tree.View())
	}
	s.record(who, &from, operation{name: OpMirror}, state.Index, err)
	return state, err
}

// changeMirror is ChangeMirror without the record of the audit log. A change of users between the authorization and the change of the
// mirror is possible only if the cluster follows no etcd, so the repetitions end.
func (s *Service) changeMirror(ctx context.Context, who auth.Credentials, c *tree.MirrorChange) (sender, error) {
	for {
		from, err := s.identifyRoot(ctx, who)
		if err != nil {
			return from, err
		}
		if err := s.awaitLevel(ctx, tree.MirrorLevel, ErrMirrorNotUpgraded); err != nil {
			return from, err
		}
		_, err = s.proposeAs(ctx, &from, &tree.Command{Op: tree.OpMirror, Mirror: c})
		if !isAuthChanged(err) {
			return from, err
		}
	}
}

// forwards reports whether the members forward changes and quorum reads to the source.
func forwards(m *tree.Mirror) bool { return m.ForwardWrites && len(m.Sources) > 0 }
