package certs

import (
	"crypto/tls"
	"time"
)

// Files are the paths of the files of a Source. Each may be empty.
type Files struct {
	// Cert contains the own certificate, followed by intermediate certificates, in PEM. Key contains its private key, in PEM without a
	// passphrase. Either both are set or neither.
	Cert, Key string
	// CA contains the certificates that are trusted, in PEM. If it is empty, those of the system are trusted.
	CA string
	// CRL contains revocation lists, in PEM or DER. Each must be issued by a CA in CA.
	CRL string
}

// Names are the names of the settings, such as flags, that contain the paths of Files; Auto is that of the setting which asks for a
// self-signed certificate. Errors and log lines use them.
type Names struct{ Cert, Key, CA, CRL, Auto string }

// The flags of pando for connections with clients, and with other members.
var (
	ClientFlags = Names{Cert: "--cert-file", Key: "--key-file", CA: "--trusted-ca-file", CRL: "--client-crl-file", Auto: "--auto-tls"}
	PeerFlags   = Names{
		Cert: "--peer-cert-file", Key: "--peer-key-file", CA: "--peer-trusted-ca-file", CRL: "--peer-crl-file", Auto: "--peer-auto-tls",
	}
)

// Options contain the parameters of a Source. All fields may be zero.
type Options struct {
	Files
	// Names are the names of the settings. If it is zero, errors use general names.
	Names Names
	// AutoDir is the directory of a self-signed certificate, which is made and renewed if Cert is empty. The directory is made if it does
	// not exist. With an empty AutoDir there is no self-signed certificate.
	AutoDir string
	// AutoHosts are the names and IP addresses in the self-signed certificate.
	AutoHosts []string

	// ClientAuth makes a server require a certificate of each client. A server whose CA is not empty always requires it.
	ClientAuth bool
	// AllowedCN and AllowedHostname restrict the certificates that are accepted from the other end of a connection: the common name must
	// be one of AllowedCN, and a host name in the certificate must match one of AllowedHostname. An empty list allows all.
	AllowedCN, AllowedHostname []string

	// CipherSuites are the cipher suites of TLS 1.2; those of Go if empty.
	CipherSuites []uint16
	// MinVersion and MaxVersion are versions of TLS, as in package tls: TLS 1.2 and the newest if 0.
	MinVersion, MaxVersion uint16

	// Interval is the time between two checks of the files for changes; DefaultInterval if 0.
	Interval time.Duration
}

// DefaultInterval is the time between two checks of the files for changes.
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
