package transport

import (
	"errors"
	"math"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// forged returns a message from member 1 to member 2 after change has changed it.
func forged(messageType raftpb.MessageType, change func(m *raftpb.Message)) *raftpb.Message {
	m := &raftpb.Message{Type: messageType.Enum(), From: new(uint64(1)), To: new(uint64(2)), Term: new(uint64(5))}
	change(m)
	return m
}

// withEntries returns a change for forged that sets the entries of the message.
func withEntries(entries ...*raftpb.Entry) func(m *raftpb.Message) {
	return func(m *raftpb.Message) { m.Entries = entries }
}

func entryOf(index, term uint64) *raftpb.Entry {
	return &raftpb.Entry{Index: &index, Term: &term, Data: []byte("x")}
}

// invalidMessages returns messages that no member sends. Each of them made go.etcd.io/raft panic, or accept entries that no
// leader had written.
func invalidMessages() map[string]*raftpb.Message {
	return map[string]*raftpb.Message{
		"from another":                 forged(raftpb.MsgHeartbeat, func(m *raftpb.Message) { m.From = new(uint64(3)) }),
		"without sender":               forged(raftpb.MsgHeartbeat, func(m *raftpb.Message) { m.From = nil }),
		"to another":                   forged(raftpb.MsgHeartbeat, func(m *raftpb.Message) { m.To = new(uint64(3)) }),
		"to a local thread":            forged(raftpb.MsgHeartbeat, func(m *raftpb.Message) { m.To = new(uint64(math.MaxUint64)) }),
		"heartbeat without term":       forged(raftpb.MsgHeartbeat, func(m *raftpb.Message) { m.Term = nil; m.Commit = new(uint64(1 << 40)) }),
		"local":                        forged(raftpb.MsgHup, func(*raftpb.Message) {}),
		"storage":                      forged(raftpb.MsgStorageAppendResp, func(m *raftpb.Message) { m.From = new(uint64(math.MaxUint64)) }),
		"forget the leader":            forged(raftpb.MsgForgetLeader, func(*raftpb.Message) {}),
		"unknown":                      forged(99, func(*raftpb.Message) {}),
		"empty proposal":               forged(raftpb.MsgProp, func(m *raftpb.Message) { m.Term = nil }),
		"proposal with a term":         forged(raftpb.MsgProp, withEntries(entryOf(0, 0))),
		"empty read":                   forged(raftpb.MsgReadIndex, func(m *raftpb.Message) { m.Term = nil }),
		"read with a term":             forged(raftpb.MsgReadIndex, withEntries(entryOf(0, 0))),
		"read of no member":            forged(raftpb.MsgReadIndex, func(m *raftpb.Message) { m.From, m.Term = new(uint64(99)), nil }),
		"transfer to no member":        forged(raftpb.MsgTransferLeader, func(m *raftpb.Message) { m.From = new(uint64(99)) }),
		"empty answer to a read":       forged(raftpb.MsgReadIndexResp, func(*raftpb.Message) {}),
		"snapshot of nothing":          forged(raftpb.MsgSnap, func(*raftpb.Message) {}),
		"append of an earlier term":    forged(raftpb.MsgApp, func(m *raftpb.Message) { m.Index, m.LogTerm = new(uint64(4)), new(uint64(6)) }),
		"append after no term":         forged(raftpb.MsgApp, func(m *raftpb.Message) { m.Index = new(uint64(4)) }),
		"append with a gap":            forged(raftpb.MsgApp, withEntries(entryOf(1, 1), entryOf(3, 1))),
		"append with falling terms":    forged(raftpb.MsgApp, withEntries(entryOf(1, 2), entryOf(2, 1))),
		"append of a later term":       forged(raftpb.MsgApp, withEntries(entryOf(1, 9))),
		"append of entries in no term": forged(raftpb.MsgApp, withEntries(entryOf(1, 0))),
		"append at the end of all": forged(raftpb.MsgApp, func(m *raftpb.Message) {
			m.Index, m.LogTerm = new(uint64(math.MaxUint64)), new(uint64(1))
			m.Entries = []*raftpb.Entry{entryOf(0, 1)}
		}),
	}
}

// TestInvalidMessages sends an invalid message and then a valid one. Only the valid one must arrive.
func TestInvalidMessages(t *testing.T) {
	for name, m := range invalidMessages() {
		t.Run(name, func(t *testing.T) {
			b := newEndpoint(t, 2, nil)
			conn := b.openStream(t)
			if _, err := conn.Write(frames(t, m, message(2, 7, []byte("good")))); err != nil {
				t.Fatal(err)
			}
			expect(t, b.received, 7, "good")
			if len(b.rejected) != 1 {
				t.Fatalf("%d messages were rejected", len(b.rejected))
			}
			if err := <-b.rejected; !errors.Is(err, errInvalid) {
				t.Error(err)
			}
		})
	}
}

// TestForwardedMessages sends, as member 1, messages with From 3. These types may be forwarded, so they must arrive.
func TestForwardedMessages(t *testing.T) {
	for name, m := range map[string]*raftpb.Message{
		"proposal": forged(raftpb.MsgProp, func(m *raftpb.Message) {
			m.From, m.Term, m.Entries = new(uint64(3)), nil, []*raftpb.Entry{entryOf(0, 0)}
		}),
		"read": forged(raftpb.MsgReadIndex, func(m *raftpb.Message) {
			m.From, m.Term, m.Entries = new(uint64(3)), nil, []*raftpb.Entry{entryOf(0, 0)}
		}),
		"transfer": forged(raftpb.MsgTransferLeader, func(m *raftpb.Message) { m.From = new(uint64(3)) }),
	} {
		t.Run(name, func(t *testing.T) {
			b := newEndpoint(t, 2, nil)
			if _, err := b.openStream(t).Write(frames(t, m)); err != nil {
				t.Fatal(err)
			}
			select {
			case got := <-b.received:
				if m.GetType() == raftpb.MsgProp && got.GetFrom() != 1 {
					t.Errorf("a proposal that member 1 forwarded is from %x", got.GetFrom())
				}
			case err := <-b.rejected:
				t.Error(err)
			case <-time.After(patience):
				t.Error("nothing arrived")
			}
		})
	}
}
