package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// forged is a message of a kind from 1 to 2, changed by the test.
func forged(kind raftpb.MessageType, change func(m *raftpb.Message)) *raftpb.Message {
	m := &raftpb.Message{Type: kind.Enum(), From: new(uint64(1)), To: new(uint64(2)), Term: new(uint64(5))}
	change(m)
	return m
}

func entryOf(index, term uint64) *raftpb.Entry {
	return &raftpb.Entry{Index: &index, Term: &term, Data: []byte("x")}
}

// hostileMessages are those that no member sends. Each made the upstream library panic,
// or take what nobody had written.
func hostileMessages() map[string]*raftpb.Message {
	return map[string]*raftpb.Message{
		"from another":                 forged(raftpb.MsgHeartbeat, func(m *raftpb.Message) { m.From = new(uint64(3)) }),
		"from nobody":                  forged(raftpb.MsgHeartbeat, func(m *raftpb.Message) { m.From = nil }),
		"to another":                   forged(raftpb.MsgHeartbeat, func(m *raftpb.Message) { m.To = new(uint64(3)) }),
		"to a local thread":            forged(raftpb.MsgHeartbeat, func(m *raftpb.Message) { m.To = new(uint64(math.MaxUint64)) }),
		"heartbeat without term":       forged(raftpb.MsgHeartbeat, func(m *raftpb.Message) { m.Term = nil; m.Commit = new(uint64(1 << 40)) }),
		"local":                        forged(raftpb.MsgHup, func(*raftpb.Message) {}),
		"storage":                      forged(raftpb.MsgStorageAppendResp, func(m *raftpb.Message) { m.From = new(uint64(math.MaxUint64)) }),
		"forget the leader":            forged(raftpb.MsgForgetLeader, func(*raftpb.Message) {}),
		"unknown":                      forged(99, func(*raftpb.Message) {}),
		"empty proposal":               forged(raftpb.MsgProp, func(m *raftpb.Message) { m.Term = nil }),
		"proposal with a term":         forged(raftpb.MsgProp, func(m *raftpb.Message) { m.Entries = []*raftpb.Entry{entryOf(0, 0)} }),
		"empty read":                   forged(raftpb.MsgReadIndex, func(m *raftpb.Message) { m.Term = nil }),
		"read with a term":             forged(raftpb.MsgReadIndex, func(m *raftpb.Message) { m.Entries = []*raftpb.Entry{entryOf(0, 0)} }),
		"read of a stranger":           forged(raftpb.MsgReadIndex, func(m *raftpb.Message) { m.From, m.Term = new(uint64(99)), nil }),
		"transfer to a stranger":       forged(raftpb.MsgTransferLeader, func(m *raftpb.Message) { m.From = new(uint64(99)) }),
		"empty answer to a read":       forged(raftpb.MsgReadIndexResp, func(*raftpb.Message) {}),
		"snapshot of nothing":          forged(raftpb.MsgSnap, func(*raftpb.Message) {}),
		"append of an earlier term":    forged(raftpb.MsgApp, func(m *raftpb.Message) { m.Index, m.LogTerm = new(uint64(4)), new(uint64(6)) }),
		"append behind no term":        forged(raftpb.MsgApp, func(m *raftpb.Message) { m.Index = new(uint64(4)) }),
		"append with a gap":            forged(raftpb.MsgApp, func(m *raftpb.Message) { m.Entries = []*raftpb.Entry{entryOf(1, 1), entryOf(3, 1)} }),
		"append with falling terms":    forged(raftpb.MsgApp, func(m *raftpb.Message) { m.Entries = []*raftpb.Entry{entryOf(1, 2), entryOf(2, 1)} }),
		"append of a later term":       forged(raftpb.MsgApp, func(m *raftpb.Message) { m.Entries = []*raftpb.Entry{entryOf(1, 9)} }),
		"append of entries in no term": forged(raftpb.MsgApp, func(m *raftpb.Message) { m.Entries = []*raftpb.Entry{entryOf(1, 0)} }),
		"append at the end of all": forged(raftpb.MsgApp, func(m *raftpb.Message) {
			m.Index, m.LogTerm, m.Entries = new(uint64(math.MaxUint64)), new(uint64(1)), []*raftpb.Entry{entryOf(0, 1)}
		}),
	}
}

