package certs

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

// wrongFile is a file with an error.
type wrongFile struct {
	name string
	make func(f *fixture, o *Options) // makes the file and sets its path
	want string                       // a part of the error; DIR stands for the directory
}

// damagedFiles can't be read or parsed.
var damagedFiles = []wrongFile{
	{"no certificate file", func(f *fixture, o *Options) { o.Cert = f.path("none") }, "--cert-file: DIR/none: the file does not exist"},
	{"no key file", func(f *fixture, o *Options) { o.Key = f.path("none") }, "--key-file: DIR/none: the file does not exist"},
	{"no CA file", func(f *fixture, o *Options) { o.CA = f.path("none") }, "--trusted-ca-file: DIR/none: the file does not exist"},
	{"no revocation list", func(f *fixture, o *Options) { o.CRL = f.path("none") }, "--client-crl-file: DIR/none: the file does not exist"},
	{"the key alone", func(f *fixture, o *Options) { o.Cert = "" }, "--cert-file: is not given; the certificate and its key must both"},
	{"the certificate alone", func(f *fixture, o *Options) { o.Key = "" }, "--key-file: is not given; the certificate and its key must both"},
	{"a directory", func(f *fixture, o *Options) { o.Cert = f.dir }, "--cert-file: DIR: is a directory, not a file"},
	{"an empty file", func(f *fixture, o *Options) { o.Cert = f.write("e", nil) }, "--cert-file: DIR/e: the file is empty"},
	{"text", func(f *fixture, o *Options) { o.Cert = f.write("t", []byte("hello")) }, "DIR/t: the file has no certificate; write it in PEM"},
	{"files exchanged", func(f *fixture, o *Options) { o.Cert, o.Key = o.Key, o.Cert },
		"--cert-file: DIR/server-key.pem: the file has a private key and no certificate; are the files"},
	{"certificate as key", func(f *fixture, o *Options) { o.Key = o.Cert },
		"--key-file: DIR/server.pem: the file has a certificate and no private key; are the files"},
	{"a damaged certificate", func(f *fixture, o *Options) { o.Cert = f.block("d", certificateBlock, []byte("?")) },
		"--cert-file: DIR/d: the certificate 1 in the file is damaged: x509: "},
	{"a damaged key", func(f *fixture, o *Options) { o.Key = f.block("d", keyBlock, []byte("?")) },
		"--key-file: DIR/d: the private key is damaged, or of an unknown kind: "},
	{"an encrypted key", func(f *fixture, o *Options) { o.Key = f.block("k", encryptedBlock, []byte("?")) },
		"--key-file: DIR/k: the key is encrypted, and a server can't ask for the passphrase; write the key without one (openssl pkey"},
	{"an encrypted key of the old form", encryptOld, "--key-file: DIR/k: the key is encrypted"},
	{"the key of another certificate", func(f *fixture, o *Options) {
		f.issue("other", Request{CommonName: "other"})
		o.Key = f.path("other-key.pem")
	}, "--key-file: DIR/other-key.pem: the private key does not belong to the certificate of CN=server,O=Pando in DIR/server.pem"},
}

// unfitFiles can be parsed, but must not be used.
var unfitFiles = []wrongFile{
	{"an expired certificate", func(f *fixture, o *Options) {
		f.issue("server", Request{CommonName: "server", From: time.Now().Add(-2 * time.Hour), ValidFor: time.Hour})
	}, "--cert-file: DIR/server.pem: the certificate of CN=server,O=Pando has expired at 20"},
	{"a certificate of the future", func(f *fixture, o *Options) {
		f.issue("server", Request{CommonName: "server", From: time.Now().Add(time.Hour)})
	}, "is not valid before 20"},
	{"a CA that is none", func(f *fixture, o *Options) { o.CA = o.Cert },
		"--trusted-ca-file: DIR/server.pem: the certificate of CN=server,O=Pando is not that of a CA; " +
			"give the certificate of its issuer, CN=test CA"},
	{"an expired CA", func(f *fixture, o *Options) { o.CA = f.write("old.pem", expiredAuthority(f.t)) },
		"--trusted-ca-file: DIR/old.pem: the certificate of CN=old,O=Pando has expired at 20"},
	{"a revocation list that is none", func(f *fixture, o *Options) { o.CRL = o.Cert },
		"--client-crl-file: DIR/server.pem: the file has no revocation list; write it in PEM"},
	{"a revocation list of another CA", func(f *fixture, o *Options) { o.CRL = f.list(newTestAuthority(f.t, "other CA"), time.Hour) },
		"--client-crl-file: DIR/list.crl: the revocation list is of CN=other CA,O=Pando, which is not one of the trusted CAs"},
	{"a revocation list of another CA with the same name", func(f *fixture, o *Options) {
		o.CRL = f.list(newTestAuthority(f.t, "test CA"), time.Hour)
	}, "--client-crl-file: DIR/list.crl: the signature of the revocation list of CN=test CA,O=Pando is not that of the CA"},
	{"an old revocation list", func(f *fixture, o *Options) { o.CRL = f.list(f.authority, -time.Minute) },
		"--client-crl-file: DIR/list.crl: the revocation list of CN=test CA,O=Pando has expired at 20"},
	{"a revocation list without a CA", func(f *fixture, o *Options) { o.CRL, o.CA = f.list(f.authority, time.Hour), "" },
		"--client-crl-file: DIR/list.crl: a revocation list needs the certificate of its issuer in --trusted-ca-file"},
}

