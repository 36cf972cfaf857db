package service

import (
	"context"
	"errors"
	"strings"
	"time"

	"pando/httpapi/auth"
	"pando/stats"
	"pando/tree"
	"pando/tree/users"
)

// ErrFollowing means that the cluster follows a running etcd, the source, and that the source must carry out the operation. Nothing was
// done. The caller must call ForwardChange or ForwardGet. The audit log has no record of the operation yet.
var ErrFollowing = errors.New("service: the cluster follows an etcd, and the operation was not forwarded")

// indexTimeout bounds how long a forwarded operation waits until this member has applied the index of the source.
const indexTimeout = 2 * time.Second

// followPause is the pause between two looks at the published tree by a request that waits for the mirror.
const followPause = 5 * time.Millisecond

// errSwitchTooLong is the error of an operation that has waited for the end of PhaseFenced.
var errSwitchTooLong = tree.NewError(tree.CodeFollowing,
	"this cluster is taking over from an etcd, and the request has waited too long for it; nothing was done: try again")

// Answer is the response of the source to a forwarded operation.
type Answer struct {
	// URL is the client URL of the member of the source that has answered.
	URL string
	// Index is the index of the source after a change; 0 if the response has none.
	Index uint64
	// Err is the error in the response; nil after success.
	Err *tree.Error
}

// Send sends an operation to one of the client URLs of the source, and returns when it has the response or has given up. It must not send
// a change twice. If there is no response, the error is a *tree.Error. Its code is CodeFollowing if the source has not carried the
// operation out and never will, and CodeRaftInternal if the outcome is unknown.
type Send func(urls []string) (Answer, error)

// Forwarding returns the number of operations that this member is forwarding. An operation counts from before the check of the phase
// until its outcome is known or given up.
func (s *Service) Forwarding() uint64 { return uint64(s.forwarding.Load()) }

// ForwardChange carries out a command for which Propose has returned ErrFollowing. If the members forward changes to the source, it calls
// send, waits until this member has applied the change, at most for indexTimeout, and returns true: the source has answered. If the
// cluster no longer follows the source, it proposes the command and returns its event and false. In PhaseFenced it waits before that.
//
// Errors are *tree.Error. With CodeFollowing nothing was done. After an error with CodeRaftInternal the change may still be made.
func (s *Service) ForwardChange(ctx context.Context, who auth.Credentials, c *tree.Command, send Send) (*tree.Event, bool, error) {
	o := forwarded{access: users.Write, path: c.Path, scope: users.One, send: send, deadline: s.forwardDeadline(ctx)}
	if c.Recursive {
		o.scope = users.Subtree
	}
	for {
		from, answer, way, err := s.forward(ctx, who, &o)
		if way == carryOut {
			if event, err := s.Propose(ctx, who, c); err != ErrFollowing {
				return event, false, err
			}
			continue
		}
		late := err == nil && !s.awaitIndex(answer.Index)
		s.recordForwarded(who, &from, operation{name: ChangeOperation(c).String(), key: c.Path}, &answer, late, err)
		return nil, err == nil, err
	}
}

// ForwardGet reads a node for which Get has returned ErrFollowing. If the members forward changes to the source, it calls send, waits until
// this member has applied the index of the response, at most for indexTimeout, and returns true: the source has answered. Without that
// wait the next read of the client could find an older state here. Otherwise it reads the node here, and returns it and false. In
// PhaseFenced it waits before that. Errors are *tree.Error.
func (s *Service) ForwardGet(ctx context.Context, who auth.Credentials, path string, scope users.Scope, send Send) (Read, bool, error) {
	o := forwarded{access: users.Read, path: path, scope: scope, send: send, deadline: s.forwardDeadline(ctx)}
	for {
		from, answer, way, err := s.forward(ctx, who, &o)
		if way == carryOut {
			if read, err := s.Get(ctx, who, path, scope, Linearizable); err != ErrFollowing {
				return read, false, err
			}
			continue
		}
		late := err == nil && !s.awaitIndex(answer.Index)
		name := ReadOperation(Linearizable, nil).String()
		s.recordForwarded(who, &from, operation{name: name, key: path, read: true}, &answer, late, err)
		return Read{}, err == nil, err
	}
}

// forwarded is an operation on keys that may have to be forwarded.
type forwarded struct {
	access   users.Access
	path     string
	scope    users.Scope
	send     Send
	deadline time.Time // of the wait for the end of PhaseFenced
}

// forwardDeadline returns the time until which a request waits for the end of PhaseFenced.
func (s *Service) forwardDeadline(ctx context.Context) time.Time {
	return Arrival(ctx).Add(s.cfg.ReadyTimeout)
}

// way says how an operation must be carried out.
type way int

const (
	decided  way = iota // it was sent, or there is an error
	carryOut            // this member must carry it out
	wait                // it must wait for the end of PhaseFenced
)

