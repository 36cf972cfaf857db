package certs

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Source makes configurations of crypto/tls from the newest content of its files. Open returns one.
type Source struct {
	options  Options
	log      *zap.Logger
	now      func() time.Time
	current  atomic.Pointer[contents]
	failures atomic.Uint64

	mu       sync.Mutex
	onChange []func()

	watcher watcher // used by Watch alone
}

// Open reads and checks the files. The error is a *FileError. If AutoDir is used, Open makes or renews the self-signed certificate. log
// gets warnings about the files, now and later.
func Open(o Options, log *zap.Logger) (*Source, error) { return open(o, log, time.Now) }

func open(o Options, log *zap.Logger, now func() time.Time) (*Source, error) {
	s := &Source{options: o.withDefaults(), log: log, now: now}
	if err := s.prepareAuto(); err != nil {
		return nil, err
	}
	s.watcher.states = s.statFiles() // before load, so that a change during load is found
	content, problems := load(&s.options, now(), nil)
	if err := fatalOf(problems); err != nil {
		return nil, err
	}
	s.logWarnings(problems)
	s.current.Store(content)
	return s, nil
}

// logWarnings logs the problems that are not Fatal.
func (s *Source) logWarnings(problems []Problem) {
	for _, p := range problems {
		if p.Severity == Fatal {
			continue
		}
		s.log.Warn("problem with a file for TLS", zap.String("setting", p.Err.Setting), zap.String("file", p.Err.File), zap.Error(p.Err.Reason))
	}
}

// HasCertificate reports whether there is an own certificate. A server needs one.
func (s *Source) HasCertificate() bool { return s.current.Load().certificate != nil }

// RequiresClientCerts reports whether a server of this Source requires certificates of its clients.
func (s *Source) RequiresClientCerts() bool { return s.options.requiresClientCerts() }

// ServerConfig returns a configuration for servers: each handshake uses the newest files. protocols are those that a client may choose
// by ALPN. There must be a certificate; see HasCertificate.
func (s *Source) ServerConfig(protocols ...string) *tls.Config {
	var cache atomic.Pointer[serverConfigs]
	newest := func() *serverConfigs {
		content := s.current.Load()
		c := cache.Load()
		if c == nil || c.content != content {
			c = s.newServerConfigs(content, protocols)
			cache.Store(c)
		}
		return c
	}
	outer := newest().complete.Clone()
	outer.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		c := newest()
		if s.allowsHTTP2(hello) {
			return c.complete, nil
		}
		return c.withoutHTTP2, nil
	}
	return outer
}

// serverConfigs are the configurations of a server with the same content of the files.
type serverConfigs struct {
	content                *contents
	complete, withoutHTTP2 *tls.Config
}

func (s *Source) newServerConfigs(content *contents, protocols []string) *serverConfigs {
	c := &serverConfigs{content: content, complete: s.serverConfig(content, protocols)}
	c.withoutHTTP2 = c.complete.Clone()
	c.withoutHTTP2.NextProtos = slices.DeleteFunc(slices.Clone(protocols), func(p string) bool { return p == http2Protocol })
	return c
}

// http2Protocol is the name of HTTP/2 in ALPN.
const http2Protocol = "h2"

// http2Suites are the cipher suites of TLS 1.2 that HTTP/2 allows. Clients close an HTTP/2 connection that has another suite.
var http2Suites = []uint16{
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
}

// allowsHTTP2 reports whether a connection with the client can have a cipher suite that HTTP/2 allows.
func (s *Source) allowsHTTP2(hello *tls.ClientHelloInfo) bool {
	o := &s.options
	if (o.MaxVersion == 0 || o.MaxVersion >= tls.VersionTLS13) && slices.Contains(hello.SupportedVersions, tls.VersionTLS13) {
		return true
	}
	return slices.ContainsFunc(http2Suites, func(suite uint16) bool {
		return slices.Contains(hello.CipherSuites, suite) && (len(o.CipherSuites) == 0 || slices.Contains(o.CipherSuites, suite))
	})
}

