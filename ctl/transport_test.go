package ctl

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority issues certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key, a.pem, _ = a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// issue makes a certificate and its key. The first one is that of the authority itself.
func (a *authority) issue(template *x509.Certificate) (cert *x509.Certificate, key *ecdsa.PrivateKey, certPEM, keyPEM []byte) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// leaf makes a certificate for 127.0.0.1, for servers and clients.
func (a *authority) leaf(name string) (certPEM, keyPEM []byte) {
	a.t.Helper()
	_, _, certPEM, keyPEM = a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return certPEM, keyPEM
}

// secureServer requires a client certificate, and answers GET with the name in it.
func secureServer(t *testing.T, ca *authority) *httptest.Server {
	t.Helper()
	certPEM, keyPEM := ca.leaf("server")
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"action":"get","node":{"key":"/a","value":%q,"modifiedIndex":1,"createdIndex":1}}`,
			r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// TestTLS: the flags and variables of certificates, and the errors about them.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca, other := newAuthority(t, "ours"), newAuthority(t, "another")
	s := secureServer(t, ca)
	certPEM, keyPEM := ca.leaf("ann")
	strangerCert, strangerKey := other.leaf("eve")
	var (
		caFile, otherCA = file("ca.pem", ca.pem), file("other.pem", other.pem)
		both            = file("both.pem", append(append([]byte(nil), other.pem...), ca.pem...))
		cert, key       = file("cert.pem", certPEM), file("key.pem", keyPEM)
		eveCert, eveKey = file("eve.pem", strangerCert), file("eve-key.pem", strangerKey)
		text            = file("text.pem", []byte("no certificate"))
		missing         = filepath.Join(dir, "missing.pem")
	)
	for _, test := range []struct {
		name string
		args []string
		code int
		want string // on stdout of a success, in stderr of a failure
	}{
		{"with all three", []string{"--cert-file", cert, "--key-file", key, "--ca-file", caFile}, exitOK, "ann\n"},
		{"with a bundle of CAs", []string{"--cert-file", cert, "--key-file", key, "--ca-file", both}, exitOK, "ann\n"},
		{"without a certificate", []string{"--ca-file", caFile}, exitServer, "certificate required"},
		{"with a stranger's certificate", []string{"--cert-file", eveCert, "--key-file", eveKey, "--ca-file", caFile}, exitServer, s.URL},
		{"with another CA", []string{"--cert-file", cert, "--key-file", key, "--ca-file", otherCA}, exitServer, "unknown authority"},
		{"with the system's CAs", []string{"--cert-file", cert, "--key-file", key}, exitServer, "unknown authority"},
		{"without the key", []string{"--cert-file", cert, "--ca-file", caFile}, exitBadArguments, "must both be present"},
		{"without the certificate of a key", []string{"--key-file", key}, exitBadArguments, "must both be present"},
		{"with a key of another certificate", []string{"--cert-file", cert, "--key-file", eveKey}, exitBadArguments, cert},
		{"with a missing certificate", []string{"--cert-file", missing, "--key-file", key}, exitBadArguments, missing},
		{"with a missing key", []string{"--cert-file", cert, "--key-file", missing}, exitBadArguments, missing},
		{"with a missing CA", []string{"--ca-file", missing}, exitBadArguments, missing},
		{"with a certificate that is none", []string{"--cert-file", text, "--key-file", key}, exitBadArguments, text},
		{"with a CA that is none", []string{"--ca-file", text}, exitBadArguments, text},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, code := run(t, append([]string{"--no-sync", "--endpoints", s.URL}, append(test.args, "get", "/a")...)...)
			if said := stdout + stderr; code != test.code || !strings.Contains(said, test.want) {
				t.Errorf("exit code %d, want %d; %q, want %q in it", code, test.code, said, test.want)
			}
		})
	}
	t.Run("by variables", func(t *testing.T) {
		t.Setenv("ETCDCTL_CERT_FILE", cert)
		t.Setenv("ETCDCTL_KEY_FILE", key)
		t.Setenv("ETCDCTL_CA_FILE", caFile)
		if stdout, stderr, code := run(t, "--no-sync", "--endpoints", s.URL, "get", "/a"); code != exitOK || stdout != "ann\n" {
			t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
		}
	})
}