// forward sends an operation to the source, or decides that this member must carry it out. It waits while the phase is PhaseFenced.
func (s *Service) forward(ctx context.Context, who auth.Credentials, o *forwarded) (sender, Answer, way, error) {
	for {
		from, answer, way, err := s.tryForward(ctx, who, o)
		if way != wait {
			return from, answer, way, err
		}
		if err := s.awaitUnfenced(o.deadline); err != nil {
			return from, answer, decided, err
		}
	}
}

// tryForward is forward without the wait. The operation counts as being forwarded before the phase is checked: if a member reports
// PhaseFenced and then no operation that is being forwarded, all its later operations find PhaseFenced, too.
func (s *Service) tryForward(ctx context.Context, who auth.Credentials, o *forwarded) (sender, Answer, way, error) {
	s.forwarding.Add(1)
	defer s.forwarding.Add(-1)
	// A member that lags or is cut off must not forward after the cluster has taken over.
	if err := s.cfg.Log.Barrier(ctx); err != nil {
		return sender{}, Answer{}, decided, err
	}
	from, err := s.authorize(ctx, who, o.access, o.path, o.scope)
	if err != nil {
		return from, Answer{}, decided, err
	}
	m := from.view.Mirror()
	switch {
	case m == nil, o.access == users.Read && !forwards(m):
		return from, Answer{}, carryOut, nil
	case m.Phase == tree.PhaseFenced:
		return from, Answer{}, wait, nil
	case !forwards(m):
		return from, Answer{}, decided, refuseWrite(m)
	case from.principal.Proof == auth.Certificate:
		return from, Answer{}, decided, refuseCertificate(m)
	}
	answer, err := o.send(m.Sources)
	return from, answer, decided, err
}

// refuseWrite returns the error of a change while members do not forward changes.
func refuseWrite(m *tree.Mirror) error {
	return tree.NewError(tree.CodeFollowing,
		"this cluster follows an etcd"+sourcesOf(m)+" and takes no writes until `pando migrate switch`; write there")
}

// refuseCertificate returns the error of an operation whose sender has proved its identity by a certificate. The source would get the
// certificate of this member instead.
func refuseCertificate(m *tree.Mirror) error {
	return tree.NewError(tree.CodeFollowing, "this cluster follows an etcd"+sourcesOf(m)+
		", and the user of a client certificate can't be forwarded to it; send a name and a password, or write there")
}

// sourcesOf returns the client URLs of the source in parentheses, if they are known.
func sourcesOf(m *tree.Mirror) string {
	if len(m.Sources) == 0 {
		return ""
	}
	return " (" + strings.Join(m.Sources, ", ") + ")"
}

// awaitUnfenced waits until the phase on this member is another one than PhaseFenced.
func (s *Service) awaitUnfenced(deadline time.Time) error {
	return s.awaitTree(deadline, func(view *tree.View) bool {
		m := view.Mirror()
		return m == nil || m.Phase != tree.PhaseFenced
	})
}

// awaitIndex waits until this member has applied the index of the source. It returns false after indexTimeout and after Stop.
func (s *Service) awaitIndex(index uint64) bool {
	applied := func(view *tree.View) bool { return view.Index() >= index }
	return s.awaitTree(time.Now().Add(indexTimeout), applied) == nil
}

// awaitTree waits until a view of the tree fulfills a condition. At the deadline it returns errSwitchTooLong. It polls, because nothing
// notifies of an index without an event, or of another phase.
func (s *Service) awaitTree(deadline time.Time, fulfilled func(*tree.View) bool) error {
	ticker := time.NewTicker(followPause)
	defer ticker.Stop()
	for !fulfilled(s.cfg.Tree.View()) {
		if time.Now().After(deadline) {
			return errSwitchTooLong
		}
		select {
		case <-ticker.C:
		case <-s.stopped:
			return tree.NewError(tree.CodeFollowing, tree.CauseStopped)
		}
	}
	return nil
}

// recordForwarded counts an operation that was sent to the source, or was refused. It passes the record to the audit log. late says that
// this member has not applied the index of the response in time. err is nil if the source has answered.
func (s *Service) recordForwarded(who auth.Credentials, from *sender, o operation, answer *Answer, late bool, err error) {
	o.forwardedTo = answer.URL
	if err == nil && answer.Err != nil {
		err = answer.Err
	}
	s.record(who, from, o, answer.Index, err)
	if s.cfg.CountForward == nil {
		return
	}
	e, _ := errors.AsType[*tree.Error](err)
	switch {
	case answer.URL != "" && e != nil:
		s.cfg.CountForward(stats.ForwardFailed)
	case answer.URL != "" && late:
		s.cfg.CountForward(stats.ForwardLate)
	case answer.URL != "":
		s.cfg.CountForward(stats.ForwardOK)
	case e != nil && e.Code == tree.CodeRaftInternal:
		s.cfg.CountForward(stats.ForwardInDoubt)
	default:
		s.cfg.CountForward(stats.ForwardRefused)
	}
}