// TestHostileMessages wants each message that no member sends to be dropped, and the
// stream to go on.
func TestHostileMessages(t *testing.T) {
	for name, m := range hostileMessages() {
		t.Run(name, func(t *testing.T) {
			b := newEnd(t, 2, nil)
			conn := b.openStream(t)
			if _, err := conn.Write(frames(t, m, message(2, 7, []byte("good")))); err != nil {
				t.Fatal(err)
			}
			expect(t, b.received, 7, "good")
			if len(b.dropped) != 1 {
				t.Fatalf("%d messages were dropped", len(b.dropped))
			}
			if err := <-b.dropped; !errors.Is(err, errMessage) {
				t.Error(err)
			}
		})
	}
}

// TestForwardedMessages takes what members pass on for others.
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
			b := newEnd(t, 2, nil)
			if _, err := b.openStream(t).Write(frames(t, m)); err != nil {
				t.Fatal(err)
			}
			select {
			case got := <-b.received:
				if m.GetType() == raftpb.MsgProp && got.GetFrom() != 1 {
					t.Errorf("a proposal that member 1 passed on came from %x", got.GetFrom())
				}
			case err := <-b.dropped:
				t.Error(err)
			case <-time.After(patience):
				t.Error("nothing came")
			}
		})
	}
}

// TestStrangerIsRefused wants a member that is not known to get no stream, and to get
// one as soon as it is.
func TestStrangerIsRefused(t *testing.T) {
	b := newEnd(t, 2, nil)
	a := newEnd(t, 12, nil)
	a.know(b)
	b.await("the stranger to be reported", func() bool { return b.strangers.Load() > 1 })
	if !b.Heard(12).IsZero() {
		t.Error("a stranger counts as heard")
	}
	b.mu.Lock()
	b.came = 12
	b.mu.Unlock()
	a.pass(b)
}

// TestRefusedBodies sends requests that are refused, with bodies of all kinds: each gets
// its answer at once, and the server does not panic.
func TestRefusedBodies(t *testing.T) {
	b := newEnd(t, 2, nil)
	var complaints bytes.Buffer
	b.server.Config.ErrorLog.SetOutput(&complaints)
	for _, path := range []string{streamPath, snapshotPath, logPath} {
		for name, body := range map[string]string{
			"none":      "Content-Length: 0\r\n\r\n",
			"small":     "Content-Length: 5\r\n\r\nhello",
			"unsent":    "Content-Length: 100\r\n\r\nhello",
			"long":      fmt.Sprintf("Content-Length: %d\r\n\r\n%s", 400<<10, strings.Repeat("x", 400<<10)),
			"endless":   "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
			"expecting": "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
		} {
			t.Run(name+path, func(t *testing.T) {
				conn, err := net.Dial("tcp", b.server.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if err := conn.SetDeadline(time.Now().Add(Silence / 2)); err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: b\r\n"+body); err != nil {
					t.Fatal(err)
				}
				answer := make([]byte, 12)
				if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 412" {
					t.Errorf("answer %q, %v", answer, err)
				}
			})
		}
	}
	b.server.CloseClientConnections()
	b.server.Close()
	if s := complaints.String(); strings.Contains(s, "panic") {
		t.Error(s)
	}
}

// TestRemovalByAStranger lets something else answer 410 at a peer's URL: it must not
// stop the member.
func TestRemovalByAStranger(t *testing.T) {
	for name, header := range map[string]http.Header{
		"no member":       {},
		"another cluster": {headerCluster: {"8"}, headerFrom: {"2"}},
		"another member":  {headerCluster: {"7"}, headerFrom: {"3"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newEnd(t, 1, nil)
			answers := make(chan struct{}, 1000)
			server := newAnsweringServer(t, func(w http.ResponseWriter) {
				for key, values := range header {
					w.Header()[http.CanonicalHeaderKey(key)] = values
				}
				w.WriteHeader(http.StatusGone)
				answers <- struct{}{}
			})
			a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{server}}})
			for range 3 {
				<-answers
			}
			if a.refused.Load() > 0 {
				t.Error("the member takes itself for removed")
			}
		})
	}
}
