package storage

import (
	"bytes"
	"fmt"
	"os"
	"testing"
)

// TestDamagedWhileRunning damages the file of a running member. The checkpoint must fail, but not
// the process, and the member must be able to write to its log.
func TestDamagedWhileRunning(t *testing.T) {
	m := newMember(t)
	for i := range 500 {
		m.set(fmt.Sprintf("/k%d", i), "value")
	}
	m.checkpoint()
	path := m.disk.paths.state
	clean, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	for at := 2 * page; at < usedBytes(t, clean); at += page {
		writeAt(t, path, int64(at), bytes.Repeat([]byte{0xAB}, page))
	}
	m.remove("/k1")
	m.set("/k2", "new")
	c := m.position()
	if _, err := m.disk.Checkpoint(c); err == nil {
		t.Error("a checkpoint in a file of garbage succeeded")
	}
	m.store.ReturnDelta(c.Delta)
	m.set("/k3", "new")
	if _, err := m.disk.Checkpoint(m.position()); err == nil {
		t.Error("a second checkpoint succeeded")
	}
	if _, err := m.disk.Checkpoint(m.takeCheckpoint()); err != nil {
		t.Errorf("a checkpoint of all: %v", err)
	}
	if got, want := dump(reopen(t, copyDir(t, m.dir())).Store), dump(m.store); got != want {
		t.Errorf("got %.200s, want %.200s", got, want)
	}
}
