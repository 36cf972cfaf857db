package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// tlsSide contains the settings for connections with clients, or those for connections with peers, and the names of their flags.
type tlsSide struct {
	*TLS
	cert, key, ca, crl, auth, auto, allowedCN, allowedHost string // names of flags, without dashes; empty if there is none
	// listen contains the URLs to listen on that use the settings.
	listen []flagURLs
	// advertise contains the URLs by which others connect.
	advertise flagURLs
}

// flagURLs are the URLs of a flag.
type flagURLs struct {
	flag string
	urls []url.URL
}

func (c *Config) tlsSides() []tlsSide {
	return []tlsSide{
		{
			TLS: &c.ClientTLS, cert: "cert-file", key: "key-file", ca: "trusted-ca-file", crl: "client-crl-file", auth: "client-cert-auth",
			auto: "auto-tls", allowedHost: "client-cert-allowed-hostname",
			listen: []flagURLs{
				{"listen-client-urls", c.ListenClientURLs},
				{"listen-metrics-urls", c.ListenMetricsURLs},
			},
			advertise: flagURLs{"advertise-client-urls", c.AdvertiseClientURLs},
		},
		{
			TLS: &c.PeerTLS, cert: "peer-cert-file", key: "peer-key-file", ca: "peer-trusted-ca-file", crl: "peer-crl-file",
			auth: "peer-client-cert-auth", auto: "peer-auto-tls", allowedCN: "peer-cert-allowed-cn", allowedHost: "peer-cert-allowed-hostname",
			listen:    []flagURLs{{"listen-peer-urls", c.ListenPeerURLs}},
			advertise: flagURLs{"initial-advertise-peer-urls", c.InitialAdvertisePeerURLs},
		},
	}
}

// checkTLS checks the settings of TLS. It does not read the files.
func (c *Config) checkTLS() []error {
	var errs []error
	add := func(flag, problem, fix string) { errs = append(errs, c.FlagError(flag, problem, fix)) }
	for _, s := range c.tlsSides() {
		switch {
		case s.CertFile != "" && s.KeyFile == "":
			add(s.key, "is missing, and --"+s.cert+parenthesised(c.origins[s.cert].place)+" is given", "give both, the certificate and its key")
		case s.CertFile == "" && s.KeyFile != "":
			add(s.cert, "is missing, and --"+s.key+parenthesised(c.origins[s.key].place)+" is given", "give both, the certificate and its key")
		}
		if s.CRLFile != "" && s.TrustedCAFile == "" {
			add(s.crl, "needs --"+s.ca, "give the file with the CA that has issued the revocation list")
		}
		if len(s.AllowedCN) > 0 && len(s.AllowedHostname) > 0 {
			add(s.allowedHost, "is given beside --"+s.allowedCN, "choose one of the two")
		}
		if flag, u := s.firstSecure(); u != nil && !s.HasCertificate() && s.KeyFile == "" {
			fix := "give --" + s.cert + " and --" + s.key + ", or --" + s.auto + " for a self-signed one"
			add(flag, u.String()+" needs a certificate", fix)
		}
	}
	if c.TLSMaxVersion != 0 && c.TLSMaxVersion < c.TLSMinVersion {
		add("tls-max-version", "is older than --tls-min-version", "give --tls-min-version=TLS1.2, or leave --tls-max-version out")
	}
	return errs
}

// firstSecure returns the first URL to listen on that uses TLS, and its flag; nil if there is none.
func (s *tlsSide) firstSecure() (string, *url.URL) {
	for _, l := range s.listen {
		if i := slices.IndexFunc(l.urls, IsSecure); i >= 0 {
			return l.flag, &l.urls[i]
		}
	}
	return "", nil
}

// tlsWarnings returns warnings about settings of TLS that have no effect, and about dangerous ones.
func (c *Config) tlsWarnings() []string {
	var warnings []string
	add := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	for _, s := range c.tlsSides() {
		_, secure := s.firstSecure()
		dials := c.Proxy != ProxyOff || s.TLS == &c.PeerTLS && c.MayDialSecurePeers()
		if secure == nil && s.isSet() && !dials {
			add("the settings of TLS (--%s and others) have no effect: --%s has no https URL", s.cert, s.listen[0].flag)
			continue
		}
		if s.CertFile != "" && s.AutoTLS {
			add("--%s has no effect: --%s is given", s.auto, s.cert)
		}
		switch selfSigned := s.CertFile == "" && s.AutoTLS; {
		case selfSigned && s.ClientCertAuth && s.TLS == &c.PeerTLS:
			add("--%s refuses the self-signed certificates of --%s: members with these flags can't connect to each other; give --%s, --%s and "+
				"--%s, or leave --%s out", s.auth, s.auto, s.cert, s.key, s.ca, s.auth)
		case selfSigned && s.TrustedCAFile != "" && s.TLS == &c.PeerTLS:
			add("--%s refuses the self-signed certificates of --%s: members with these flags can't connect to each other; give --%s and --%s",
				s.ca, s.auto, s.cert, s.key)
		case s.TrustedCAFile == "" && s.ClientCertAuth:
			add("--%s without --%s accepts certificates of every CA that this machine trusts", s.auth, s.ca)
		}
		if !s.RequiresClientCerts() && len(s.AllowedCN)+len(s.AllowedHostname) > 0 {
			add("--%s does not restrict who may connect: without --%s no certificate is required", s.allowedFlag(), s.ca)
		}
		for _, l := range s.listen[:1] {
			if c.Proxy == ProxyOff && hasScheme(l.urls, "https") && !hasScheme(l.urls, "http") && hasScheme(s.advertise.urls, "http") {
				add("--%s has an http URL, but --%s has none: connections to that URL would send plain HTTP to a TLS port", s.advertise.flag, l.flag)
			}
		}
	}
	switch secure := slices.ContainsFunc(c.ListenPeerURLs, IsSecure); {
	case c.PeerTLS.AcceptPlaintext && secure:
		add("--peer-accept-plaintext is set: anyone who reaches a peer URL can read and change the data without a certificate; " +
			"remove the flag when all members have https peer URLs")
	case c.PeerTLS.AcceptPlaintext:
		add("--peer-accept-plaintext has no effect: --listen-peer-urls has no https URL")
	}
	if weak := weakCipherSuites(c.CipherSuites); len(weak) > 0 {
		add("--cipher-suites has suites with known weaknesses: %s", strings.Join(weak, ", "))
	}
	return warnings
}

func (s *tlsSide) allowedFlag() string {
	if len(s.AllowedCN) > 0 {
		return s.allowedCN
	}
	return s.allowedHost
}

// MayDialSecurePeers reports whether this process may connect to https peer URLs. Discovery, DNS records and the stored list of a proxy
// may name any URLs.
func (c *Config) MayDialSecurePeers() bool {
	return c.Proxy != ProxyOff || c.Discovery != "" || c.DiscoverySRV != "" || slices.ContainsFunc(c.peerURLs(), isSecureText)
}

// peerURLs returns the peer URLs of all first members, as text.
func (c *Config) peerURLs() []string {
	all := URLStrings(c.InitialAdvertisePeerURLs)
	for _, urls := range c.InitialCluster {
		all = append(all, urls...)
	}
	return all
}

func isSecureText(u string) bool { return strings.HasPrefix(u, "https:") }

func hasScheme(urls []url.URL, scheme string) bool {
	return slices.ContainsFunc(urls, func(u url.URL) bool { return u.Scheme == scheme })
}
