package transport

import (
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// TestSendWrites sends over an idle stream. Send must write the messages before it returns, and must not allocate.
func TestSendWrites(t *testing.T) {
	peer := newManualPeer(t)
	a := newEndpoint(t, 1, nil)
	a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{peer.server.URL}}})
	conn := peer.stream(t)
	sender := a.peers[0].sender
	a.await("the stream", sender.idle)
	batch := []*raftpb.Message{message(2, 1, []byte("data")), message(2, 2, []byte("more"))}
	const runs = 50
	if n := testing.AllocsPerRun(runs, func() {
		a.Send(batch)
		if sender.unwritten() {
			t.Error("Send has not written everything")
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