// TestWrongFiles opens files with errors. Each error names the flag, the file and the reason.
func TestWrongFiles(t *testing.T) {
	for _, test := range slices.Concat(damagedFiles, unfitFiles) {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			o := f.options()
			test.make(f, &o)
			_, err := Open(o, zap.NewNop())
			want := strings.ReplaceAll(test.want, "DIR", f.dir)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("got  %v\nwant %s", err, want)
			}
			if _, ok := errors.AsType[*FileError](err); !ok {
				t.Errorf("the error is a %T", err)
			}
		})
	}
	t.Run("a file that this user may not read", func(t *testing.T) {
		if os.Getuid() == 0 {
			t.Skip("root may read every file")
		}
		f := newFixture(t)
		if err := os.Chmod(f.path("server-key.pem"), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(f.options(), zap.NewNop()); err == nil || !strings.Contains(err.Error(), "this user may not read the file") {
			t.Errorf("got %v", err)
		}
	})
}

// block writes a file with one block of PEM.
func (f *fixture) block(name, kind string, content []byte) string {
	return f.write(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}))
}

// list writes a revocation list that is valid for some time.
func (f *fixture) list(a *Authority, validFor time.Duration) string {
	f.t.Helper()
	list, err := a.RevocationList(1, validFor)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.write("list.crl", list)
}

// encryptOld encrypts the key in the form that openssl had before PKCS #8.
func encryptOld(f *fixture, o *Options) {
	block, _ := pem.Decode(f.read("server-key.pem"))
	//lint:ignore SA1019 old keys have this form
	encrypted, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", block.Bytes, []byte("secret"), x509.PEMCipherAES256)
	if err != nil {
		f.t.Fatal(err)
	}
	o.Key = f.write("k", pem.EncodeToMemory(encrypted))
}

// expiredAuthority returns the certificate of a CA that has expired.
func expiredAuthority(t *testing.T) []byte {
	t.Helper()
	a, err := NewAuthority("old", -2*clockSkew)
	if err != nil {
		t.Fatal(err)
	}
	return a.Pair().Cert
}

// TestFileForms opens files in all forms that are accepted.
func TestFileForms(t *testing.T) {
	t.Run("keys", func(t *testing.T) {
		f := newFixture(t)
		block, _ := pem.Decode(f.read("server-key.pem"))
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseKeyBlock(block.Bytes); err != nil {
			t.Error(err)
		}
		sec1, err := parseKey(f.ecKey(key))
		if err != nil || sec1 == nil {
			t.Errorf("a key in SEC 1: %v", err)
		}
	})
	t.Run("a list in DER", func(t *testing.T) {
		f := newFixture(t)
		f.revoke(1)
		block, _ := pem.Decode(f.read("list.crl"))
		o := f.options()
		o.CRL = f.write("list.der", block.Bytes)
		f.open(o)
	})
	t.Run("several CAs with text between", func(t *testing.T) {
		f := newFixture(t)
		other := newTestAuthority(t, "other CA").Pair().Cert
		o := f.options()
		o.CA = f.write("both.pem", []byte("first\n"+string(f.read("ca.pem"))+"\nsecond\n"+string(other)+string(expiredAuthority(t))))
		s := f.open(o)
		if n := len(s.current.Load().roots); n != 2 {
			t.Errorf("%d CAs are trusted, want 2 and not the expired one", n)
		}
	})
	t.Run("a self-signed certificate as its own CA", func(t *testing.T) {
		f := newFixture(t)
		p, err := SelfSigned(Request{CommonName: "self", Hosts: []string{"localhost"}, Server: true, ValidFor: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		f.open(Options{Files: Files{CA: f.write("self.pem", p.Cert)}})
	})
	t.Run("nothing", func(t *testing.T) {
		if s := newFixture(t).open(Options{}); s.HasCertificate() || s.RequiresClientCerts() || len(s.Expiries()) > 0 {
			t.Error("a source without files has files")
		}
	})
}

// ecKey returns an ECDSA key in the form of SEC 1.
func (f *fixture) ecKey(key any) []byte {
	f.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der})
}
