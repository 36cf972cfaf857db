package service

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pando/httpapi/auth"
	"pando/stats"
	"pando/tree"
	"pando/tree/users"
)

func TestRefusedWrites(t *testing.T) {
	f := newMirrorService(t, nil)
	for _, test := range []struct {
		name   string
		change tree.MirrorChange
		want   string
	}{
		{"unknown sources", tree.MirrorChange{}, "this cluster follows an etcd and takes no writes until `pando migrate switch`"},
		{"unknown sources, forwarding", tree.MirrorChange{ForwardWrites: new(true)}, "this cluster follows an etcd and takes no writes"},
		{"no forwarding", tree.MirrorChange{Sources: []string{"http://etcd:2379"}, ForwardWrites: new(false)},
			"this cluster follows an etcd (http://etcd:2379) and takes no writes until `pando migrate switch`; write there"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f.mirror(t, test.change)
			f.records.take()
			_, forwarded, err := f.put(guest)
			if codeOf(err) != tree.CodeFollowing || !strings.Contains(err.Error(), test.want) || forwarded {
				t.Errorf("got %v, %v", forwarded, err)
			}
			if got := f.records.take(); !strings.HasPrefix(got, "set /a failed "+test.want) {
				t.Errorf("recorded %s", got)
			}
		})
	}
	if f.sent.Load() != 0 || f.counts[stats.ForwardRefused] != 3 {
		t.Errorf("%d sends; counted %v", f.sent.Load(), f.counts)
	}
	t.Run("a quorum read is answered here", func(t *testing.T) {
		f.mirror(t, tree.MirrorChange{Nodes: []tree.NodeFields{{Path: "/a", Value: "here", Created: 1, Modified: 1}}})
		if read, err := f.Get(t.Context(), guest, "/a", users.One, Linearizable); err != nil || read.Node.Value() != "here" {
			t.Errorf("got %+v, %v", read, err)
		}
	})
	t.Run("users", func(t *testing.T) {
		if _, err := f.ChangeUsers(t.Context(), guest, &users.Change{Op: users.Enable}, ""); err != ErrUsersFollow {
			t.Errorf("got %v", err)
		}
	})
}

func TestForwardedWrites(t *testing.T) {
	f := newMirrorService(t, nil)
	f.forwardWrites(t)
	t.Run("a success", func(t *testing.T) {
		f.mustForward(t)
		if got, last := f.records.records[0], len(f.records.records)-1; last != 0 || got.ForwardedTo != "http://etcd:2379" ||
			got.Index != f.answer.Index {
			t.Errorf("recorded %+v", f.records.records)
		}
		f.records.take()
	})
	t.Run("an error of the etcd", func(t *testing.T) {
		f.answer.Err = tree.NewError(tree.CodeCompareFailed, "[secret != other]")
		f.mustForward(t)
		f.answer.Err = nil
		if got := f.records.take(); got != "set /a failed Compare failed" {
			t.Errorf("recorded %s", got)
		}
	})
	t.Run("a change that is applied later", func(t *testing.T) {
		f.answer.Index++
		applied := make(chan struct{})
		time.AfterFunc(50*time.Millisecond, func() {
			f.mirror(t, tree.MirrorChange{To: f.answer.Index})
			close(applied)
		})
		f.mustForward(t)
		if f.log.store.View().Index() != f.answer.Index {
			t.Error("the client can't read its write")
		}
		<-applied
	})
	t.Run("a change that is not applied", func(t *testing.T) {
		f.answer.Index++
		f.mustForward(t)
	})
	f.records.take()
	for _, failure := range []*tree.Error{tree.NewError(tree.CodeFollowing, "nothing"), tree.NewError(tree.CodeRaftInternal, "in doubt")} {
		t.Run(failure.Cause, func(t *testing.T) {
			f.failure = failure
			defer func() { f.failure = nil }()
			if _, forwarded, err := f.put(guest); err != failure || forwarded {
				t.Errorf("got %v, %v", forwarded, err)
			}
			if got := f.records.take(); got != "set /a failed "+failure.Cause {
				t.Errorf("recorded %s", got)
			}
		})
	}
	want := map[stats.ForwardOutcome]int{stats.ForwardOK: 2, stats.ForwardFailed: 1, stats.ForwardLate: 1, stats.ForwardRefused: 1,
		stats.ForwardInDoubt: 1}
	for outcome, n := range want {
		if f.counts[outcome] != n {
			t.Errorf("outcome %d was counted %d times, want %d", outcome, f.counts[outcome], n)
		}
	}
	if f.log.proposals != 2 { // of mirror
		t.Errorf("%d proposals", f.log.proposals)
	}
}

