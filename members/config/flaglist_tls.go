package config

import (
	"crypto/tls"
	"time"
)

// securityFlags returns the flags of TLS, of tokens and of passwords. A flag for peers has the name of the flag for clients with the prefix
// "peer-". The exceptions are those of the revocation lists and of the allowed names.
func securityFlags() []flagSpec {
	all := clientTLSFlags()
	all = append(all, peerTLSFlags()...)
	all = append(all, tlsVersionFlags()...)
	return append(all, flagSpec{name: "auth-token-ttl", group: groupSecurity, arg: "SECONDS", def: "300",
		usage: "Seconds after which a token of the v3 API ends that its client does not use. The client must log in again.",
		set:   setTokenTTL},
		flagSpec{name: "password-hash", group: groupSecurity, arg: "FORMAT", def: PasswordArgon,
			usage: "How new passwords are hashed: argon2id or bcrypt. etcd can verify bcrypt alone, so use it, and set the passwords again, " +
				"before users move to an etcd. All members accept both.",
			set: setPasswordHash})
}

// The values of --password-hash.
const (
	PasswordArgon  = "argon2id"
	PasswordBcrypt = "bcrypt"
)

func setPasswordHash(c *Config, text string) (err error) {
	c.PasswordHash, err = ParseChoice(text, PasswordArgon, PasswordBcrypt)
	return err
}

const (
	defaultTokenTTL = 300 * time.Second
	// maxTokenTTL bounds --auth-token-ttl: ten years in seconds.
	maxTokenTTL = 10 * 365 * 86400
)

func setTokenTTL(c *Config, text string) error {
	n, err := parseWhole(text, maxTokenTTL)
	if err == nil && n == 0 {
		err = &valueError{"a token can't end at once", "write the seconds after which an unused token ends, such as 300"}
	}
	c.AuthTokenTTL = time.Duration(n) * time.Second
	return err
}

func clientTLS(c *Config) *TLS { return &c.ClientTLS }
func peerTLS(c *Config) *TLS   { return &c.PeerTLS }

func clientTLSFlags() []flagSpec {
	return []flagSpec{
		{name: "cert-file", group: groupSecurity, arg: "FILE",
			usage: "Certificate for the https URLs of --listen-client-urls and --listen-metrics-urls, in PEM, followed by the " +
				"certificates between it and its CA. It is read again when it changes, as all files of this group.",
			example: "/etc/pando/server.pem", set: setText(clientTLS, func(t *TLS) *string { return &t.CertFile })},
		{name: "key-file", group: groupSecurity, arg: "FILE",
			usage:   "Private key of --cert-file, in PEM, without a passphrase.",
			example: "/etc/pando/server-key.pem", set: setText(clientTLS, func(t *TLS) *string { return &t.KeyFile })},
		{name: "client-cert-auth", group: groupSecurity, def: "false",
			usage: "Require a certificate of each client at https URLs, and take its common name as the name of the user. Use it with " +
				"--trusted-ca-file: without that, certificates of every CA that this machine trusts are accepted.",
			set: setSwitch(clientTLS, func(t *TLS) *bool { return &t.ClientCertAuth })},
		{name: "trusted-ca-file", group: groupSecurity, arg: "FILE",
			usage: "Certificates, in PEM, of the CAs of clients. If it is given, clients must have a certificate of one of these CAs, " +
				"even without --client-cert-auth.",
			example: "/etc/pando/ca.pem", set: setText(clientTLS, func(t *TLS) *string { return &t.TrustedCAFile })},
		{name: "client-crl-file", group: groupSecurity, arg: "FILE",
			usage: "Revocation lists of the CAs in --trusted-ca-file, in PEM or DER. Clients whose certificate is revoked are refused, and " +
				"their connections are closed.",
			example: "/etc/pando/clients.crl", set: setText(clientTLS, func(t *TLS) *string { return &t.CRLFile })},
		{name: "client-cert-allowed-hostname", group: groupSecurity, arg: "NAMES",
			usage: "Host names, separated by commas: a client's certificate must be for one of them.",
			set:   setList(clientTLS, func(t *TLS) *[]string { return &t.AllowedHostname })},
		{name: "auto-tls", group: groupSecurity, def: "false",
			usage: "Serve https URLs with a self-signed certificate, which is kept in the data directory and renewed before it " +
				"expires. A client can verify the server only if it has a copy of this certificate. No effect with --cert-file.",
			set: setSwitch(clientTLS, func(t *TLS) *bool { return &t.AutoTLS })},
	}
}