// serverConfig returns the configuration of a server with the content of the files.
func (s *Source) serverConfig(content *contents, protocols []string) *tls.Config {
	c := s.baseConfig()
	c.NextProtos = slices.Clone(protocols)
	if content.certificate != nil {
		c.Certificates = []tls.Certificate{*content.certificate}
	}
	if s.options.requiresClientCerts() {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, content.pool
		c.SessionTicketsDisabled = true // a resumed session would not verify the chain again
	}
	return c
}

// ClientConfig returns a configuration for one or a few connections to servers: it has the newest CAs and revocation lists at the
// time of the call. A caller that opens many connections must call ClientConfig for each; Handshake opens one. The result belongs to the
// caller. ServerName is empty.
func (s *Source) ClientConfig() *tls.Config {
	content := s.current.Load()
	c := s.clientConfig(content)
	c.RootCAs = content.pool
	c.InsecureSkipVerify = s.isAuto() && s.options.CA == "" // self-signed certificates can't be verified
	return c
}

// ExternalClientConfig is ClientConfig for connections to servers that don't belong to the cluster, such as a running etcd that it
// follows. The certificate of such a server must be of a CA in the file or of a CA of the system. It is verified in any case. AllowedCN and
// AllowedHostname do not apply to it; the revocation lists do.
func (s *Source) ExternalClientConfig() *tls.Config {
	content := s.current.Load()
	c := s.clientConfig(content)
	c.VerifyConnection = func(state tls.ConnectionState) error { return checkChains(state.VerifiedChains, content.revoked) }
	if content.pool != nil {
		c.RootCAs = withSystemRoots(content.roots)
	}
	return c
}

// withSystemRoots returns a pool of the CAs and those of the system.
func withSystemRoots(roots []*x509.Certificate) *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil { // the system has none
		pool = x509.NewCertPool()
	}
	for _, ca := range roots {
		pool.AddCert(ca)
	}
	return pool
}

// clientConfig returns what the configurations of clients have in common: everything but the CAs.
func (s *Source) clientConfig(content *contents) *tls.Config {
	c := s.baseConfig()
	if content.certificate != nil {
		c.Certificates = []tls.Certificate{*content.certificate}
		// Without this function package tls sends no certificate if the server names no CA that has signed it.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return content.certificate, nil }
	}
	return c
}

// baseConfig returns what servers and clients have in common.
func (s *Source) baseConfig() *tls.Config {
	return &tls.Config{
		MinVersion:       s.options.MinVersion,
		MaxVersion:       s.options.MaxVersion,
		CipherSuites:     s.options.CipherSuites,
		VerifyConnection: s.verifyPeer,
		Time:             s.now,
	}
}

// OnChange registers a function, which Watch calls after each change of the files that it has accepted. The function delays the next check
// of the files until it returns. OnChange can't be undone.
func (s *Source) OnChange(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onChange = append(s.onChange, f)
}

func (s *Source) callOnChange() {
	s.mu.Lock()
	all := slices.Clone(s.onChange)
	s.mu.Unlock()
	for _, f := range all {
		f()
	}
}

// ReloadFailures returns the number of changes of the files that were not accepted because of an error.
func (s *Source) ReloadFailures() uint64 { return s.failures.Load() }

// Expiry is the end of the validity of a certificate or a revocation list.
type Expiry struct {
	Setting string // the name of the setting of its file
	File    string
	Subject string // the name of the certificate, or of the issuer of the list
	At      time.Time
}

// Expiries returns the end of each certificate and each revocation list in use. It leaves out a list without an end. The result belongs to
// the caller.
func (s *Source) Expiries() []Expiry {
	content, o := s.current.Load(), &s.options
	var all []Expiry
	add := func(setting, file string, certificates []*x509.Certificate) {
		for _, c := range certificates {
			all = append(all, Expiry{setting, file, NameOf(c), c.NotAfter})
		}
	}
	add(o.Names.Cert, o.Cert, content.chain)
	add(o.Names.CA, o.CA, content.roots)
	for _, r := range content.lists {
		if !r.list.NextUpdate.IsZero() {
			all = append(all, Expiry{o.Names.CRL, o.CRL, r.list.Issuer.String(), r.list.NextUpdate})
		}
	}
	return all
}
