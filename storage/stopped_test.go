package storage

import (
	"errors"
	"testing"

	"pando/members/servertest"
)

func TestReadStopped(t *testing.T) {
	m := newMember(t)
	m.set("/a", "1")
	file := m.saveSnapshot()
	saved := m.store.View().HashState()
	m.set("/b", "2")
	if _, err := ReadStopped(m.options); !errors.Is(err, ErrLocked) {
		t.Errorf("of a running member: got %v", err)
	}
	m.close()
	before := servertest.Fingerprint(t, m.dir())
	r, err := ReadStopped(m.options)
	if err != nil {
		t.Fatal(err)
	}
	if r.Identity != testIdentity || r.Store.View().HashState() != saved || r.Applied != m.index-1 || len(r.Entries) != 1 {
		t.Errorf("applied %d, %d entries, %+v", r.Applied, len(r.Entries), r.Identity)
	}
	if servertest.Fingerprint(t, m.dir()) != before {
		t.Error("the directory has changed")
	}
	if _, err := ReadStopped(Options{DataDir: t.TempDir()}); !errors.Is(err, ErrNoData) {
		t.Errorf("of an empty directory: got %v", err)
	}
	t.Run("a snapshot", func(t *testing.T) {
		r, err := LoadSnapshot(file)
		if err != nil {
			t.Fatal(err)
		}
		if r.Identity != testIdentity || r.Store.View().HashState() != saved || r.Applied != m.index-1 || len(r.Entries) != 0 {
			t.Errorf("applied %d, %d entries, %+v", r.Applied, len(r.Entries), r.Identity)
		}
	})
	if m.disk, _, err = Open(m.options); err != nil { // the cleanup of the test closes it
		t.Fatal(err)
	}
}
