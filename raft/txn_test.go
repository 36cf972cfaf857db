package raft

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"pando/storage"
	"pando/tree"
)

const (
	accounts   = 4
	balance    = 100 // of each account at the beginning
	transfers  = 10  // of each client; two events each, so that the history holds them all
	clientsPer = 2   // clients of a member that transfer
)

func account(i int) string { return fmt.Sprintf("/bank/%d", i) }

// bank is a cluster with accounts and a counter.
type bank struct {
	*cluster
	group sync.WaitGroup

	mu    sync.Mutex
	won   map[uint64]string // the client that has increased the counter, by the index that it has compared
	start uint64            // the index at which the accounts have their first balance
}

// TestTransfers has clients move amounts between accounts by transactions on all members, while others increase a counter by a transaction
// or by compare-and-swap, and the leader changes. In every read, and after each transaction in the events, the sum of the accounts is the
// same. No two clients win with the same index.
func TestTransfers(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) { cfg.pinnedLevel = nil })
	c.awaitLevel(storage.FeatureLevel)
	b := &bank{cluster: c, won: map[uint64]string{}}
	for i := range accounts {
		b.start = c.leader().set(account(i), strconv.Itoa(balance)).Index()
	}
	c.leader().set("/counter", "0")
	c.settle()
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for id, r := range c.members {
		for n := range clientsPer {
			random := rand.New(rand.NewPCG(uint64(id), uint64(n)))
			b.group.Go(func() { b.transfer(r, random) })
		}
		b.group.Go(func() { b.count(r, fmt.Sprintf("the transactions of member %d", r.id), proposeCountTxn) })
		b.group.Go(func() { b.count(r, fmt.Sprintf("the swaps of member %d", r.id), proposeCountSwap) })
		readers.Go(func() {
			for !closed(stop) {
				b.checkSum(r.node().Tree().View())
				<-time.After(100 * time.Microsecond)
			}
		})
	}
	for _, r := range c.members {
		c.transferTo(r)
	}
	b.group.Wait()
	close(stop)
	readers.Wait()
	c.settle()
	for _, r := range c.members {
		b.checkReplay(r)
	}
}

// transfer moves amounts, by transactions that compare both accounts with what this member has read.
func (b *bank) transfer(r *replica, random *rand.Rand) {
	for done := 0; done < transfers; {
		view := r.node().Tree().View()
		from := random.IntN(accounts)
		to := (from + 1 + random.IntN(accounts-1)) % accounts
		a, z := view.Lookup(account(from)), view.Lookup(account(to))
		txn := tree.Txn{
			Compares: []tree.Compare{
				{Kind: tree.CompareIndex, Path: a.Path(), Index: a.ModifiedIndex()},
				{Kind: tree.CompareValue, Path: z.Path(), Value: z.Value()},
			},
			Then: []tree.Command{
				{Op: tree.OpSet, Path: a.Path(), Value: added(a, -7)}, {Op: tree.OpUpdate, Path: z.Path(), Value: added(z, 7)},
			},
			Else: []tree.Command{{Op: tree.OpGet, Path: a.Path()}},
		}
		if random.IntN(4) == 0 { // it must have no effect
			txn.Then = append(txn.Then, tree.Command{Op: tree.OpCreate, Path: a.Path()})
			_, err := r.node().ProposeTxn(context.Background(), &tree.Command{Op: tree.OpTxn, Txn: &txn})
			if code := codeOf(err); err != nil && code != tree.CodeKeyExists && code != tree.CodeRaftInternal {
				b.t.Error(err)
			}
			continue
		}
		result, err := r.node().ProposeTxn(context.Background(), &tree.Command{Op: tree.OpTxn, Txn: &txn})
		switch {
		case outcomeUnknown(err), err == nil && result.Succeeded():
			done++
		case err != nil && codeOf(err) != tree.CodeRaftInternal:
			b.t.Errorf("a transfer: %v", err)
			return
		}
	}
}

// added returns the balance of an account after a change.
func added(n *tree.Node, amount int) string {
	old, _ := strconv.Atoi(n.Value()) // a wrong balance is found by checkSum
	return strconv.Itoa(old + amount)
}

