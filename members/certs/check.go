package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Use is the purpose of a certificate.
type Use int

// The uses of a certificate.
const (
	// ForServer is the certificate of a member for its clients.
	ForServer Use = iota
	// ForClient is the certificate of a client.
	ForClient
	// ForPeer is the certificate of a member for other members: it serves their connections, and connects to them.
	ForPeer
)

// expiryWarning is how long before its end the validity of a certificate is reported as a Warning.
const expiryWarning = 30 * 24 * time.Hour

// Check returns everything that is wrong with a set of files, Fatal problems first. hosts are the names and addresses to which the other
// ends connect; the certificate must be valid for each.
func Check(o Options, use Use, hosts []string, now time.Time) []Problem {
	o = o.withDefaults()
	content, problems := load(&o, now, nil)
	if len(content.chain) > 0 {
		problems = append(problems, checkLeaf(&o, content, use, hosts, now)...)
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return int(b.Severity) - int(a.Severity) })
	return problems
}

// CheckUse returns what is wrong with the own certificate for a use, besides the problems that Open has logged. It reads no file. hosts is
// as for Check. A self-signed certificate that Open has made has no problems. The certificate of a server is not checked with the CAs:
// they are those of its clients, and another CA may have issued it.
func (s *Source) CheckUse(use Use, hosts []string) []Problem {
	content := *s.current.Load()
	if len(content.chain) == 0 || s.isAuto() {
		return nil
	}
	if use == ForServer {
		content.pool = nil
	}
	return checkLeaf(&s.options, &content, use, hosts, s.now())
}

// checkLeaf checks whether the own certificate fits its use, its hosts and the CAs.
func checkLeaf(o *Options, content *contents, use Use, hosts []string, now time.Time) []Problem {
	var problems []Problem
	leaf := content.chain[0]
	warn := func(format string, args ...any) {
		problems = append(problems, Problem{Warning, &FileError{o.Names.Cert, o.Cert, fmt.Errorf(format, args...)}})
	}
	for _, need := range neededUsages(use) {
		if !allowsUsage(leaf, need.usage) {
			warn("the certificate of %s is not for %s: its extended key usage lacks %s", NameOf(leaf), need.purpose, need.name)
		}
	}
	if use != ForClient && len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 {
		warn("the certificate of %s is for no host: it has no subject alternative names, and clients do not look at the common name",
			NameOf(leaf))
		hosts = nil
	}
	for _, host := range hosts {
		if leaf.VerifyHostname(host) != nil {
			warn("the certificate of %s is not for the host %s: it is for %s", NameOf(leaf), host, DescribeHosts(leaf))
		}
	}
	if left := leaf.NotAfter.Sub(now); left > 0 && left < expiryWarning {
		warn("the certificate of %s ends soon, at %s", NameOf(leaf), leaf.NotAfter.UTC().Format(timeLayout))
	}
	if content.pool == nil {
		return problems
	}
	if err := checkTrust(content, now); err != nil {
		warn("a program that trusts %s does not accept the certificate of %s: %w", o.CA, NameOf(leaf), err)
	}
	return problems
}

// checkTrust verifies the own certificate with the CAs that this program trusts, and searches the revocation lists for it. The other ends
// usually trust the same CAs.
func checkTrust(content *contents, now time.Time) error {
	intermediates := x509.NewCertPool()
	for _, c := range content.chain[1:] {
		intermediates.AddCert(c)
	}
	chains, err := content.chain[0].Verify(x509.VerifyOptions{
		Roots: content.pool, Intermediates: intermediates, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return errors.New("it is signed by another CA, or an intermediate certificate is missing")
	}
	if err != nil {
		return err
	}
	for _, chain := range chains {
		if err = content.revoked(chain); err == nil {
			return nil
		}
	}
	return err
}

// neededUsage is an extended key usage that a certificate must have.
type neededUsage struct {
	usage         x509.ExtKeyUsage
	name, purpose string
}

func neededUsages(use Use) []neededUsage {
	server := neededUsage{x509.ExtKeyUsageServerAuth, "serverAuth", "servers"}
	client := neededUsage{x509.ExtKeyUsageClientAuth, "clientAuth", "clients"}
	switch use {
	case ForServer:
		return []neededUsage{server}
	case ForClient:
		return []neededUsage{client}
	}
	return []neededUsage{server, client}
}

// allowsUsage reports whether a certificate may be used for a purpose. One without extended key usages may be used for all.
func allowsUsage(c *x509.Certificate, usage x509.ExtKeyUsage) bool {
	if len(c.ExtKeyUsage) == 0 && len(c.UnknownExtKeyUsage) == 0 {
		return true
	}
	return slices.Contains(c.ExtKeyUsage, usage) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}
