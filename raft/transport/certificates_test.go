package transport

import (
	"bytes"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"pando/members"
	"pando/members/certs"
	"pando/members/servertest"
)

// The hosts of endpoints with TLS. Both are this machine.
const (
	hostOne = "127.0.0.1"
	hostTwo = "localhost"
)

// identity is the files of one member, and the Source that reads them.
type identity struct {
	t      testing.TB
	files  certs.Files
	source *certs.Source
}

// newAuthority makes a CA.
func newAuthority(t testing.TB, name string) *certs.Authority {
	t.Helper()
	a, err := certs.NewAuthority(name, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// newIdentity writes the files of a member: a certificate for the host, which expires after validFor, the CA and an empty revocation list.
func newIdentity(t testing.TB, ca *certs.Authority, host string, validFor time.Duration) *identity {
	t.Helper()
	dir := t.TempDir()
	id := &identity{t: t, files: certs.Files{
		Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key"), CA: filepath.Join(dir, "ca"), CRL: filepath.Join(dir, "crl"),
	}}
	id.certify(ca, host, validFor)
	id.trust(ca)
	id.revoke(ca, 1)
	source, err := certs.Open(certs.Options{Files: id.files, ClientAuth: true, Interval: 10 * time.Millisecond}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	id.source = source
	return id
}

// certify writes a new certificate, and returns it.
func (id *identity) certify(ca *certs.Authority, host string, validFor time.Duration) {
	id.t.Helper()
	pair, err := ca.Issue(certs.Request{
		CommonName: host, Hosts: []string{host}, Server: true, Client: true, From: time.Now().Add(-time.Minute), ValidFor: time.Minute + validFor,
	})
	if err == nil {
		err = pair.Write(id.files.Cert, id.files.Key)
	}
	if err != nil {
		id.t.Fatal(err)
	}
}

// certificate returns the certificate in the file.
func (id *identity) certificate() *x509.Certificate {
	id.t.Helper()
	return servertest.Certificate(id.t, id.files.Cert)
}

func (id *identity) trust(cas ...*certs.Authority) {
	id.t.Helper()
	var all []byte
	for _, ca := range cas {
		all = append(all, ca.Pair().Cert...)
	}
	id.replace(id.files.CA, all)
}

// revoke writes a revocation list of the CA.
func (id *identity) revoke(ca *certs.Authority, number int64, revoked ...*x509.Certificate) {
	id.t.Helper()
	list, err := ca.RevocationList(number, time.Hour, revoked...)
	if err != nil {
		id.t.Fatal(err)
	}
	id.replace(id.files.CRL, list)
}

// replace replaces a file by a rename, so that no reader finds a part of the content.
func (id *identity) replace(path string, content []byte) {
	id.t.Helper()
	err := os.WriteFile(path+".new", content, 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		id.t.Fatal(err)
	}
}

// newTLSEndpoint starts an endpoint with TLS, whose URL has the host. Each endpoint must have an identity of its own.
func newTLSEndpoint(t testing.TB, self members.ID, id *identity, host string, change func(*Config)) *endpoint {
	t.Helper()
	e := unstartedEndpoint(t, self, func(cfg *Config) {
		cfg.Client = NewClient(id.source.ClientConfig)
		cfg.TLS = &TLS{Check: id.source.CheckPeer}
		cfg.PeerURLs = func(id members.ID) []string {
			return []string{"https://" + map[members.ID]string{1: hostOne, 2: hostTwo}[id] + ":1"}
		}
		if change != nil {
			change(cfg)
		}
	})
	e.server.TLS = id.source.ServerConfig("http/1.1")
	e.server.StartTLS()
	e.server.URL = strings.Replace(e.server.URL, "127.0.0.1", host, 1)
	id.source.OnChange(e.RecheckCertificates)
	go id.source.Watch(t.Context())
	return e
}

// securePair starts two endpoints with certificates of one CA. The certificate of the second expires after validFor.
func securePair(t testing.TB, validFor time.Duration) (ca *certs.Authority, ids [2]*identity, a, b *endpoint) {
	t.Helper()
	ca = newAuthority(t, "ca")
	ids = [2]*identity{newIdentity(t, ca, hostOne, time.Hour), newIdentity(t, ca, hostTwo, validFor)}
	return ca, ids, newTLSEndpoint(t, 1, ids[0], hostOne, nil), newTLSEndpoint(t, 2, ids[1], hostTwo, nil)
}

// TestTLS sends messages, a snapshot and a log report over TLS.
func TestTLS(t *testing.T) {
	_, _, a, b := securePair(t, time.Hour)
	a.connect(b)
	b.connect(a)
	a.deliver(b)
	b.deliver(a)
	large := bytes.Repeat([]byte("x"), 5<<20)
	a.Send([]*raftpb.Message{message(2, 1, large), message(2, 2, []byte("small"))})
	expect(t, b.received, 1, string(large))
	expect(t, b.received, 2, "small")
	a.content = bytes.Repeat([]byte("y"), 1<<20)
	a.Send([]*raftpb.Message{snapshotMessage(2)})
	if err := <-a.snapshotsSent; err != nil || len(b.snapshots) != 1 || !bytes.Equal(b.snapshots[0], a.content) {
		t.Errorf("%d snapshots arrived: %v", len(b.snapshots), err)
	}
	if report, err := a.RequestLogReport(t.Context(), 2, 5); err != nil || report.EntryTerm != 6 {
		t.Errorf("the log report is %+v, %v", report, err)
	}
	if n := a.PlaintextStreams() + b.PlaintextStreams(); n != 0 {
		t.Errorf("%d streams are not encrypted", n)
	}
}

// TestCertificateOfAnotherMember opens a stream with a certificate that is valid for the host of another member.
func TestCertificateOfAnotherMember(t *testing.T) {
	ca := newAuthority(t, "ca")
	for name, anyHost := range map[string]bool{"refused": false, "any host is accepted": true} {
		t.Run(name, func(t *testing.T) {
			a := newTLSEndpoint(t, 1, newIdentity(t, ca, hostTwo, time.Hour), hostOne, nil) // the host of member 2
			b := newTLSEndpoint(t, 2, newIdentity(t, ca, hostTwo, time.Hour), hostTwo, func(cfg *Config) { cfg.TLS.AnyHost = anyHost })
			a.connect(b)
			if anyHost {
				a.deliver(b)
				return
			}
			a.await("some attempts", func() bool { return a.lost.Load() > 2 })
			if !b.LastReceived(1).IsZero() {
				t.Error("the stream was accepted")
			}
			_, _, err := a.peers[0].connect()
			if text := "member 1 has the peer host 127.0.0.1, and the client certificate is valid for localhost"; err == nil ||
				!strings.Contains(err.Error(), text) {
				t.Errorf("the refusal is %v", err)
			}
		})
	}
}

// TestStreamsEndWithCertificate opens streams in both directions, and then makes the certificate of one end unacceptable. Both streams
// must end. They must be opened again when there is a new certificate.
func TestStreamsEndWithCertificate(t *testing.T) {
	for _, test := range []struct {
		name     string
		validFor time.Duration
		end      func(ca, newCA *certs.Authority, ids [2]*identity)
	}{
		{"expired", 8 * time.Second, func(*certs.Authority, *certs.Authority, [2]*identity) {}},
		{"revoked", time.Hour, func(ca, _ *certs.Authority, ids [2]*identity) { ids[0].revoke(ca, 2, ids[1].certificate()) }},
		{"CA removed", time.Hour, func(ca, newCA *certs.Authority, ids [2]*identity) {
			ids[0].certify(newCA, hostOne, time.Hour)
			ids[1].trust(ca, newCA)
			ids[0].revoke(newCA, 1)
			ids[0].trust(newCA)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ca, ids, a, b := securePair(t, test.validFor)
			newCA := newAuthority(t, "new ca")
			a.connect(b)
			b.connect(a)
			a.deliver(b)
			b.deliver(a)
			test.end(ca, newCA, ids)
			a.await("both streams to end", func() bool { return a.LastReceived(2).IsZero() && !a.peers[0].sender.isOpen() })
			if n := len(a.secureStreams()); n > 0 {
				t.Errorf("%d closed streams would be closed again", n)
			}
			ids[1].certify(newCA, hostTwo, time.Hour)
			ids[0].trust(ca, newCA)
			ids[1].trust(ca, newCA)
			a.deliver(b)
			b.deliver(a)
		})
	}
}

// TestUpdateToTLS gives a peer an https URL in place of an http URL. The stream must be replaced by one over TLS.
func TestUpdateToTLS(t *testing.T) {
	_, _, a, b := securePair(t, time.Hour)
	plain := httptest.NewServer(b.server.Config.Handler)
	defer plain.Close()
	a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{plain.URL}}})
	a.deliver(b)
	if out, in := a.PlaintextStreams(), b.PlaintextStreams(); out != 1 || in != 1 {
		t.Errorf("%d and %d streams are not encrypted", out, in)
	}
	a.connect(b)
	a.await("a stream over TLS", func() bool {
		return a.peers[0].sender.isOpen() && a.PlaintextStreams() == 0 && b.PlaintextStreams() == 0
	})
	a.deliver(b)
}

