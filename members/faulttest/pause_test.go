package faulttest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"pando/members/servertest"
)

// TestLeaderStopped stops the process of the leader until another leader has taken writes. When the old leader goes on,
// it must not answer a quorum read with its old value.
func TestLeaderStopped(t *testing.T) {
	t.Parallel()
	c, l := launchLoadedCluster(t, plainPeers)
	var gaps []time.Duration
	outcomes := map[string]int{}
	for range shortened(*clusterPauses) {
		leader := c.leader(-1)
		p := c.running[leader]
		l.mustPut(p.Client, "/read")
		p.Signal(syscall.SIGSTOP)
		stopped := time.Now()
		gaps = append(gaps, l.restored(c.clients(leader)...).Sub(stopped))
		newest := l.mustPut(c.running[c.leader(leader)].Client, "/read")
		reading := sendQuorumRead(t, p.Addr(), "/read")
		p.Signal(syscall.SIGCONT)
		outcomes[reading.outcome(newest)]++
		c.awaitIndex(leader, (leader+1)%len(c.running))
		if t.Failed() {
			break
		}
	}
	l.settle()
	c.mustAgree()
	t.Logf("%d leaders stopped: writes again after %s; quorum reads at them answered with %v", len(gaps), distribution(gaps), outcomes)
}

// mustPut sends writes until one is acknowledged, and returns its index.
func (l *clusterLoad) mustPut(base, key string) uint64 {
	l.t.Helper()
	client := servertest.NewKeyClient(l.t, base)
	var answer *servertest.KeyAnswer
	servertest.Await(l.t, "a write of "+key, func() bool {
		value := l.unique()
		answer = l.send(client, http.MethodPut, key, servertest.Form("value", value), issued{"set", key, value})
		return answer != nil
	})
	return answer.Node.ModifiedIndex
}

// quorumReading is a read that was sent and not yet answered.
type quorumReading struct {
	t    *testing.T
	conn net.Conn
}

// sendQuorumRead sends a read to a server that may be stopped.
func sendQuorumRead(t *testing.T, addr, key string) quorumReading {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, servertest.Timeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := fmt.Fprintf(conn, "GET /v2/keys%s?quorum=true HTTP/1.1\r\nHost: %s\r\n\r\n", key, addr); err != nil {
		t.Fatal(err)
	}
	return quorumReading{t, conn}
}

// outcome waits for the answer. It must have a value of this index or a later one, or an error of the log.
func (r quorumReading) outcome(index uint64) string {
	r.t.Helper()
	if err := r.conn.SetReadDeadline(time.Now().Add(servertest.Timeout)); err != nil {
		r.t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(r.conn), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer servertest.KeyAnswer
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		r.t.Fatal(err)
	}
	if answer.Node == nil {
		if answer.ErrorCode != 300 && answer.ErrorCode != 301 {
			r.t.Errorf("the quorum read is answered %s with error %d", response.Status, answer.ErrorCode)
		}
		return fmt.Sprintf("error %d", answer.ErrorCode)
	}
	if answer.Node.ModifiedIndex < index {
		r.t.Errorf("the quorum read is answered with the value of %d, after that of %d was acknowledged", answer.Node.ModifiedIndex, index)
	}
	return "the newest value"
}
