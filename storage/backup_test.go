package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

var backupIdentity = Identity{ClusterID: 7, MemberID: 9}

// backup copies a member's data into a new directory.
func backup(t testing.TB, from Options, dir string) (Options, error) {
	t.Helper()
	to := Options{DataDir: dir, HistorySize: 1000}
	_, err := Backup(t.Context(), from, to, func(r *Recovered) (Founding, error) {
		return Founding{Identity: backupIdentity, Voters: []uint64{9}, Members: []byte("alone")}, nil
	})
	return to, err
}

func TestBackup(t *testing.T) {
	for name, prepare := range map[string]func(m *member){
		"before the first checkpoint": func(m *member) { m.set("/a", "1") },
		"at a checkpoint":             func(m *member) { m.set("/a", "1"); m.checkpoint() },
		"after a checkpoint":          func(m *member) { m.set("/a", "1"); m.checkpoint(); m.set("/b", "2"); m.remove("/a") },
		"with users": func(m *member) {
			m.changeUsers(putUser("ann", "hash"))
			m.checkpoint()
			m.changeUsers(putUser("bob", "hash"))
		},
		"over several segments": func(m *member) {
			m.set("/first", "1")
			for i := range 200 {
				m.set(fmt.Sprintf("/key%d", i), string(make([]byte, 1000)))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMember(t)
			prepare(m)
			m.settle()
			before := hashDir(t, m.dir())
			to, err := backup(t, m.options, filepath.Join(t.TempDir(), "backup"))
			if err != nil {
				t.Fatal(err)
			}
			if hashDir(t, m.dir()) != before {
				t.Error("the source was changed")
			}
			r := reopen(t, to)
			if r.Identity != backupIdentity || r.HardState.GetCommit() != m.index || r.HardState.GetVote() != 0 {
				t.Errorf("got %+v, %v; the last entry is %d", r.Identity, r.HardState, m.index)
			}
			if string(r.Members) != "alone" || len(r.ConfState.GetVoters()) != 1 {
				t.Errorf("members %q, voters %v", r.Members, r.ConfState)
			}
			if got, want := dump(r.replay()), dump(m.store); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}

// TestBackupOfBusyMember copies the data of a member that writes, takes checkpoints and deletes
// segments at the same time.
func TestBackupOfBusyMember(t *testing.T) {
	m := newMember(t)
	m.set("/key1", "v")
	var written atomic.Int64
	written.Store(1)
	dir := t.TempDir()
	done := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < 15 && err == nil; i++ {
			err = backupHas(t, m.options, filepath.Join(dir, fmt.Sprint(i)), &written)
		}
		done <- err
	}()
	for n := int64(2); ; n++ {
		m.set(fmt.Sprintf("/key%d", n), string(make([]byte, 500)))
		written.Store(n)
		if n%50 == 0 {
			m.checkpoint()
		}
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			t.Logf("%d writes", n)
			return
		default:
		}
	}
}

// backupHas makes a backup, and returns an error if a key is missing that was written before.
func backupHas(t *testing.T, from Options, dir string, written *atomic.Int64) error {
	before := written.Load()
	to, err := backup(t, from, dir)
	if err != nil {
		return err
	}
	d, r, err := Open(to)
	if err != nil {
		return err
	}
	defer d.Close()
	view := r.replay().View()
	for n := before; n > 0; n-- {
		if view.Lookup(fmt.Sprintf("/key%d", n)) == nil {
			return fmt.Errorf("key %d of %d is missing", n, before)
		}
	}
	return nil
}

func TestBackupRefused(t *testing.T) {
	m := newMember(t)
	m.set("/a", "1")
	m.checkpoint()
	m.set("/b", "2")
	damaged := copyDir(t, m.dir())
	if err := os.Truncate(filepath.Join(damaged.DataDir, stateName), 3*4096); err != nil {
		t.Fatal(err)
	}
	etcd := t.TempDir()
	if err := os.Mkdir(filepath.Join(etcd, "member"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		from Options
		to   string
		want error
	}{
		{"of damaged data", damaged, filepath.Join(t.TempDir(), "to"), ErrCorrupt},
		{"of nothing", Options{DataDir: t.TempDir()}, filepath.Join(t.TempDir(), "to"), ErrNoData},
		{"of etcd's data", Options{DataDir: etcd}, filepath.Join(t.TempDir(), "to"), ErrForeign},
		{"over a member's data", m.options, newMember(t).dir(), ErrExists},
		{"over itself", m.options, m.dir(), ErrExists},
		{"into itself", m.options, filepath.Join(m.dir(), "sub"), ErrExists},
		{"among other files", m.options, filepath.Dir(lastSegment(t, m.options)), ErrExists},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := backup(t, test.from, test.to)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if is, _ := Exists(Options{DataDir: test.to}); is && filepath.Base(test.to) == "to" {
				t.Errorf("%s holds a member's data now", test.to)
			}
		})
	}
	t.Run("what can't be founded leaves nothing", func(t *testing.T) {
		to := Options{DataDir: filepath.Join(t.TempDir(), "to")}
		refusal := errors.New("no")
		_, err := Backup(t.Context(), m.options, to, func(*Recovered) (Founding, error) { return Founding{}, refusal })
		if left, _ := os.ReadDir(to.DataDir); !errors.Is(err, refusal) || len(left) > 0 {
			t.Errorf("got %v, left %v", err, left)
		}
	})
}

func TestBackupInterrupted(t *testing.T) {
	m := newMember(t)
	m.set("/a", "1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	to := Options{DataDir: filepath.Join(t.TempDir(), "to")}
	_, err := Backup(ctx, m.options, to, func(*Recovered) (Founding, error) { return Founding{}, nil })
	if left, _ := os.ReadDir(to.DataDir); !errors.Is(err, context.Canceled) || len(left) > 0 {
		t.Errorf("got %v, left %v", err, left)
	}
}
