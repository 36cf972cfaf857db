package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// revocations is a revocation list with the certificate of its issuer.
type revocations struct {
	list    *x509.RevocationList
	issuer  *x509.Certificate
	serials map[string]time.Time // keyed by the bytes of the serial number; the values are the times of the revocations
}

// contains reports whether the list is of issuer and revokes the serial number.
func (r *revocations) contains(issuer *x509.Certificate, serial *big.Int) bool {
	if !sameAuthority(issuer, r.issuer) {
		return false
	}
	_, revoked := r.serials[string(serial.Bytes())]
	return revoked
}

// sameAuthority reports whether two certificates are of the same CA: they may be different ones with the same name and key.
func sameAuthority(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubject, b.RawSubject) && bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
}

var errNoLists = errors.New("the file has no revocation list; write it in PEM, with the line -----BEGIN X509 CRL-----, or in DER")

// parseLists parses the revocation lists in a file: PEM with one or more lists, or one list in DER.
func parseLists(content []byte) ([]*x509.RevocationList, error) {
	if !bytes.Contains(content, []byte("-----BEGIN ")) {
		list, err := x509.ParseRevocationList(content)
		if err != nil {
			return nil, errNoLists
		}
		return []*x509.RevocationList{list}, nil
	}
	var all []*x509.RevocationList
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != listBlock {
			continue
		}
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the revocation list %d in the file is damaged: %w", len(all)+1, err)
		}
		all = append(all, list)
	}
	if len(all) == 0 {
		return nil, errNoLists
	}
	return all, nil
}

// issuedBy finds the issuer of a list among CAs and verifies the signature.
func issuedBy(list *x509.RevocationList, cas []*x509.Certificate) (*revocations, error) {
	var reason error
	for _, ca := range cas {
		if !bytes.Equal(list.RawIssuer, ca.RawSubject) {
			continue
		}
		if err := list.CheckSignatureFrom(ca); err != nil {
			reason = err
			continue
		}
		r := &revocations{list: list, issuer: ca, serials: make(map[string]time.Time, len(list.RevokedCertificateEntries))}
		for _, entry := range list.RevokedCertificateEntries {
			r.serials[string(entry.SerialNumber.Bytes())] = entry.RevocationTime
		}
		return r, nil
	}
	if reason != nil {
		return nil, fmt.Errorf("the signature of the revocation list of %s is not that of the CA with this name: %w", list.Issuer, reason)
	}
	return nil, fmt.Errorf("the revocation list is of %s, which is not one of the trusted CAs", list.Issuer)
}
