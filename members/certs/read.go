package certs

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxFileBytes bounds the length of a file.
const maxFileBytes = 64 << 20

// The types of PEM blocks.
const (
	certificateBlock = "CERTIFICATE"
	keyBlock         = "PRIVATE KEY"
	listBlock        = "X509 CRL"
	encryptedBlock   = "ENCRYPTED PRIVATE KEY"
)

// readFile reads a whole file.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, readError(err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	switch {
	case err != nil:
		return nil, readError(err)
	case len(content) == 0:
		return nil, errors.New("the file is empty")
	case len(content) > maxFileBytes:
		return nil, fmt.Errorf("the file has more than %d bytes", maxFileBytes)
	}
	return content, nil
}

// ReadCertificates returns the certificates in a PEM file, without checking them. There is at least one. The error names the file.
func ReadCertificates(file string) ([]*x509.Certificate, error) {
	chain, err := read(file, ParseCertificates)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return chain, nil
}

// ParseCertificates parses the content of a PEM file with certificates, without checking them. There is at least one. It ignores blocks of
// other types.
func ParseCertificates(content []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	hasKey := false
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		hasKey = hasKey || strings.HasSuffix(block.Type, keyBlock)
		if block.Type != certificateBlock {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the certificate %d in the file is damaged: %w", len(all)+1, err)
		}
		all = append(all, c)
	}
	switch {
	case len(all) > 0:
		return all, nil
	case hasKey:
		return nil, errors.New("the file has a private key and no certificate; are the files of the certificate and of the key exchanged?")
	}
	return nil, errors.New("the file has no certificate; write it in PEM, with the line -----BEGIN CERTIFICATE-----")
}

// parseKey parses the private key in a PEM file.
func parseKey(content []byte) (crypto.Signer, error) {
	hasCertificate := false
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == encryptedBlock || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return nil, errors.New("the key is encrypted, and a server can't ask for the passphrase; " +
				"write the key without one (openssl pkey -in FILE -out NEWFILE), readable by this user alone")
		case strings.HasSuffix(block.Type, keyBlock):
			return parseKeyBlock(block.Bytes)
		}
		hasCertificate = hasCertificate || block.Type == certificateBlock
	}
	if hasCertificate {
		return nil, errors.New("the file has a certificate and no private key; are the files of the certificate and of the key exchanged?")
	}
	return nil, errors.New("the file has no private key; write it in PEM, with the line -----BEGIN PRIVATE KEY-----")
}

// parseKeyBlock parses a private key in one of the forms of DER. The errors of package x509 do not contain parts of the key.
func parseKeyBlock(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("the private key is damaged, or of an unknown kind: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the private key can't sign; use a key for ECDSA, RSA or Ed25519")
	}
	return signer, nil
}

// pair combines a chain of certificates with the key of the first.
func pair(chain []*x509.Certificate, key crypto.Signer) (*tls.Certificate, error) {
	public, ok := chain[0].PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(key.Public()) {
		return nil, fmt.Errorf("the private key does not belong to the certificate of %s", NameOf(chain[0]))
	}
	c := &tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, each := range chain {
		c.Certificate = append(c.Certificate, each.Raw)
	}
	return c, nil
}

// isAuthority reports whether a certificate can be trusted as a CA. A self-signed certificate can be trusted for itself.
func isAuthority(c *x509.Certificate) bool {
	const withExtensions = 3 // certificates of older versions have no field for it
	if c.Version < withExtensions || c.BasicConstraintsValid && c.IsCA {
		return true
	}
	return bytes.Equal(c.RawIssuer, c.RawSubject) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// NameOf returns a name of a certificate for errors, log lines and metrics: its subject, or a host name if the subject is empty.
func NameOf(c *x509.Certificate) string {
	if subject := c.Subject.String(); subject != "" {
		return subject
	}
	if len(c.DNSNames) > 0 {
		return c.DNSNames[0]
	}
	if len(c.IPAddresses) > 0 {
		return c.IPAddresses[0].String()
	}
	return "number " + c.SerialNumber.Text(16)
}