// TestHandshakeTimeout connects to a server that accepts connections and never answers a handshake.
func TestHandshakeTimeout(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client := NewClient(newIdentity(t, newAuthority(t, "ca"), hostOne, time.Hour).source.ClientConfig)
	failed := make(chan error, 1)
	go func() {
		resp, err := client.Get("https://" + listener.Addr().String())
		if err == nil {
			_ = resp.Body.Close()
		}
		failed <- err
	}()
	select {
	case err := <-failed:
		if err == nil || !strings.Contains(err.Error(), "TLS handshake with "+listener.Addr().String()) {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("the handshake has no deadline")
	}
}

// TestPeerWithoutTLS connects over TLS to a server without it. The error must say so.
func TestPeerWithoutTLS(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	_, err := NewClient(nil).Get(strings.Replace(plain.URL, "http://", "https://", 1))
	if err == nil || !strings.Contains(err.Error(), "does the peer serve TLS there?") {
		t.Errorf("got %v", err)
	}
}

// TestRedirect responds with a redirect to another server. The client must not follow it.
func TestRedirect(t *testing.T) {
	url := newAnsweringServer(t, func(w http.ResponseWriter) {
		w.Header().Set("Location", "http://127.0.0.1:1/")
		w.WriteHeader(http.StatusFound)
	})
	resp, err := NewClient(nil).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		t.Error(resp.Status)
	}
}

