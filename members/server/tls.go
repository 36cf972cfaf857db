package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"go.uber.org/zap"

	"pando/members/certs"
	"pando/members/config"
	"pando/raft/transport"
	"pando/stats"
)

// sources are the certificates of a process, for each side. Neither is nil, even without TLS: connections to https URLs need the
// CAs.
type sources struct{ client, peer *certs.Source }

// The directories of self-signed certificates, below the data directory.
const (
	autoDir       = "tls"
	autoClientDir = "client"
	autoPeerDir   = "peer"
)

// openSources reads the files for TLS. An error names the flag, the file and the reason.
func openSources(cfg *config.Config, log *zap.Logger) (*sources, error) {
	client, err := certs.Open(clientOptions(cfg), log)
	if err != nil {
		return nil, config.AsUsage(err)
	}
	peer, err := certs.Open(peerOptions(cfg), log)
	if err != nil {
		return nil, config.AsUsage(err)
	}
	return &sources{client, peer}, nil
}

// watch reads the files again when they change, until ctx ends.
func (s *sources) watch(ctx context.Context) {
	go s.client.Watch(ctx)
	go s.peer.Watch(ctx)
}

// register adds the metrics of the certificates.
func (s *sources) register(metrics *stats.Metrics) {
	metrics.RegisterCertificates("client", certificateSource(s.client))
	metrics.RegisterCertificates("peer", certificateSource(s.peer))
}

func certificateSource(s *certs.Source) stats.CertificateSource {
	return stats.CertificateSource{
		ReloadFailures: s.ReloadFailures,
		Certificates: func() []stats.Certificate {
			var all []stats.Certificate
			for _, e := range s.Expiries() {
				all = append(all, stats.Certificate{Setting: e.Setting, File: e.File, Subject: e.Subject, Expires: e.At})
			}
			return all
		},
	}
}

func clientOptions(cfg *config.Config) certs.Options {
	o := tlsOptions(cfg, &cfg.ClientTLS, autoClientDir, cfg.ListenClientURLs, cfg.ListenMetricsURLs, cfg.AdvertiseClientURLs)
	o.Names = certs.ClientFlags
	return o
}

func peerOptions(cfg *config.Config) certs.Options {
	o := tlsOptions(cfg, &cfg.PeerTLS, autoPeerDir, cfg.ListenPeerURLs, cfg.InitialAdvertisePeerURLs)
	o.Names = certs.PeerFlags
	return o
}

// tlsOptions returns the options of one side. urls are those by which others connect: the first list is listened on.
func tlsOptions(cfg *config.Config, t *config.TLS, dir string, urls ...[]url.URL) certs.Options {
	o := certs.Options{
		Files:      certs.Files{Cert: t.CertFile, Key: t.KeyFile, CA: t.TrustedCAFile, CRL: t.CRLFile},
		ClientAuth: t.ClientCertAuth, AllowedCN: t.AllowedCN, AllowedHostname: t.AllowedHostname,
		CipherSuites: cfg.CipherSuites, MinVersion: cfg.TLSMinVersion, MaxVersion: cfg.TLSMaxVersion,
	}
	dials := t == &cfg.PeerTLS && cfg.MayDialSecurePeers()
	if t.AutoTLS && t.CertFile == "" && (dials || slices.ContainsFunc(slices.Concat(urls...), config.IsSecure)) {
		o.AutoDir, o.AutoHosts = filepath.Join(cfg.DataDir, autoDir, dir), hostsOf(urls)
	}
	return o
}

// forMembers returns the certificates of a proxy for its connections to the client URLs of members: those for clients, or those for
// peers if it has no certificate for clients. The reference does so, too.
func (s *sources) forMembers(cfg *config.Config) *certs.Source {
	if cfg.ClientTLS.CertFile != "" {
		return s.client
	}
	return s.peer
}

// hostsOf returns the hosts in URLs, and the names of this machine, without repetitions.
func hostsOf(urls [][]url.URL) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	for _, u := range slices.Concat(urls...) {
		host := u.Hostname()
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() || slices.Contains(hosts, host) {
			continue
		}
		hosts = append(hosts, host)
	}
	return hosts
}

// peerTLS returns how the certificates of other members are checked; nil if this member does not require any.
func peerTLS(cfg *config.Config, source *certs.Source) *transport.TLS {
	if !source.HasCertificate() && !source.RequiresClientCerts() {
		return nil
	}
	return &transport.TLS{Check: source.CheckPeer, AnyHost: cfg.PeerTLS.AnyHost || peerServerName(cfg) != ""}
}

// peerTLSConfig returns a function that makes the TLS configuration of a new connection to a peer URL.
func peerTLSConfig(cfg *config.Config, source *certs.Source) func() *tls.Config {
	name := peerServerName(cfg)
	return func() *tls.Config {
		c := source.ClientConfig()
		c.ServerName = name
		return c
	}
}

// peerServerName returns the host that must be in the certificates of all members, or "" if it is the host of each peer URL. Someone
// who can change the DNS could let SRV records name other hosts, which have certificates of public CAs. So with SRV records and the
// CAs of the system, the certificates must be for the domain of the records, as in the reference.
func peerServerName(cfg *config.Config) string {
	if cfg.PeerTLS.TrustedCAFile == "" {
		return cfg.DiscoverySRV
	}
	return ""
}
