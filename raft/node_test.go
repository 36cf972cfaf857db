package raft

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"pando/storage"
	"pando/tree"
)

// proposeInOrder proposes in-order creations from several goroutines. Each goroutine makes a number of them, or ends with
// its first error. The result is the values by the acknowledged paths, and the errors.
func (m *testMember) proposeInOrder(goroutines, each int) (acknowledged map[string]string, failures []error) {
	node := m.node
	acknowledged = map[string]string{}
	var mu sync.Mutex
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			for i := range each {
				value := fmt.Sprintf("%d-%d", g, i)
				event, err := node.Propose(context.Background(), &tree.Command{Op: tree.OpCreateInOrder, Path: "/q", Value: value})
				mu.Lock()
				if err != nil {
					failures = append(failures, err)
					mu.Unlock()
					return
				}
				acknowledged[event.Node().Path()] = value
				mu.Unlock()
				if node.Tree().View().Index() < event.Index() {
					m.t.Errorf("the answer to %d came before the tree had it", event.Index())
				}
			}
		})
	}
	group.Wait()
	return acknowledged, failures
}

// checkAcknowledged checks that the tree has everything that was acknowledged, and at most extra more.
func (m *testMember) checkAcknowledged(acknowledged map[string]string, extra int) {
	m.t.Helper()
	view := m.node.Tree().View()
	for path, value := range acknowledged {
		n, err := view.Get(path)
		if err != nil || n.Value() != value {
			m.t.Errorf("%s was acknowledged with %q, and is lost or has another value: %v", path, value, err)
		}
	}
	if dir, err := view.Get("/q"); err == nil && dir.Len() > len(acknowledged)+extra {
		m.t.Errorf("the tree has %d keys; %d were acknowledged, and at most %d are unknown", dir.Len(), len(acknowledged), extra)
	}
}

func TestProposeConcurrently(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	m.start()
	const goroutines, each = 16, 100
	acknowledged, failures := m.proposeInOrder(goroutines, each)
	if len(acknowledged) != goroutines*each || failures != nil {
		t.Fatalf("%d different paths acknowledged, want %d; errors %v", len(acknowledged), goroutines*each, failures)
	}
	m.checkAcknowledged(acknowledged, 0)
	if started, done := m.seen.started.Load(), m.seen.done.Load(); started != goroutines*each || done != started {
		t.Errorf("%d proposals were observed, %d done", started, done)
	}
	if batches := m.seen.batchCount(); batches > goroutines*each*3/4 {
		t.Errorf("%d entries for %d proposals: they don't share", batches, goroutines*each)
	}
}

// TestBarrier reads after a barrier what was acknowledged to other callers.
func TestBarrier(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	m.start()
	var group sync.WaitGroup
	for g := range 4 {
		logged := make(chan string)
		group.Go(func() {
			defer close(logged)
			for i := range 100 {
				path := fmt.Sprintf("/%d/%d", g, i)
				if _, err := m.node.Propose(t.Context(), &tree.Command{Op: tree.OpSet, Path: path}); err != nil {
					t.Error(err)
					return
				}
				logged <- path
			}
		})
		group.Go(func() {
			for path := range logged {
				if err := m.node.Barrier(t.Context()); err != nil || !m.exists(path) {
					t.Errorf("%s is not there after a barrier, error %v", path, err)
				}
			}
		})
	}
	group.Wait()
}

func TestProposeGivenUp(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	m.start()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		_, err := m.node.Propose(ctx, &tree.Command{Op: tree.OpCreateInOrder, Path: "/q"})
		if err != nil {
			mustBeLogError(t, err)
		}
	}
	// The abandoned proposal may still be applied; it must not answer another caller.
	for i := range 50 {
		if event := m.set("/after", fmt.Sprint(i)); event.Node().Value() != fmt.Sprint(i) {
			t.Fatalf("proposal %d was answered %q", i, event.Node().Value())
		}
	}
}

func TestStopAnswersEveryone(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	for round := range rounds() {
		m.start()
		node := m.node
		stopped := make(chan struct{})
		go func() {
			if !poll(func() bool { return m.seen.done.Load() > 100 }) {
				t.Error("proposals get stuck")
			}
			node.Stop()
			close(stopped)
		}()
		const goroutines = 32
		acknowledged, failures := m.proposeInOrder(goroutines, 1<<30)
		<-stopped
		if len(failures) != goroutines {
			t.Errorf("%d of %d callers were answered", len(failures), goroutines)
		}
		for _, err := range failures {
			mustBeLogError(t, err)
		}
		if !errors.Is(node.Err(), ErrStopped) {
			t.Errorf("the node ended with %v", node.Err())
		}
		_, err := node.Propose(t.Context(), &tree.Command{Op: tree.OpSet, Path: "/late"})
		mustBeLogError(t, err)
		before := m.dump()
		m.stop()

		m.start()
		if m.replayed > 0 {
			t.Errorf("round %d: %d entries had to be replayed after a stop", round, m.replayed)
		}
		if after := m.dump(); after != before {
			t.Errorf("round %d: the tree differs after the restart", round)
		}
		m.checkAcknowledged(acknowledged, 1<<30)
		m.propose(tree.Command{Op: tree.OpDelete, Path: "/q", Recursive: true})
		m.stop()
	}
}

// TestFailingDisk closes the disk while proposals are in flight: nothing acknowledged is lost, all proposals are
// answered, and the node ends.
func TestFailingDisk(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	for round := range rounds() {
		m.start()
		node, disk, seen := m.node, m.disk, m.seen
		go func() {
			if !poll(func() bool { return seen.done.Load() > int64(50*round) }) {
				t.Error("proposals get stuck")
			}
			if err := disk.Close(); err != nil {
				t.Error(err)
			}
		}()
		const goroutines = 16
		acknowledged, failures := m.proposeInOrder(goroutines, 1<<30)
		if len(failures) != goroutines {
			t.Errorf("%d of %d callers were answered", len(failures), goroutines)
		}
		for _, err := range failures {
			mustBeLogError(t, err)
		}
		m.await("the node to end", func() bool { return closed(node.Done()) })
		if !errors.Is(node.Err(), storage.ErrClosed) {
			t.Errorf("the node ended with %v", node.Err())
		}
		m.crash()

		m.start()
		m.checkAcknowledged(acknowledged, goroutines)
		m.propose(tree.Command{Op: tree.OpDelete, Path: "/q", Recursive: true})
		m.stop()
	}
}

// TestCrashReplays closes the disk of an idle node: the log gives the same tree and the same events again.
func TestCrashReplays(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	m.start()
	var events []string
	for i := range 200 {
		path := fmt.Sprintf("/%d", i%20)
		event := m.set(path, fmt.Sprint(i))
		events = append(events, string(event.AppendJSON(nil)))
		if i%7 == 0 {
			event = m.propose(tree.Command{Op: tree.OpDelete, Path: path})
			events = append(events, string(event.AppendJSON(nil)))
		}
	}
	before := m.dump()
	m.crash()
	m.start()
	if m.replayed < len(events) {
		t.Errorf("%d entries were replayed, of %d changes", m.replayed, len(events))
	}
	if after := m.dump(); after != before {
		t.Errorf("the tree was\n%s\nand is\n%s", before, after)
	}
	w, err := m.node.Tree().Watch("/", tree.Recursive, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, want := range events {
		event, err := w.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := string(event.AppendJSON(nil)); got != want {
			t.Fatalf("the event was\n%s\nand is\n%s", want, got)
		}
	}
}
