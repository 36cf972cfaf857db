package storage

import (
	"errors"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

// toFormat1 changes the checkpoint to format 1: all nodes in the bucket of the nodes, and no
// bucket of deltas.
func (m *member) toFormat1() {
	m.t.Helper()
	m.compact()
	m.change(func(tx *bbolt.Tx) error {
		t, err := openTree(tx)
		if err != nil {
			return err
		}
		words := appendWords(nil, t.nodes.totals.records, t.nodes.totals.sum, t.history.totals.records, t.history.totals.sum)
		return errors.Join(
			t.bucket.DeleteBucket(deltaBucket),
			putSealed(t.bucket, totalsKey, words),
			putSealed(tx.Bucket(metaBucket), formatKey, appendWords(nil, 1)))
	})
}

// format returns the format of the checkpoint.
func (m *member) format() (format uint64) {
	m.t.Helper()
	m.change(func(tx *bbolt.Tx) error {
		value, _, ok := unseal(formatKey, tx.Bucket(metaBucket).Get(formatKey))
		if !ok || !readWords(value, &format) {
			return errors.New("no format")
		}
		return nil
	})
	return format
}

func TestFromFormat1(t *testing.T) {
	member1 := func(t *testing.T) *member {
		m := newMemberWithDeltas(t)
		m.toFormat1()
		return m
	}
	t.Run("opens", func(t *testing.T) {
		m := member1(t)
		if got, want := dump(reopen(t, copyDir(t, m.dir())).Store), dump(m.store); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := m.format(); got != 1 {
			t.Errorf("a start has changed it to format %d", got)
		}
	})
	t.Run("becomes format 2 with the next checkpoint", func(t *testing.T) {
		m := member1(t)
		m.remove("/dir2")
		m.set("/new", "key")
		m.checkpoint()
		if got := m.format(); got != 2 {
			t.Errorf("format %d", got)
		}
		if got, want := m.stored(), dump(m.store); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		m.compact()
		if got, want := m.stored(), dump(m.store); got != want {
			t.Errorf("compacted: got %s, want %s", got, want)
		}
	})
	t.Run("restored from a snapshot", func(t *testing.T) {
		m := newMember(t)
		m.set("/a", "1")
		m.checkpoint()
		m.toFormat1()
		c, err := m.disk.ReadSnapshot()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		file := filepath.Join(t.TempDir(), "snapshot")
		if err := receive(file, c, c.Size); err != nil {
			t.Fatal(err)
		}
		if got, want := dump(reopen(t, restored(t, file)).Store), dump(m.store); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("a missing bucket in format 2", func(t *testing.T) {
		m := newMemberWithDeltas(t)
		m.change(func(tx *bbolt.Tx) error { return tx.Bucket(keysBucket).DeleteBucket(deltaBucket) })
		if _, err := loadState(m.disk.paths.state, 20); !errors.Is(err, ErrCorrupt) {
			t.Errorf("got %v", err)
		}
	})
}
