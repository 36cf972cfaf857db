package faulttest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// migration is a cluster under load whose members change how they connect to each other.
type migration struct {
	*cluster
	writes   *clusterLoad
	old, new *servertest.PKI
	files    []peerFiles
}

// TestPeersMoveToTLS moves a cluster under load from plain HTTP between its members to TLS, and then from one CA to another. The steps
// are those of docs/operations.md. No acknowledged write may be lost, and writes must go on.
func TestPeersMoveToTLS(t *testing.T) {
	t.Parallel()
	c := &cluster{t: t, members: servertest.NewMembers(t, "a", "b", "c")}
	initial := servertest.InitialCluster(c.members)
	c.spawn = func(s servertest.Member) *servertest.Process { return s.StartPando(t, loadedFlags(initial)...) }
	c.start()
	m := &migration{cluster: c, writes: c.load(), old: servertest.NewPKI(t), new: servertest.NewPKI(t)}
	m.files = newPeerFiles(t, m.old, c.members)
	stop, longest := m.writes.measurePauses()

	m.restartAll(func(i int) []string { return append(m.files[i].flags(), "--peer-accept-plaintext") })
	m.mustHaveLogged("--peer-accept-plaintext is set")
	m.mustHaveLogged("a member connects without TLS")
	m.updateURLs()
	m.restartAll(func(i int) []string { return m.files[i].flags() })
	m.mustRefuseStrangers(m.old)
	m.changeCA()
	m.mustHaveLogged("closing the stream of a member whose certificate is no longer accepted")
	m.mustRefuseStrangers(m.new)

	stop()
	gap := <-longest
	m.writes.settle()
	m.mustAgree()
	t.Logf("the longest time without an acknowledged write: %v", gap)
	checkGaps(t, []time.Duration{gap})
}

// mustHaveLogged waits until a member has logged the text.
func (m *migration) mustHaveLogged(text string) {
	m.t.Helper()
	servertest.Await(m.t, fmt.Sprintf("the line %q", text), func() bool {
		return slices.ContainsFunc(m.running, func(p *servertest.Process) bool { return strings.Contains(p.Stderr.String(), text) })
	})
}

// restartAll restarts the members one after the other, the leader last, with https peer URLs and these flags.
func (m *migration) restartAll(flags func(i int) []string) {
	m.t.Helper()
	leader := m.leader(-1)
	for step := range m.members {
		i := (leader + 1 + step) % len(m.members)
		m.members[i].PeerScheme, m.members[i].More = "https", flags(i)
		m.running[i].Terminate()
		m.restart(i)
	}
}

// updateURLs gives each member its https peer URL in the list of members.
func (m *migration) updateURLs() {
	m.t.Helper()
	for i, s := range m.members {
		client := m.running[i].Client
		_, list := servertest.AwaitPublished(m.t, client, len(m.members))
		for _, line := range list {
			if id, name, _ := strings.Cut(line, " "); name == s.Name {
				p := servertest.StartCommand(m.t, exec.Command(os.Args[0], "ctl", "--endpoints", client, "member", "update", id, s.PeerURL()))
				if code := p.AwaitExit(); code != 0 {
					m.t.Fatalf("exit code %d\n%s", code, p.Stderr)
				}
			}
		}
		m.awaitIndex(i, (i+1)%len(m.members))
	}
	for _, p := range m.running {
		servertest.Await(m.t, "all streams to be encrypted", func() bool {
			return strings.Contains(p.Get("/metrics"), "\npando_peer_plaintext_streams 0\n")
		})
	}
}

// mustRefuseStrangers sends requests to the peer ports: without TLS, without a certificate, and with a certificate of the CA. The members
// must serve only the last.
func (m *migration) mustRefuseStrangers(ca *servertest.PKI) {
	m.t.Helper()
	for _, s := range m.members {
		plain, err := http.Get("http://" + s.Peer + "/members")
		if err == nil {
			plain.Body.Close()
			if plain.StatusCode != http.StatusBadRequest {
				m.t.Errorf("without TLS: %s", plain.Status)
			}
		}
		if answer, err := ca.HTTPClient(m.t, nil).Get(s.PeerURL() + "/members"); err == nil {
			answer.Body.Close()
			m.t.Errorf("without a certificate: %s", answer.Status)
		}
		certificate := ca.Issue(m.t, "other")
		answer, err := ca.HTTPClient(m.t, &certificate).Get(s.PeerURL() + "/members")
		if err != nil {
			m.t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			m.t.Errorf("with a certificate: %s", answer.Status)
		}
	}
}

// changeCA replaces the CA and all certificates, without a restart.
func (m *migration) changeCA() {
	m.t.Helper()
	for i := range m.members {
		m.files[i].trust(m.old, m.new)
	}
	for _, s := range m.members {
		m.await(s, "both CAs to be trusted", func() bool { return m.accepts(s, m.new) && m.accepts(s, m.old) })
	}
	for i, s := range m.members {
		m.files[i].certify(m.new, hostOf(m.t, s))
	}
	for _, s := range m.members {
		m.await(s, "the new certificate", func() bool { return m.presents(s, m.new) })
	}
	for i := range m.members {
		m.files[i].trust(m.new)
	}
	for i, s := range m.members {
		m.await(s, "the old CA to be refused", func() bool { return !m.accepts(s, m.old) })
		m.awaitIndex(i, (i+1)%len(m.members))
	}
}

func (m *migration) await(s servertest.Member, event string, done func() bool) {
	m.t.Helper()
	servertest.Await(m.t, event+" at "+s.Name, done)
}

// accepts reports whether a member accepts a client certificate of the CA.
func (m *migration) accepts(s servertest.Member, ca *servertest.PKI) bool {
	certificate := ca.Issue(m.t, "other")
	client := ca.HTTPClient(m.t, &certificate)
	client.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true // only the client certificate matters
	return answers(client, s)
}

// answers reports whether a member answers a request of a client at its peer URL.
func answers(client *http.Client, s servertest.Member) bool {
	defer client.CloseIdleConnections()
	answer, err := client.Get(s.PeerURL() + "/members")
	if err != nil {
		return false
	}
	answer.Body.Close()
	return true
}

// presents reports whether the certificate of a member is of the CA.
func (m *migration) presents(s servertest.Member, ca *servertest.PKI) bool {
	certificate := ca.Issue(m.t, "other")
	return answers(ca.HTTPClient(m.t, &certificate), s)
}

// measurePauses starts to measure the longest time without an acknowledged write. stop ends the measurement; longest then gets the
// result.
func (l *clusterLoad) measurePauses() (stop func(), longest <-chan time.Duration) {
	ctx, stop := context.WithCancel(l.stopped)
	result := make(chan time.Duration, 1)
	go func() {
		known, since, pause := -1, time.Now(), time.Duration(0)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			l.mu.Lock()
			count := len(l.acknowledged)
			l.mu.Unlock()
			now := time.Now()
			if count == known {
				pause = max(pause, now.Sub(since))
				continue
			}
			known, since = count, now
		}
		result <- pause
	}()
	return stop, result
}