// TestSendOverTLSNeverBlocks sends to a peer that accepts a stream over TLS and reads nothing. Send must not block, and neither must the
// end of the transport.
func TestSendOverTLSNeverBlocks(t *testing.T) {
	ca := newAuthority(t, "ca")
	b := newIdentity(t, ca, hostTwo, time.Hour)
	accepted := make(chan struct{}, 100)
	stalled := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		accepting := &Transport{Config: Config{Founding: func() members.ID { return 0 }}}
		conn, _, err := accepting.acceptStream(w)
		if err != nil {
			return // the client has gone
		}
		t.Cleanup(func() { _ = closeNow(conn) })
		accepted <- struct{}{}
	}))
	stalled.TLS = b.source.ServerConfig()
	stalled.StartTLS()
	defer stalled.Close()
	a := newTLSEndpoint(t, 1, newIdentity(t, ca, hostOne, time.Hour), hostOne, nil)
	a.SetPeers([]members.Member{{ID: 2, PeerURLs: []string{strings.Replace(stalled.URL, "127.0.0.1", hostTwo, 1)}}})
	<-accepted
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range uint64(2 * testQueued / (32 << 10)) {
			a.Send([]*raftpb.Message{message(2, i, make([]byte, 32<<10))})
			a.RecheckPeers()
			a.RecheckCertificates()
		}
		a.Close()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("Send or Close blocks")
	}
}
