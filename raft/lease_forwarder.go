package raft

import (
	"context"
	"errors"
	"sync"
	"time"

	"pando/members"
	"pando/raft/transport"
)

// leaseForwarder sends the requests about leases of a follower to the leader. One message is in progress at a time. The requests
// that come meanwhile are in the next one, so a follower needs few messages for many leases.
//
// Its methods may be called from any goroutine.
type leaseForwarder struct {
	leader func() members.ID // zero while no leader is known
	send   func(ctx context.Context, to members.ID, requests []transport.LeaseRequest) ([]transport.LeaseAnswer, error)
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu      sync.Mutex
	waiting []leaseCall
	sending bool // a goroutine sends messages
	closed  bool
}

// leaseCall is a request whose caller waits.
type leaseCall struct {
	request transport.LeaseRequest
	done    chan leaseOutcome // has room for one, so that a caller may give up
}

type leaseOutcome struct {
	answer transport.LeaseAnswer
	err    error
}

const (
	// maxLeaseCalls bounds the requests that wait for the next message.
	maxLeaseCalls = 64 << 10
	// leasePause is the least time between the beginnings of two messages: each opens a connection.
	leasePause = 5 * time.Millisecond
	// leaseTimeout bounds a message. A leader that does not answer may have been replaced.
	leaseTimeout = 2 * time.Second
)

var errNoLeader = errors.New("raft: the cluster has no leader")

func newLeaseForwarder(
	leader func() members.ID,
	send func(ctx context.Context, to members.ID, requests []transport.LeaseRequest) ([]transport.LeaseAnswer, error),
) *leaseForwarder {
	ctx, cancel := context.WithCancel(context.Background())
	return &leaseForwarder{leader: leader, send: send, ctx: ctx, cancel: cancel}
}

// close ends the message in progress, answers all callers and refuses all further ones.
func (f *leaseForwarder) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel()
	f.tasks.Wait()
}

// ask sends a request with the next message, and waits for the answer. After an error the request may be repeated.
func (f *leaseForwarder) ask(ctx context.Context, r transport.LeaseRequest) (transport.LeaseAnswer, error) {
	call := leaseCall{r, make(chan leaseOutcome, 1)}
	if err := f.add(call); err != nil {
		return transport.LeaseAnswer{}, err
	}
	select {
	case o := <-call.done:
		return o.answer, o.err
	case <-ctx.Done():
		return transport.LeaseAnswer{}, ctx.Err()
	}
}

func (f *leaseForwarder) add(call leaseCall) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return ErrStopped
	case len(f.waiting) >= maxLeaseCalls:
		return errTooMany
	}
	f.waiting = append(f.waiting, call)
	if !f.sending {
		f.sending = true
		f.tasks.Go(f.run)
	}
	return nil
}

// take removes the requests for the next message. If none waits, it returns none, and the goroutine that sends must end.
func (f *leaseForwarder) take() []leaseCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := min(len(f.waiting), transport.MaxLeaseRequests)
	calls := f.waiting[:n:n]
	f.waiting = f.waiting[n:]
	if n == 0 {
		f.waiting, f.sending = nil, false
	}
	return calls
}

// run sends messages until no caller waits.
func (f *leaseForwarder) run() {
	for calls := f.take(); len(calls) > 0; calls = f.take() {
		pause := time.After(leasePause)
		f.forward(calls)
		select {
		case <-pause:
		case <-f.ctx.Done():
		}
	}
}

// forward sends one message and answers its callers.
func (f *leaseForwarder) forward(calls []leaseCall) {
	requests := make([]transport.LeaseRequest, len(calls))
	for i, call := range calls {
		requests[i] = call.request
	}
	answers, err := f.sendToLeader(requests)
	for i, call := range calls {
		o := leaseOutcome{err: err}
		if err == nil {
			o = leaseOutcome{answers[i], checkLeaseAnswer(answers[i])}
		}
		call.done <- o
	}
}

func (f *leaseForwarder) sendToLeader(requests []transport.LeaseRequest) ([]transport.LeaseAnswer, error) {
	to := f.leader()
	if to == 0 {
		return nil, errNoLeader
	}
	ctx, cancel := context.WithTimeout(f.ctx, leaseTimeout)
	defer cancel()
	return f.send(ctx, to, requests)
}
