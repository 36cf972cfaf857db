package faulttest

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pando/members/certs"
	"pando/members/servertest"
)

// peerCA is a CA for members.
type peerCA struct {
	t         *testing.T
	authority *certs.Authority
}

func newPeerCA(t *testing.T, name string) *peerCA {
	t.Helper()
	authority, err := certs.NewAuthority(name, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return &peerCA{t, authority}
}

// issue returns a certificate for a host, with its key.
func (a *peerCA) issue(host string) *certs.Pair {
	a.t.Helper()
	pair, err := a.authority.Issue(certs.Request{CommonName: host, Hosts: []string{host}, Server: true, Client: true, ValidFor: time.Hour})
	if err != nil {
		a.t.Fatal(err)
	}
	return pair
}

// bundle returns the certificates of CAs in PEM.
func bundle(cas ...*peerCA) []byte {
	var all []byte
	for _, ca := range cas {
		all = append(all, ca.authority.Pair().Cert...)
	}
	return all
}

// peerFiles is the directory with the files of one member for TLS with other members.
type peerFiles struct {
	t   *testing.T
	dir string
}

func (f peerFiles) cert() string { return filepath.Join(f.dir, "peer.pem") }
func (f peerFiles) key() string  { return filepath.Join(f.dir, "peer-key.pem") }
func (f peerFiles) ca() string   { return filepath.Join(f.dir, "peer-ca.pem") }

// certify writes a certificate of the CA for the host, and its key.
func (f peerFiles) certify(ca *peerCA, host string) {
	f.t.Helper()
	if err := ca.issue(host).Write(f.cert(), f.key()); err != nil {
		f.t.Fatal(err)
	}
}

// trust makes these CAs the trusted ones.
func (f peerFiles) trust(cas ...*peerCA) {
	f.t.Helper()
	incomplete := f.ca() + ".new"
	if err := os.WriteFile(incomplete, bundle(cas...), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(incomplete, f.ca()); err != nil {
		f.t.Fatal(err)
	}
}

// flags returns the flags for these files.
func (f peerFiles) flags() []string {
	return []string{
		"--peer-cert-file", f.cert(), "--peer-key-file", f.key(), "--peer-client-cert-auth", "--peer-trusted-ca-file", f.ca(),
	}
}

// newPeerFiles writes files of the CA for each of the members.
func newPeerFiles(t *testing.T, ca *peerCA, all []servertest.Member) []peerFiles {
	t.Helper()
	files := make([]peerFiles, len(all))
	for i, m := range all {
		files[i] = peerFiles{t, t.TempDir()}
		files[i].certify(ca, hostOf(t, m))
		files[i].trust(ca)
	}
	return files
}

// hostOf returns the host of a member's peer URL.
func hostOf(t *testing.T, m servertest.Member) string {
	t.Helper()
	host, _, err := net.SplitHostPort(m.Peer)
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// securePeers gives the members certificates, so that they connect to each other over TLS. It changes the list.
func securePeers(t *testing.T, all []servertest.Member) {
	t.Helper()
	for i, f := range newPeerFiles(t, newPeerCA(t, "members"), all) {
		all[i].PeerScheme, all[i].More = "https", f.flags()
	}
}

// peerClient returns a client that trusts the CA, for requests at the peer URLs. With withCertificate it has a certificate of the CA.
func (a *peerCA) peerClient(withCertificate bool) *http.Client {
	a.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(a.authority.Certificate())
	config := &tls.Config{RootCAs: pool}
	if withCertificate {
		pair := a.issue("127.0.0.1")
		certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
		if err != nil {
			a.t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: servertest.Timeout}
}

// preparation prepares the members of a cluster before their start. It may change the list.
type preparation func(t *testing.T, all []servertest.Member)

// plainPeers is a preparation for plain connections between the members. securePeers is the one for TLS.
func plainPeers(*testing.T, []servertest.Member) {}

// plainAndTLS runs a test with plain connections between the members, and over TLS.
func plainAndTLS(t *testing.T, test func(t *testing.T, prepare preparation)) {
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		test(t, plainPeers)
	})
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		test(t, securePeers)
	})
}
