package storage

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"pando/tree"
	"pando/tree/users"
)

// newMemberWithUsers makes a member with users in its checkpoint and auth enabled.
func newMemberWithUsers(t testing.TB) *member {
	m := newMember(t)
	m.set("/a", "1")
	m.changeUsers(putUser("root", "hash"), putUser("ann", "hash", "reader"), putRole("reader", "/a*", "/b"))
	m.changeUsers(&users.Change{Op: users.Enable})
	m.checkpoint()
	return m
}

// TestUsers stores users, and reads them in each way.
func TestUsers(t *testing.T) { checkStored(t, newMemberWithUsers(t)) }

// TestUsersWritten checks that a checkpoint writes only the users and roles that have changed.
func TestUsersWritten(t *testing.T) {
	m := newMemberWithUsers(t)
	for _, step := range []struct {
		name   string
		change func()
		want   int
	}{
		{"a key", func() { m.write(tree.Command{Op: tree.OpExpire}) }, 0},
		{"a user", func() {
			m.disableAuth()
			m.changeUsers(putUser("ann", "new hash"))
		}, 1},
		{"a failure", func() { m.changeUsers(&users.Change{Op: users.DeleteUser, Name: "nobody"}) }, 0},
		{"a user and back", func() { m.changeUsers(putUser("x", "hash"), &users.Change{Op: users.DeleteUser, Name: "x"}) }, 0},
		{"deletions", func() {
			m.changeUsers(&users.Change{Op: users.DeleteUser, Name: "ann"}, &users.Change{Op: users.DeleteRole, Name: "reader"})
		}, 0},
		{"two", func() { m.changeUsers(putUser("b", "hash"), putRole("r")) }, 2},
	} {
		step.change()
		if got := m.checkpoint().Users; got != step.want {
			t.Errorf("%s: %d records written, want %d", step.name, got, step.want)
		}
		if got, want := m.stored(), dump(m.store); got != want {
			t.Fatalf("%s: got %s, want %s", step.name, got, want)
		}
	}
	t.Run("a delta that was returned", func(t *testing.T) {
		m.changeUsers(putUser("c", "hash"))
		m.store.ReturnDelta(m.position().Delta)
		if got := m.checkpoint().Users; got != 1 || m.stored() != dump(m.store) {
			t.Errorf("%d records written", got)
		}
	})
}

// TestManyUsers stores 10,000 users and as many roles, and then changes one of them.
func TestManyUsers(t *testing.T) {
	m := newMember(t)
	m.level = tree.UsersLevel
	var commands []tree.Command
	for i := range 10_000 {
		name := fmt.Sprintf("name-%d", i)
		commands = append(commands,
			tree.Command{Op: tree.OpUsers, Change: putUser(name, strings.Repeat("h", 100), name)},
			tree.Command{Op: tree.OpUsers, Change: putRole(name, "/home/"+name+"/*")})
	}
	m.write(commands...)
	if got := m.checkpoint().Users; got != 20_000 {
		t.Errorf("%d records written", got)
	}
	m.changeUsers(&users.Change{Op: users.PutUser, Name: "name-5000", PasswordHash: "new"})
	if stats := m.checkpoint(); stats.Users != 1 || stats.PageBytes > 1<<20 {
		t.Errorf("one change writes %d records and %d bytes", stats.Users, stats.PageBytes)
	}
	if got, want := m.stored(), dump(m.store); got != want {
		t.Error("other users are stored")
	}
}

// disableAuth disables auth, because the commands of tests have no AuthRevision.
func (m *member) disableAuth() {
	m.t.Helper()
	revision := m.store.View().Users().Revision()
	m.store.Apply(1, []tree.Command{{Op: tree.OpUsers, AuthRevision: revision, Change: &users.Change{Op: users.Disable}}})
	m.append(nil)
}

// TestUsersBelowLevel checks that users are not written for programs that can't read them, and
// that a checkpoint without users has the form that these programs read.
func TestUsersBelowLevel(t *testing.T) {
	m := newMember(t)
	m.changeUsers(&users.Change{Op: users.DeleteUser, Name: "nobody"})
	m.level = 1
	c := m.position()
	if _, err := m.disk.Checkpoint(c); err == nil || !strings.Contains(err.Error(), "users at feature level 1") {
		t.Errorf("got %v", err)
	}
	m.store.ReturnDelta(c.Delta)
	m.level = tree.UsersLevel
	m.checkpoint()

	plain := newMember(t)
	plain.set("/a", "1")
	plain.level = tree.UsersLevel
	plain.checkpoint()
	plain.change(func(tx *bbolt.Tx) error {
		keys := tx.Bucket(keysBucket)
		if keys.Bucket(usersBucket) != nil || keys.Get(usersKey) != nil || len(keys.Get(totalsKey)) != 7*8+sealBytes {
			t.Error("a checkpoint without users has the bucket, the head or the totals of users")
		}
		return nil
	})
}

// TestUsersDamaged removes and adds records of users. The checksums of all records stay right.
func TestUsersDamaged(t *testing.T) {
	for name, damage := range map[string]func(keys, records *bbolt.Bucket) error{
		"no head":           func(keys, _ *bbolt.Bucket) error { return keys.Delete(usersKey) },
		"no bucket":         func(keys, _ *bbolt.Bucket) error { return keys.DeleteBucket(usersBucket) },
		"a user is missing": func(_, records *bbolt.Bucket) error { return records.Delete([]byte("uann")) },
		"a user is added": func(_, records *bbolt.Bucket) error {
			return putSealed(records, []byte("ueve"), []byte("\x01h\x00"))
		},
		"an unknown kind": func(_, records *bbolt.Bucket) error { return putSealed(records, []byte("xann"), nil) },
		"a head of a new cluster": func(keys, _ *bbolt.Bucket) error {
			return putSealed(keys, usersKey, new(users.State).AppendHead(nil))
		},
		"the head of a newer version": func(keys, _ *bbolt.Bucket) error { return putSealed(keys, usersKey, []byte{9}) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemberWithUsers(t)
			m.change(func(tx *bbolt.Tx) error {
				keys := tx.Bucket(keysBucket)
				return damage(keys, keys.Bucket(usersBucket))
			})
			if _, err := loadState(m.disk.paths.state, 20); !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("level 1", func(t *testing.T) {
		m := newMemberWithUsers(t)
		m.change(func(tx *bbolt.Tx) error { return putSealed(tx.Bucket(metaBucket), levelKey, appendWords(nil, 1)) })
		if _, err := loadState(m.disk.paths.state, 20); !errors.Is(err, ErrCorrupt) {
			t.Errorf("got %v", err)
		}
	})
}
