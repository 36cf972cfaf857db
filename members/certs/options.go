package certs

import (
	"crypto/tls"
	"time"
)

// Files are the paths of the files of one side. Each may be empty.
type Files struct {
	// Cert has the own certificate, followed by intermediate certificates, in PEM. Key has its private key, in PEM without a
	// passphrase. Both must be set, or none.
	Cert, Key string
	// CA has the certificates that are trusted, in PEM. If it is empty, those of the system are trusted.
	CA string
	// CRL has the revocation lists of certificates in CA, in PEM or DER.
	CRL string
}

// Names are the names of the settings that have the paths, such as flags, for errors and log lines.
type Names struct{ Cert, Key, CA, CRL, Auto string }

// The names of the flags of pando.
var (
	ClientFlags = Names{Cert: "--cert-file", Key: "--key-file", CA: "--trusted-ca-file", CRL: "--client-crl-file", Auto: "--auto-tls"}
	PeerFlags   = Names{
		Cert: "--peer-cert-file", Key: "--peer-key-file", CA: "--peer-trusted-ca-file", CRL: "--peer-crl-file", Auto: "--peer-auto-tls",
	}
)

// Options contain the parameters of a Source. All fields may be zero.
type Options struct {
	Files
	// Names are used in errors; general names if zero.
	Names Names
	// AutoDir is a directory in which a self-signed certificate is kept, if Cert is empty. It is made if it does not exist.
	AutoDir string
	// AutoHosts are the names and IP addresses in the self-signed certificate.
	AutoHosts []string

	// ClientAuth makes a server require a certificate of each client. A server with a CA requires it in any case.
	ClientAuth bool
	// AllowedCN and AllowedHostname restrict the certificates that are accepted from the other end of a connection: the common name must
	// be one of AllowedCN, and a host name in the certificate must match one of AllowedHostname. An empty list allows all.
	AllowedCN, AllowedHostname []string

	// CipherSuites are the cipher suites of TLS 1.2; those of Go if empty.
	CipherSuites []uint16
	// MinVersion and MaxVersion are versions of TLS, as in package tls: TLS 1.2 and the newest if 0.
	MinVersion, MaxVersion uint16

	// Interval is the time between two looks at the files; DefaultInterval if 0.
	Interval time.Duration
}

// DefaultInterval is the time between two looks at the files.
const DefaultInterval = time.Second

// requiresClientCerts reports whether a server with the options requires certificates of its clients.
func (o *Options) requiresClientCerts() bool { return o.ClientAuth || o.CA != "" }

// withDefaults returns the options with a value in each field that has a default.
func (o Options) withDefaults() Options {
	if o.Interval <= 0 {
		o.Interval = DefaultInterval
	}
	if o.MinVersion == 0 {
		o.MinVersion = tls.VersionTLS12
	}
	if o.Names == (Names{}) {
		o.Names = Names{Cert: "certificate file", Key: "key file", CA: "CA file", CRL: "revocation list", Auto: "self-signed certificate"}
	}
	return o
}