// TestForwardedReads checks that quorum reads go to the etcd while writes do, and that local reads do not.
func TestForwardedReads(t *testing.T) {
	f := newMirrorService(t, nil)
	f.forwardWrites(t)
	if _, err := f.Get(t.Context(), guest, "/", users.Subtree, Local); err != nil {
		t.Errorf("a local read: %v", err)
	}
	if _, err := f.Get(t.Context(), guest, "/", users.Subtree, Linearizable); err != ErrFollowing {
		t.Errorf("got %v, want %v", err, ErrFollowing)
	}
	get := func() (bool, error) {
		_, forwarded, err := f.ForwardGet(t.Context(), guest, "/", users.Subtree, f.send)
		return forwarded, err
	}
	applied := make(chan struct{})
	time.AfterFunc(50*time.Millisecond, func() {
		f.mirror(t, tree.MirrorChange{To: f.answer.Index})
		close(applied)
	})
	if forwarded, err := get(); !forwarded || err != nil {
		t.Errorf("got %v, %v", forwarded, err)
	}
	if f.log.store.View().Index() != f.answer.Index {
		t.Error("the next read of the client may find an older state")
	}
	<-applied
	f.mirror(t, tree.MirrorChange{ForwardWrites: new(false)})
	if forwarded, err := get(); forwarded || err != nil || f.sent.Load() != 1 {
		t.Errorf("without forwarding: %v, %v after %d sends", forwarded, err, f.sent.Load())
	}
}

