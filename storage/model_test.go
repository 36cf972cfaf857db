package storage

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pando/tree"
	"pando/tree/users"
)

// modeller runs random steps on a member. After each step that writes, it compares the stored
// tree with the one in memory.
type modeller struct {
	*member
	r   *rand.Rand
	now int64
}

// TestModel changes a tree at random. It uses few names, so that the same path is used again,
// as a file and as a directory. Some names sort between a directory and its children.
func TestModel(t *testing.T) {
	seeds := uint64(30)
	if testing.Short() {
		seeds = 8
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			m := &modeller{newMemberWith(t, 20), rand.New(rand.NewPCG(seed, 1)), 1}
			m.limit()
			if m.level = [...]uint64{0, tree.UsersLevel, tree.KVLevel}[seed%3]; m.level == tree.KVLevel {
				m.store.StartRevisions()
			}
			for range 50 {
				m.step()
			}
			checkBolt(t, m.disk.paths.state)
		})
	}
}

// limit makes compactions frequent, and their transactions small.
func (m *modeller) limit() {
	most := int64(1 + m.r.IntN(1500))
	m.disk.compaction = compactionLimits{minBytes: most, maxBytes: most}
	m.disk.portionBytes = 1 + m.r.Int64N(1000)
}

func (m *modeller) step() {
	m.t.Helper()
	for range m.r.IntN(12) {
		m.now++
		m.store.Apply(m.now, []tree.Command{m.command()})
		m.store.Announce()
	}
	m.append(nil) // moves the log to a new index, as the commands would
	switch m.r.IntN(6) {
	case 0: // no checkpoint
	case 1:
		m.store.ReturnDelta(m.position().Delta)
	case 2, 3:
		m.checkpoint()
		m.check("checkpoint")
	case 4:
		m.checkpoint()
		m.interruptedCompaction()
	case 5:
		m.checkpoint()
		m.restart()
	}
}

// interruptedCompaction looks at the checkpoint between the transactions of a compaction,
// and ends it after some of them.
func (m *modeller) interruptedCompaction() {
	m.t.Helper()
	left, resume := m.r.IntN(12), func() {}
	update := m.disk.update
	m.eachTransaction(func() {
		m.check("between transactions")
		if left--; left == 0 {
			resume = m.disk.DeferCompaction()
		}
	})
	m.compact()
	m.disk.update = update
	resume()
	m.check("interrupted compaction")
}

func (m *modeller) restart() {
	m.t.Helper()
	m.close()
	d, r, err := Open(m.options)
	if err != nil {
		m.t.Fatal(err)
	}
	if got, want := dump(r.Store), dump(m.store); got != want {
		m.t.Fatalf("restart: got %s, want %s", got, want)
	}
	m.disk, m.store = d, r.Store
	m.limit()
}

func (m *modeller) check(when string) {
	m.t.Helper()
	d, err := loadState(m.disk.paths.state, m.options.HistorySize)
	if err != nil {
		m.t.Fatalf("%s: %v", when, err)
	}
	got, want := d.store.View(), m.store.View()
	if got, want := dump(d.store), dump(m.store); got != want {
		m.t.Fatalf("%s: got %s, want %s", when, got, want)
	}
	if got.Nodes() != want.Nodes() || got.Bytes() != want.Bytes() ||
		got.NextExpiry() != want.NextExpiry() || got.OldestEvent() != want.OldestEvent() {
		m.t.Fatalf("%s: got %d nodes of %d bytes, due %d, events from %d; want %d, %d, %d, %d", when,
			got.Nodes(), got.Bytes(), got.NextExpiry(), got.OldestEvent(), want.Nodes(), want.Bytes(), want.NextExpiry(), want.OldestEvent())
	}
}

// command returns a random command. Many of them fail.
func (m *modeller) command() tree.Command {
	if m.level >= tree.UsersLevel && m.r.IntN(6) == 0 {
		return tree.Command{Op: tree.OpUsers, Change: m.usersChange()}
	}
	if m.level >= tree.KVLevel && m.r.IntN(2) == 0 {
		return m.keyCommand()
	}
	c := tree.Command{Op: tree.OpSet, Path: m.path()}
	switch m.r.IntN(9) {
	case 0:
		c.Dir = true
	case 1:
		c.Op = tree.OpDelete
	case 2:
		c.Op, c.Dir = tree.OpDelete, true
	case 3:
		c.Op, c.Recursive = tree.OpDelete, true
	case 4:
		c.Dir, c.Expires = m.r.IntN(2) == 0, m.now+1+m.r.Int64N(30)
	case 5:
		c.Op = tree.OpExpire
	case 6:
		c.Value = strings.Repeat("large", m.r.IntN(8000))
	default:
		c.Value = fmt.Sprint(m.now)
	}
	return c
}

// keyCommand returns a random command on a key of the v3 API.
func (m *modeller) keyCommand() tree.Command {
	key := edgeKeys[m.r.IntN(len(edgeKeys))]
	if m.r.IntN(2) == 0 {
		key = m.path()
	}
	if m.r.IntN(3) == 0 {
		return tree.Command{Op: tree.OpDeleteRange, Path: key, Value: key + "\x00"}
	}
	return tree.Command{Op: tree.OpPut, Path: key, Value: fmt.Sprint(m.now)}
}

// usersChange returns a random change of users and roles. Auth stays disabled, because the other commands name no revision.
func (m *modeller) usersChange() *users.Change {
	name := fmt.Sprint(m.r.IntN(4))
	switch m.r.IntN(5) {
	case 0:
		return &users.Change{Op: users.DeleteUser, Name: name}
	case 1:
		return &users.Change{Op: users.DeleteRole, Name: name}
	case 2:
		return putRole(name, strings.Repeat("/long", m.r.IntN(500)))
	}
	return putUser(name, fmt.Sprint("hash ", m.now))
}

func (m *modeller) path() string {
	var path string
	for range 1 + m.r.IntN(4) {
		path += []string{"/a", "/a!", "/a0", "/b"}[m.r.IntN(4)]
	}
	return path
}
