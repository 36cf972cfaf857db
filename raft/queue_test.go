package raft

import (
	"errors"
	"slices"
	"testing"

	"pando/tree"
)

// testQueue bounds the queues under test.
const testQueue = 8 << 20

func proposalOf(bytes int) *proposal {
	return &proposal{data: make([]byte, bytes), changes: 1, done: make(chan outcome, 1)}
}

func TestQueueTake(t *testing.T) {
	for _, test := range []struct {
		name  string
		sizes []int
		want  []int // proposals in each entry
	}{
		{"nothing", nil, []int{0}},
		{"few", []int{10, 20}, []int{2, 0}},
		{"as many as fit", repeat(100, maxEntryChanges), []int{maxEntryChanges, 0}},
		{"one more", repeat(100, maxEntryChanges+1), []int{maxEntryChanges, 1, 0}},
		{"as large as fits", []int{batchBytes - 1, 1, 1}, []int{2, 1, 0}},
		{"too large together", []int{batchBytes / 2, batchBytes / 2, batchBytes / 2}, []int{2, 1, 0}},
		{"too large alone", []int{1, batchBytes + 1, 1}, []int{1, 1, 1, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := newQueue(testQueue)
			var in, out []*proposal
			for _, size := range test.sizes {
				p := proposalOf(size)
				if err := q.add(p); err != nil {
					t.Fatal(err)
				}
				in = append(in, p)
			}
			for i, want := range test.want {
				took := q.take(nil)
				if len(took) != want {
					t.Errorf("entry %d takes %d, want %d", i, len(took), want)
				}
				out = append(out, took...)
			}
			if len(in) != len(out) || q.len() != 0 || q.bytes != 0 {
				t.Fatalf("took %d of %d; %d with %d bytes are left", len(out), len(in), q.len(), q.bytes)
			}
			for i := range in {
				if in[i] != out[i] {
					t.Fatalf("proposal %d is out of order", i)
				}
			}
		})
	}
}

// TestQueueTakeTransactions checks that an entry has no more changes with transactions than without them.
func TestQueueTakeTransactions(t *testing.T) {
	q := newQueue(testQueue)
	operations := make([]tree.Command, maxEntryChanges/4)
	for i := range operations {
		operations[i] = tree.Command{Op: tree.OpSet, Path: "/a"}
	}
	for _, txn := range []*tree.Txn{
		{Then: operations}, {Else: operations}, {Then: operations, Else: operations}, {Then: operations}, {Else: operations[:1]}, {},
		{Then: slices.Repeat(operations, 5)}, {Then: operations},
	} {
		p := proposalOf(1)
		p.changes = changesOf(&tree.Command{Op: tree.OpTxn, Txn: txn}, tree.New(1))
		if err := q.add(p); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []int{4, 2, 1, 1, 0} {
		if took := q.take(nil); len(took) != want {
			t.Errorf("entry %d takes %d, want %d", i, len(took), want)
		}
	}
	if q.bytes != 0 {
		t.Errorf("%d bytes are left", q.bytes)
	}
}

func repeat(size, times int) []int {
	sizes := make([]int, times)
	for i := range sizes {
		sizes[i] = size
	}
	return sizes
}

func TestQueueBounds(t *testing.T) {
	for name, size := range map[string]int{"small": 1, "large": batchBytes} {
		t.Run(name, func(t *testing.T) {
			q := newQueue(testQueue)
			p := &proposal{data: make([]byte, size)}
			taken := 0
			for q.add(p) == nil {
				taken++
			}
			if want := testQueue / p.size(); taken != want {
				t.Errorf("%d proposals found room, want %d", taken, want)
			}
			if err := q.add(p); !errors.Is(err, errTooMany) {
				t.Errorf("error %v, want %v", err, errTooMany)
			}
			q.take(nil)
			if err := q.add(p); err != nil {
				t.Errorf("no room after an entry was taken: %v", err)
			}
		})
	}
	t.Run("larger than the queue", func(t *testing.T) {
		q := newQueue(testQueue)
		for range 2 {
			if err := q.add(proposalOf(testQueue + 1)); err != nil {
				t.Fatalf("an empty queue refuses a proposal: %v", err)
			}
			if err := q.add(proposalOf(1)); !errors.Is(err, errTooMany) {
				t.Errorf("error %v, want %v", err, errTooMany)
			}
			q.take(nil)
		}
	})
	t.Run("closed", func(t *testing.T) {
		q, waiting := newQueue(testQueue), proposalOf(1)
		if err := q.add(waiting); err != nil {
			t.Fatal(err)
		}
		if left := q.close(ErrStopped); len(left) != 1 || left[0] != waiting {
			t.Errorf("close gives %v, want the one that waits", left)
		}
		if err := q.add(proposalOf(1)); !errors.Is(err, ErrStopped) {
			t.Errorf("error %v, want %v", err, ErrStopped)
		}
		if took := q.take(nil); len(took) > 0 {
			t.Errorf("%d are left in a closed queue", len(took))
		}
	})
}
