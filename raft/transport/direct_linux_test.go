package transport

import (
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// TestSendWrites wants a message to be on its way when Send returns, at no cost in
// memory.
func TestSendWrites(t *testing.T) {
	peer := newDeafPeer(t)
	a := newEnd(t, 1, nil)
	a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{peer.server.URL}}})
	conn := peer.stream(t)
	outbox := a.peers[0].outbox
	a.await("the stream", outbox.idle)
	batch := []*raftpb.Message{message(2, 1, []byte("data")), message(2, 2, []byte("more"))}
	const runs = 50
	if n := testing.AllocsPerRun(runs, func() {
		a.Send(batch)
		if outbox.left() {
			t.Error("Send left something behind")
		}
	}); n > 0 {
		t.Errorf("sending two messages allocates %v times", n)
	}
	in := newFrameReader(conn, testMessage)
	for i := range 2 * (runs + 1) {
		m, err := nextMessage(in)
		if err != nil || m.GetIndex() != uint64(1+i%2) {
			t.Fatalf("message %d: %v, %v", i, m, err)
		}
	}
}