func peerTLSFlags() []flagSpec {
	return []flagSpec{
		{name: "peer-cert-file", group: groupSecurity, arg: "FILE",
			usage: "Certificate of this member for other members, in PEM. The members connect in both directions: it must be valid for " +
				"servers and for clients (extended key usages serverAuth and clientAuth).",
			example: "/etc/pando/peer.pem", set: setText(peerTLS, func(t *TLS) *string { return &t.CertFile })},
		{name: "peer-key-file", group: groupSecurity, arg: "FILE",
			usage:   "Private key of --peer-cert-file, in PEM, without a passphrase.",
			example: "/etc/pando/peer-key.pem", set: setText(peerTLS, func(t *TLS) *string { return &t.KeyFile })},
		{name: "peer-client-cert-auth", group: groupSecurity, def: "false",
			usage: "Require a certificate of each member that connects. Without it and without --peer-trusted-ca-file any program that " +
				"reaches a peer URL can read and change the data.",
			set: setSwitch(peerTLS, func(t *TLS) *bool { return &t.ClientCertAuth })},
		{name: "peer-trusted-ca-file", group: groupSecurity, arg: "FILE",
			usage: "Certificates, in PEM, of the CAs of members. If it is given, members that connect must have a certificate of one of " +
				"these CAs.",
			example: "/etc/pando/peer-ca.pem", set: setText(peerTLS, func(t *TLS) *string { return &t.TrustedCAFile })},
		{name: "peer-crl-file", group: groupSecurity, arg: "FILE",
			usage: "Revocation lists of the CAs in --peer-trusted-ca-file, in PEM or DER.",
			set:   setText(peerTLS, func(t *TLS) *string { return &t.CRLFile })},
		{name: "peer-cert-allowed-cn", group: groupSecurity, arg: "NAMES",
			usage: "Common names, separated by commas: the certificate of another member must have one of them, in both directions. " +
				"Not together with --peer-cert-allowed-hostname.",
			set: setList(peerTLS, func(t *TLS) *[]string { return &t.AllowedCN })},
		{name: "peer-cert-allowed-hostname", group: groupSecurity, arg: "NAMES",
			usage: "Host names, separated by commas: the certificate of another member must be for one of them, in both directions.",
			set:   setList(peerTLS, func(t *TLS) *[]string { return &t.AllowedHostname })},
		{name: "experimental-peer-skip-client-san-verification", group: groupSecurity, def: "false",
			usage: "Accept a member that connects with a certificate of a trusted CA that is valid for none of the hosts in its peer URLs.",
			set:   setSwitch(peerTLS, func(t *TLS) *bool { return &t.AnyHost })},
		{name: "peer-accept-plaintext", group: groupSecurity, def: "false",
			usage: "Also accept connections without TLS at the https URLs of --listen-peer-urls, while a running cluster moves to TLS one " +
				"member after the other. Until the flag is removed, anyone who reaches the peer URL can read and change the data.",
			set: setSwitch(peerTLS, func(t *TLS) *bool { return &t.AcceptPlaintext })},
		{name: "peer-auto-tls", group: groupSecurity, def: "false",
			usage: "Serve https peer URLs with a self-signed certificate, and accept every certificate of other members: the traffic is " +
				"encrypted, but the members do not authenticate each other. No effect with --peer-cert-file.",
			set: setSwitch(peerTLS, func(t *TLS) *bool { return &t.AutoTLS })},
	}
}

func tlsVersionFlags() []flagSpec {
	return []flagSpec{
		{name: "cipher-suites", group: groupSecurity, arg: "LIST",
			usage: "Cipher suites of TLS 1.2 for clients and peers, separated by commas; a good choice of them if none is given. Those " +
				"of TLS 1.3 are fixed.",
			example: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
			set:     func(c *Config, v string) (err error) { c.CipherSuites, err = parseCipherSuites(v); return err }},
		{name: "tls-min-version", group: groupSecurity, arg: "VERSION", def: "TLS1.2",
			usage: "Oldest version of TLS for clients and peers: TLS1.2 or TLS1.3.",
			set: func(c *Config, v string) (err error) {
				c.TLSMinVersion, err = parseTLSVersion(v, tls.VersionTLS12)
				return err
			}},
		{name: "tls-max-version", group: groupSecurity, arg: "VERSION",
			usage:   "Newest version of TLS for clients and peers: TLS1.2 or TLS1.3. Without this flag the newest that both ends have.",
			example: "TLS1.3", set: func(c *Config, v string) (err error) { c.TLSMaxVersion, err = parseTLSVersion(v, 0); return err }},
	}
}

// setText returns a set function for a text field of one side.
func setText(side func(*Config) *TLS, pick func(*TLS) *string) func(*Config, string) error {
	return func(c *Config, text string) error {
		*pick(side(c)) = text
		return nil
	}
}

// setSwitch returns a set function for a bool field of one side.
func setSwitch(side func(*Config) *TLS, pick func(*TLS) *bool) func(*Config, string) error {
	return func(c *Config, text string) (err error) {
		*pick(side(c)), err = parseBool(text)
		return err
	}
}

// setList returns a set function for a list of one side.
func setList(side func(*Config) *TLS, pick func(*TLS) *[]string) func(*Config, string) error {
	return func(c *Config, text string) error {
		*pick(side(c)) = splitList(text)
		return nil
	}
}
