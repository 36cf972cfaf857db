package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The errors of CheckConnection and CheckPeer, and of handshakes.
var (
	// ErrRevoked means that a certificate is in a revocation list of its issuer.
	ErrRevoked = errors.New("the certificate is revoked")
	// ErrExpired means that a certificate has expired.
	ErrExpired = errors.New("the certificate has expired")
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
	return checkChains(state.VerifiedChains, s.current.Load().revoked)
}

// allowed checks the names in a certificate.
func (s *Source) allowed(leaf *x509.Certificate) error {
	cns, hosts := s.options.AllowedCN, s.options.AllowedHostname
	if len(cns) > 0 && !slices.Contains(cns, leaf.Subject.CommonName) {
		return fmt.Errorf("%w: the common name is %q, and it must be %s", ErrNotAllowed, leaf.Subject.CommonName, strings.Join(cns, " or "))
	}
	matches := func(host string) bool { return leaf.VerifyHostname(host) == nil }
	if len(hosts) > 0 && !slices.ContainsFunc(hosts, matches) {
		return fmt.Errorf("%w: it is for %s, and it must be for %s", ErrNotAllowed, DescribeHosts(leaf), strings.Join(hosts, " or "))
	}
	return nil
}

// revoked returns an error if a certificate of a verified chain is revoked. Each certificate but the last is followed by its issuer.
func (c *contents) revoked(chain []*x509.Certificate) error {
	for i := 0; i+1 < len(chain); i++ {
		for _, list := range c.lists {
			if list.contains(chain[i+1], chain[i].SerialNumber) {
				return fmt.Errorf("%w: %s, by %s", ErrRevoked, NameOf(chain[i]), NameOf(chain[i+1]))
			}
		}
	}
	return nil
}

// CheckConnection checks the certificate of the other end of an open connection again, with the newest files. It returns nil if the
// other end has shown no certificate. The error wraps ErrRevoked or ErrExpired. CheckConnection checks neither whether the CA is still
// trusted nor whether it has expired: a CA may be replaced while connections are open.
func (s *Source) CheckConnection(state *tls.ConnectionState) error {
	return checkChains(state.VerifiedChains, func(chain []*x509.Certificate) error {
		if err := s.checkExpiry(chain[:1]); err != nil {
			return err
		}
		return s.current.Load().revoked(chain)
	})
}

// CheckPeer is CheckConnection for connections between members, which must not stay open after their CA has expired or was removed from
// the trusted ones. The error wraps ErrRevoked, ErrExpired or ErrNotTrusted.
func (s *Source) CheckPeer(state *tls.ConnectionState) error {
	return checkChains(state.VerifiedChains, func(chain []*x509.Certificate) error {
		if err := s.checkExpiry(chain); err != nil {
			return err
		}
		if err := s.current.Load().revoked(chain); err != nil {
			return err
		}
		return s.trusted(chain)
	})
}

// checkChains returns nil if there is no chain or if check accepts one of them, and else the error of the last.
func checkChains(chains [][]*x509.Certificate, check func(chain []*x509.Certificate) error) error {
	var err error
	for _, chain := range chains {
		if err = check(chain); err == nil {
			return nil
		}
	}
	return err
}

// checkExpiry returns an error if one of the certificates has expired.
func (s *Source) checkExpiry(certificates []*x509.Certificate) error {
	now := s.now()
	for _, c := range certificates {
		if now.After(c.NotAfter) {
			return fmt.Errorf("%w: %s, at %s", ErrExpired, NameOf(c), c.NotAfter.UTC().Format(timeLayout))
		}
	}
	return nil
}

// trusted returns an error if the root of a verified chain is no longer in the file of CAs. The CAs of the system do not change
// while a process runs.
func (s *Source) trusted(chain []*x509.Certificate) error {
	if s.options.CA == "" {
		return nil
	}
	root := chain[len(chain)-1]
	if slices.ContainsFunc(s.current.Load().roots, func(ca *x509.Certificate) bool { return sameAuthority(ca, root) }) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrNotTrusted, NameOf(root))
}

// HostsOf returns the host names and IP addresses for which a certificate is valid. The result may be empty; it is never nil.
func HostsOf(c *x509.Certificate) []string {
	hosts := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	return hosts
}

// DescribeHosts returns HostsOf as a text for errors.
func DescribeHosts(c *x509.Certificate) string {
	if hosts := HostsOf(c); len(hosts) > 0 {
		return strings.Join(hosts, ", ")
	}
	return "no host"
}
