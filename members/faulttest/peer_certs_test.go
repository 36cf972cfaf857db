package faulttest

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pando/members/certs"
	"pando/members/servertest"
)

// peerFiles is the directory with the files of one member for TLS with other members.
type peerFiles struct {
	t   *testing.T
	dir string
}

func (f peerFiles) cert() string { return filepath.Join(f.dir, "peer.pem") }
func (f peerFiles) key() string  { return filepath.Join(f.dir, "peer-key.pem") }
func (f peerFiles) ca() string   { return filepath.Join(f.dir, "peer-ca.pem") }

// certify replaces the certificate and its key. The CA issues the new certificate, which is valid for the host.
func (f peerFiles) certify(ca *servertest.PKI, host string) {
	f.t.Helper()
	pair, err := ca.Authority.Issue(certs.Request{CommonName: host, Hosts: []string{host}, Server: true, Client: true, ValidFor: time.Hour})
	if err == nil {
		err = pair.Write(f.cert(), f.key())
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// trust replaces the trusted CAs.
func (f peerFiles) trust(cas ...*servertest.PKI) {
	f.t.Helper()
	var text []byte
	for _, ca := range cas {
		text = append(text, ca.Authority.Pair().Cert...)
	}
	replaceFile(f.t, f.ca(), text)
}

// replaceFile replaces a file by a rename, so that no reader finds a part of the content.
func replaceFile(t *testing.T, path string, content []byte) {
	t.Helper()
	err := os.WriteFile(path+".new", content, 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// flags returns the flags for these files.
func (f peerFiles) flags() []string {
	return []string{
		"--peer-cert-file", f.cert(), "--peer-key-file", f.key(), "--peer-client-cert-auth", "--peer-trusted-ca-file", f.ca(),
	}
}

// newPeerFiles writes files of the CA for each of the members.
func newPeerFiles(t *testing.T, ca *servertest.PKI, all []servertest.Member) []peerFiles {
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

// preparation prepares the members of a cluster before their start. It may change the list.
type preparation func(t *testing.T, all []servertest.Member)

// plainPeers is a preparation for connections without TLS between the members.
func plainPeers(*testing.T, []servertest.Member) {}

// securePeers is a preparation for TLS between the members: each gets a certificate of one CA.
func securePeers(t *testing.T, all []servertest.Member) {
	t.Helper()
	for i, f := range newPeerFiles(t, servertest.NewPKI(t), all) {
		all[i].PeerScheme, all[i].More = "https", f.flags()
	}
}

// plainAndTLS runs a test without and with TLS between the members.
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
