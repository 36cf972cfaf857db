package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// organization is the organization in the subject of each certificate.
const organization = "Pando"

// clockSkew is the allowed difference between the clocks of two machines. A new certificate is valid from this time before its issue.
const clockSkew = time.Hour

// Request describes a certificate to issue.
type Request struct {
	CommonName string
	// Hosts are names and IP addresses.
	Hosts []string
	// Server and Client allow the use of the certificate by a server or by a client. Members need both for peers.
	Server, Client bool
	// From is the beginning of the validity. If it is zero, the certificate is valid until ValidFor after now, and its validity begins
	// some time before now, because the clocks of other machines may be behind.
	From time.Time
	// ValidFor is the length of the validity. It must be above 0.
	ValidFor time.Duration
}

// Pair is a certificate and its private key in PEM.
type Pair struct{ Cert, Key []byte }

// Write writes the pair to two files. Only this user can read the key. Each file is replaced by a rename, so a reader finds the old or the
// new content, never a part. The contents are synced to the disk.
func (p *Pair) Write(certFile, keyFile string) error {
	if err := writeFile(keyFile, p.Key, 0o600); err != nil {
		return err
	}
	return writeFile(certFile, p.Cert, 0o644)
}

// Authority is a CA: it issues certificates. Its methods may be called from any goroutine.
type Authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	pair        Pair
}

// NewAuthority makes a CA with a new key. Its certificate is valid for validFor from now.
func NewAuthority(name string, validFor time.Duration) (*Authority, error) {
	template, err := newTemplate(Request{CommonName: name, ValidFor: validFor})
	if err != nil {
		return nil, err
	}
	template.IsCA, template.MaxPathLenZero = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	a := &Authority{}
	if a.pair, a.key, a.certificate, err = create(template, nil); err != nil {
		return nil, err
	}
	return a, nil
}

// LoadAuthority reads the files of a CA. An error is a *FileError.
func LoadAuthority(certFile, keyFile string) (*Authority, error) {
	names := Names{Cert: "certificate of the CA", Key: "key of the CA"}
	content, problems := load(&Options{Files: Files{Cert: certFile, Key: keyFile}, Names: names}, time.Now(), nil)
	if err := fatalOf(problems); err != nil {
		return nil, err
	}
	ca := content.chain[0]
	if !ca.IsCA {
		return nil, &FileError{names.Cert, certFile, fmt.Errorf("the certificate of %s is not that of a CA", NameOf(ca))}
	}
	a := &Authority{certificate: ca, key: content.certificate.PrivateKey.(crypto.Signer)} // parseKey returns only these
	var err error
	if a.pair, err = encodePair(ca.Raw, a.key); err != nil {
		return nil, &FileError{names.Key, keyFile, err}
	}
	return a, nil
}

// Pair returns the certificate of the CA and its key. It must not be changed.
func (a *Authority) Pair() *Pair { return &a.pair }

// Certificate returns the certificate of the CA. It must not be changed.
func (a *Authority) Certificate() *x509.Certificate { return a.certificate }

// Issue makes a certificate of the CA with a new key.
func (a *Authority) Issue(r Request) (*Pair, error) {
	template, err := newTemplate(r)
	if err != nil {
		return nil, err
	}
	pair, _, _, err := create(template, a)
	return &pair, err
}

// SelfSigned makes a certificate that is signed with its own key.
func SelfSigned(r Request) (*Pair, error) {
	template, err := newTemplate(r)
	if err != nil {
		return nil, err
	}
	pair, _, _, err := create(template, nil)
	return &pair, err
}

// RevocationList returns a list of revoked certificates in PEM, which is valid for validFor from now. Each further list of a CA must have
// a larger number.
func (a *Authority) RevocationList(number int64, validFor time.Duration, revoked ...*x509.Certificate) ([]byte, error) {
	now := time.Now()
	template := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: now.Add(-clockSkew), NextUpdate: now.Add(validFor)}
	for _, c := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: now})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, a.certificate, a.key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: listBlock, Bytes: der}), nil
}

// newTemplate returns the certificate that a request describes, without a key.
func newTemplate(r Request) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	notBefore, notAfter := r.From, r.From.Add(r.ValidFor)
	if r.From.IsZero() {
		now := time.Now()
		notBefore, notAfter = now.Add(-clockSkew), now.Add(r.ValidFor)
	}
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: r.CommonName, Organization: []string{organization}},
		NotBefore:    notBefore, NotAfter: notAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
	if r.Server {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if r.Client {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	for _, host := range r.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, host)
		}
	}
	return t, nil
}

// create makes a key and signs the certificate for it, by issuer or, if that is nil, by the new key.
func create(template *x509.Certificate, issuer *Authority) (Pair, crypto.Signer, *x509.Certificate, error) {
	fail := func(err error) (Pair, crypto.Signer, *x509.Certificate, error) { return Pair{}, nil, nil, err }
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	parent, signer := template, crypto.Signer(key)
	if issuer != nil {
		parent, signer = issuer.certificate, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return fail(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return fail(err)
	}
	pair, err := encodePair(der, key)
	return pair, key, certificate, err
}

// encodePair returns a certificate in DER and its key as a Pair.
func encodePair(certificate []byte, key crypto.Signer) (Pair, error) {
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: certificate}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: keyDER}),
	}, nil
}

// writeFile replaces a file by a rename, after the new content was synced.
func writeFile(path string, content []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the rename
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
