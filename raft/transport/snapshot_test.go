package transport

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// TestSnapshots sends a snapshot that is accepted, one that is not, and one to a peer that is gone.
func TestSnapshots(t *testing.T) {
	a, b := newEndpoint(t, 1, nil), newEndpoint(t, 2, nil)
	a.content = bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	a.connect(b)
	a.deliver(b)
	snap := func() error {
		t.Helper()
		a.Send([]*raftpb.Message{snapshotMessage(2)})
		select {
		case err := <-a.snapshotsSent:
			return err
		case <-time.After(patience):
			return errors.New("the outcome of the snapshot is not reported")
		}
	}
	if err := snap(); err != nil {
		t.Fatal(err)
	}
	if len(b.snapshots) != 1 || !bytes.Equal(b.snapshots[0], a.content) {
		t.Errorf("%d snapshots arrived", len(b.snapshots))
	}
	b.snapshotError = errors.New("no room")
	if err := snap(); err == nil {
		t.Error("a snapshot that was not accepted counts as sent")
	}
	b.Close()
	b.server.CloseClientConnections()
	b.server.Close()
	if err := snap(); err == nil {
		t.Error("a snapshot to a closed transport counts as sent")
	}
}