// count increases the counter if it has the index that this member has read. propose reports whether it has won.
func (b *bank) count(r *replica, client string, propose func(n *Node, index uint64, value string) (bool, error)) {
	for range 3 * transfers {
		counter := r.node().Tree().View().Lookup("/counter")
		won, err := propose(r.node(), counter.ModifiedIndex(), added(counter, 1))
		if code := codeOf(err); err != nil && code != tree.CodeCompareFailed && code != tree.CodeRaftInternal {
			b.t.Errorf("%s: %v", client, err)
		}
		if err != nil || !won {
			continue
		}
		b.mu.Lock()
		if other := b.won[counter.ModifiedIndex()]; other != "" {
			b.t.Errorf("%s and %s have won with the index %d", client, other, counter.ModifiedIndex())
		}
		b.won[counter.ModifiedIndex()] = client
		b.mu.Unlock()
	}
}

func proposeCountTxn(n *Node, index uint64, value string) (bool, error) {
	result, err := n.ProposeTxn(context.Background(), &tree.Command{Op: tree.OpTxn, Txn: &tree.Txn{
		Compares: []tree.Compare{{Kind: tree.CompareIndex, Path: "/counter", Index: index}},
		Then:     []tree.Command{{Op: tree.OpSet, Path: "/counter", Value: value}},
	}})
	return err == nil && result.Succeeded(), err
}

func proposeCountSwap(n *Node, index uint64, value string) (bool, error) {
	_, err := n.Propose(context.Background(), &tree.Command{Op: tree.OpCompareAndSwap, Path: "/counter", PrevIndex: index, Value: value})
	return err == nil, err
}

// checkSum checks the sum of the accounts in a view.
func (b *bank) checkSum(v *tree.View) {
	sum := 0
	for i := range accounts {
		n, _ := strconv.Atoi(v.Lookup(account(i)).Value())
		sum += n
	}
	if sum != accounts*balance {
		b.t.Errorf("the sum is %d at index %d", sum, v.Index())
	}
}

// checkReplay repeats the events of the accounts on a member: two for each transfer, with indexes one after the other.
func (b *bank) checkReplay(r *replica) {
	w, err := r.node().Tree().Watch("/bank", tree.Recursive, b.start+1)
	if err != nil {
		b.t.Error(err)
		return
	}
	defer w.Close()
	values := map[string]int{}
	for i := range accounts {
		values[account(i)] = balance
	}
	events, last := 0, uint64(0)
	for e, err := w.Poll(); e != nil || err != nil; e, err = w.Poll() {
		if err != nil {
			b.t.Fatalf("member %d: %v", r.id, err)
		}
		values[e.Node().Path()], _ = strconv.Atoi(e.Node().Value())
		sum := 0
		for _, n := range values {
			sum += n
		}
		if second := events%2 == 1; second && (sum != accounts*balance || e.Index() != last+1) {
			b.t.Errorf("member %d: the sum is %d after event %d, which follows %d", r.id, sum, e.Index(), last)
		}
		events, last = events+1, e.Index()
	}
	if events == 0 || events%2 != 0 {
		b.t.Errorf("member %d: %d events", r.id, events)
	}
}

// TestTxnBelowLevel checks that a member neither proposes a transaction nor takes a forwarded one before all members can read it.
func TestTxnBelowLevel(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, older("m1"))
	txn := tree.Command{Op: tree.OpTxn, Txn: &tree.Txn{Then: []tree.Command{{Op: tree.OpSet, Path: "/a", Value: "1"}}}}
	for _, r := range c.members {
		if _, err := r.node().ProposeTxn(t.Context(), &txn); codeOf(err) != tree.CodeRaftInternal {
			t.Errorf("member %d: %v", r.id, err)
		}
	}
	data := tree.AppendCommand(appendBatchHead(nil, 1, 1, 1), &txn)
	for level, allowed := range map[uint64]bool{0: false, tree.TxnLevel - 1: false, tree.TxnLevel: true} {
		if err := checkData(data, level); (err == nil) != allowed {
			t.Errorf("level %d: %v", level, err)
		}
	}
	c.members[0].upgrade()
	c.awaitLevel(storage.FeatureLevel)
	c.await("the outcome of a transaction at the level", func() bool {
		result, err := c.leader().node().ProposeTxn(t.Context(), &txn)
		if !outcomeUnknown(err) && (err != nil || !result.Succeeded()) {
			t.Errorf("at the level: %+v, %v", result, err)
		}
		return !outcomeUnknown(err)
	})
	c.settle()
}