// TestFenced checks what happens with requests while the cluster takes over.
func TestFenced(t *testing.T) {
	// fenced begins the phase and a write, and waits until the write waits.
	fenced := func(t *testing.T, f *mirrorService) <-chan error {
		f.forwardWrites(t)
		var waits atomic.Bool
		if state := f.mirror(t, tree.MirrorChange{Phase: tree.PhaseFenced}); state.Phase != tree.PhaseFenced {
			t.Errorf("the state is %+v", state)
		}
		f.log.onBarrier = func() { waits.Store(true) }
		done := make(chan error, 1)
		go func() {
			event, forwarded, err := f.put(guest)
			if err == nil && forwarded != (event == nil) {
				err = errors.New("both an event and an answer")
			}
			done <- err
		}()
		await(t, "the write to wait", func() bool { return waits.Load() && f.Forwarding() == 0 })
		select {
		case err := <-done:
			t.Errorf("the write has not waited: %v", err)
		default:
		}
		return done
	}
	t.Run("the end", func(t *testing.T) {
		f := newMirrorService(t, nil)
		done := fenced(t, f)
		f.mirror(t, tree.MirrorChange{Phase: tree.PhaseEnded, To: 1000})
		if err := <-done; err != nil || f.sent.Load() != 0 {
			t.Errorf("%v after %d sends", err, f.sent.Load())
		}
		if n := f.log.store.View().Lookup("/a"); n == nil || n.ModifiedIndex() != 1001 {
			t.Errorf("the node is %+v", n)
		}
	})
	t.Run("back to following", func(t *testing.T) {
		f := newMirrorService(t, nil)
		done := fenced(t, f)
		f.mirror(t, tree.MirrorChange{Phase: tree.PhaseFollowing})
		if err := <-done; err != nil || f.sent.Load() != 1 {
			t.Errorf("%v after %d sends", err, f.sent.Load())
		}
	})
	t.Run("too long", func(t *testing.T) {
		f := newMirrorService(t, func(c *Config) { c.ReadyTimeout = 50 * time.Millisecond })
		if err := <-fenced(t, f); err != errSwitchTooLong {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the member stops", func(t *testing.T) {
		f := newMirrorService(t, nil)
		done := fenced(t, f)
		f.Stop()
		if err := <-done; codeOf(err) != tree.CodeFollowing || !strings.Contains(err.Error(), tree.CauseStopped) {
			t.Errorf("got %v", err)
		}
	})
}

// TestLaggingMember checks that a member asks a quorum before it forwards: it may not have applied the phase yet.
func TestLaggingMember(t *testing.T) {
	for _, last := range []tree.MirrorPhase{tree.PhaseFenced, tree.PhaseEnded} {
		t.Run(last.String(), func(t *testing.T) {
			f := newMirrorService(t, func(c *Config) { c.ReadyTimeout = time.Second })
			f.forwardWrites(t)
			var once sync.Once
			f.log.onBarrier = func() { // what the member had not applied
				once.Do(func() {
					f.mirror(t, tree.MirrorChange{Phase: tree.PhaseFenced})
					if last == tree.PhaseEnded {
						f.mirror(t, tree.MirrorChange{Phase: tree.PhaseEnded, To: 1000})
					}
				})
			}
			event, _, err := f.put(guest)
			if f.sent.Load() != 0 || last == tree.PhaseEnded && event == nil || last == tree.PhaseFenced && err != errSwitchTooLong {
				t.Errorf("got %v, %v after %d sends", event, err, f.sent.Load())
			}
		})
	}
	t.Run("a member that has not applied the mirror", func(t *testing.T) {
		s, log := newTestService(t, nil)
		log.fail = tree.NewError(tree.CodeFollowing, "as applied by the cluster")
		if _, err := s.Propose(t.Context(), guest, putCommand()); err != ErrFollowing {
			t.Errorf("got %v", err)
		}
		if _, err := s.ChangeUsers(t.Context(), guest, &users.Change{Op: users.Enable}, ""); err != ErrUsersFollow {
			t.Errorf("got %v", err)
		}
	})
}

// TestForwardedAuth checks the rights of forwarded operations.
func TestForwardedAuth(t *testing.T) {
	f := newMirrorServiceOf(t, newAuthService, nil)
	f.forwardWrites(t)
	for _, test := range []struct {
		name string
		who  auth.Credentials
		sent bool
		want string
	}{
		{"a user with the right", writer, true, "writer password set /a ok"},
		{"root", root, true, "root password set /a ok"},
		{"a guest", guest, false, "anonymous set /a denied insufficient credentials"},
		{"a user without the right", reader, false, "reader password set /a denied insufficient credentials"},
		{"a wrong password", as("writer", "wrong"), false, "writer set /a denied bad credentials"},
		{"a certificate", auth.Credentials{CommonName: "writer"}, false, "writer certificate set /a failed this cluster follows an etcd " +
			"(http://etcd:2379), and the user of a client certificate can't be forwarded to it; send a name and a password, or write there"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := f.sent.Load()
			_, forwarded, err := f.put(test.who)
			if forwarded != test.sent || (err == nil) != test.sent || f.sent.Load() > before != test.sent {
				t.Errorf("got %v, %v after %d sends", forwarded, err, f.sent.Load()-before)
			}
			if got := f.records.take(); got != test.want {
				t.Errorf("recorded %s\nwant     %s", got, test.want)
			}
		})
	}
	t.Run("the mirror is root's", func(t *testing.T) {
		for _, who := range []auth.Credentials{guest, writer, as("root", "wrong")} {
			_, stateErr := f.MirrorState(t.Context(), who)
			_, nodesErr := f.MirrorNodes(t.Context(), who)
			_, changeErr := f.ChangeMirror(t.Context(), who, &tree.MirrorChange{Phase: tree.PhaseFenced})
			for _, err := range []error{stateErr, nodesErr, changeErr} {
				if !errors.Is(err, ErrNotRoot) {
					t.Errorf("%v: got %v", who, err)
				}
			}
		}
		if state, err := f.MirrorState(t.Context(), root); err != nil || state.Phase != tree.PhaseFollowing {
			t.Errorf("got %+v, %v", state, err)
		}
	})
}

// TestForwardingIsCounted checks the promise of the state: after a state with PhaseFenced and no operation that is being forwarded, no
// operation is sent.
func TestForwardingIsCounted(t *testing.T) {
	f := newMirrorService(t, func(c *Config) { c.CountForward, c.Audit = nil, nil })
	f.forwardWrites(t)
	var fence atomic.Bool // all operations were sent that this member reports
	send := func([]string) (Answer, error) {
		f.sent.Add(1)
		<-time.After(time.Millisecond)
		if fence.Load() {
			t.Error("an operation was sent after the state has promised that none will be")
		}
		return f.answer, nil
	}
	var writers sync.WaitGroup
	stop := make(chan struct{})
	for range 8 {
		writers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, _, err := f.ForwardChange(context.Background(), guest, putCommand(), send); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		before := f.sent.Load()
		await(t, "some writes", func() bool { return f.sent.Load() > before+8 })
		state := f.mirror(t, tree.MirrorChange{Phase: tree.PhaseFenced})
		for state.Forwarding > 0 {
			state, _ = f.MirrorState(t.Context(), guest)
		}
		fence.Store(true)
		<-time.After(5 * time.Millisecond)
		fence.Store(false)
		f.mirror(t, tree.MirrorChange{Phase: tree.PhaseFollowing})
	}
	close(stop)
	writers.Wait()
}
