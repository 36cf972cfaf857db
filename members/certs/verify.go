package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Errors of Revoked and CheckPeer, and of handshakes.
var (
	// ErrRevoked means that a certificate is in a revocation list of its issuer.
	ErrRevoked = errors.New("the certificate is revoked")
	// ErrEnded means that a certificate has expired.
	ErrEnded = errors.New("the certificate has expired")
	// ErrNotTrusted means that the CA of a certificate is not one of the trusted CAs.
	ErrNotTrusted = errors.New("the CA of the certificate is no longer trusted")
	// ErrNotAllowed means that a certificate has none of the allowed names.
	ErrNotAllowed = errors.New("the name in the certificate is not allowed")
)

// verifyPeer checks the certificate of the other end of a connection, after package tls has verified its chains.
func (s *Source) verifyPeer(state tls.ConnectionState) error {
	if len(state.VerifiedChains) == 0 {
		return nil // none was asked for
	}
	if err := s.allowed(state.PeerCertificates[0]); err != nil {
		return err
	}
	var err error
	for _, chain := range state.VerifiedChains {
		if err = s.current.Load().revoked(chain); err == nil {
			return nil // one chain that is not revoked is enough
		}
	}
	return err
}

// allowed checks the names in a certificate.
func (s *Source) allowed(leaf *x509.Certificate) error {
	cns, hosts := s.options.AllowedCN, s.options.AllowedHostname
	if len(cns) > 0 && !slices.Contains(cns, leaf.Subject.CommonName) {
		return fmt.Errorf("%w: the common name is %q, and it must be %s", ErrNotAllowed, leaf.Subject.CommonName, strings.Join(cns, " or "))
	}
	matches := func(host string) bool { return leaf.VerifyHostname(host) == nil }
	if len(hosts) > 0 && !slices.ContainsFunc(hosts, matches) {
		return fmt.Errorf("%w: it is for %s, and it must be for %s", ErrNotAllowed, strings.Join(hostsOf(leaf), ", "),
			strings.Join(hosts, " or "))
	}
	return nil
}

// revoked returns an error if a certificate of a verified chain is revoked. Each certificate but the last is followed by its issuer.
func (l *loaded) revoked(chain []*x509.Certificate) error {
	for i := 0; i+1 < len(chain); i++ {
		for _, list := range l.lists {
			if list.contains(chain[i+1], chain[i].SerialNumber) {
				return fmt.Errorf("%w: %s, by %s", ErrRevoked, NameOf(chain[i]), NameOf(chain[i+1]))
			}
		}
	}
	return nil
}

// Revoked checks the certificate of the other end of an open connection again, with the newest files. chain is one of the
// VerifiedChains of the connection, with the certificate of the other end first. The error wraps ErrRevoked or ErrEnded. Revoked does
// not check whether the CA is still trusted: a CA may be replaced while connections are open.
func (s *Source) Revoked(chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return nil
	}
	if now := s.now(); now.After(chain[0].NotAfter) {
		return fmt.Errorf("%w: %s, at %s", ErrEnded, NameOf(chain[0]), chain[0].NotAfter.UTC().Format(timeLayout))
	}
	return s.current.Load().revoked(chain)
}

// CheckConnection is Revoked for the state of a connection: it returns nil if the other end has shown no certificate, or if one of
// the chains is not revoked.
func (s *Source) CheckConnection(state *tls.ConnectionState) error {
	var err error
	for _, chain := range state.VerifiedChains {
		if err = s.Revoked(chain); err == nil {
			return nil
		}
	}
	return err
}

// CheckPeer is CheckConnection for connections between members, which must not stay open after their CA was removed from the trusted
// ones. The error wraps ErrRevoked, ErrEnded or ErrNotTrusted.
func (s *Source) CheckPeer(state *tls.ConnectionState) error {
	var err error
	for _, chain := range state.VerifiedChains {
		if err = s.Revoked(chain); err == nil {
			err = s.trusted(chain)
		}
		if err == nil {
			return nil
		}
	}
	return err
}

// trusted returns an error if the root of a verified chain is no longer in the file of CAs. The CAs of the system do not change
// while a process runs.
func (s *Source) trusted(chain []*x509.Certificate) error {
	if s.options.CA == "" || len(chain) == 0 {
		return nil
	}
	root := chain[len(chain)-1]
	if slices.ContainsFunc(s.current.Load().roots, func(ca *x509.Certificate) bool { return sameAuthority(ca, root) }) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrNotTrusted, NameOf(root))
}

// Ends returns the time at which the certificate of the other end of a connection expires, or the zero time if there is none.
func Ends(state *tls.ConnectionState) time.Time {
	if len(state.VerifiedChains) == 0 {
		return time.Time{}
	}
	return state.PeerCertificates[0].NotAfter
}

// hostsOf returns the host names and IP addresses in a certificate.
func hostsOf(c *x509.Certificate) []string {
	hosts := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	if len(hosts) == 0 {
		return []string{"no host"}
	}
	return hosts
}
