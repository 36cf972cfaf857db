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

// sources are the certificates and CAs of a process for each side. Neither is nil, even if the process serves no TLS, because
// connections to https URLs need CAs.
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
	o := tlsOptions(cfg, &cfg.ClientTLS, autoClientDir, false, cfg.ListenClientURLs, cfg.ListenMetricsURLs, cfg.AdvertiseClientURLs)
	o.Names = certs.ClientFlags
	return o
}

func peerOptions(cfg *config.Config) certs.Options {
	o := tlsOptions(cfg, &cfg.PeerTLS, autoPeerDir, cfg.MayDialSecurePeers(), cfg.ListenPeerURLs, cfg.InitialAdvertisePeerURLs)
	o.Names = certs.PeerFlags
	return o
}

// tlsOptions returns the options of one side. urls are the URLs by which others connect to it. dials says that the side also needs a
// certificate for the connections that it opens. dir is the directory of a self-signed certificate.
func tlsOptions(cfg *config.Config, t *config.TLS, dir string, dials bool, urls ...[]url.URL) certs.Options {
	o := certs.Options{
		Files:      certs.Files{Cert: t.CertFile, Key: t.KeyFile, CA: t.TrustedCAFile, CRL: t.CRLFile},
		ClientAuth: t.ClientCertAuth, AllowedCN: t.AllowedCN, AllowedHostname: t.AllowedHostname,
		CipherSuites: cfg.CipherSuites, MinVersion: cfg.TLSMinVersion, MaxVersion: cfg.TLSMaxVersion,
	}
	if t.AutoTLS && t.CertFile == "" && (dials || slices.ContainsFunc(slices.Concat(urls...), config.IsSecure)) {
		o.AutoDir, o.AutoHosts = filepath.Join(cfg.DataDir, autoDir, dir), hostsOf(urls)
	}
	return o
}

// forMembers returns the certificates that a proxy uses for its connections to the client URLs of members. As in the reference, they are
// those of the client side, or those of the peer side if the client side has no certificate.
func (s *sources) forMembers(cfg *config.Config) *certs.Source {
	if cfg.ClientTLS.CertFile != "" {
		return s.client
	}
	return s.peer
}

// hostsOf returns the names of this machine and the hosts in the URLs, without duplicates.
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

// peerTLS returns the check of the certificates of other members; nil if this member has no peer certificate and no peer CA.
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

// peerServerName returns the host that the certificates of all members must have, or "" if each certificate must have the host of its
// peer URL. An attacker who can change the DNS could make SRV records name hosts that have certificates of public CAs. So with SRV
// records and the CAs of the system, the certificates must have the domain of the records, as in the reference.
func peerServerName(cfg *config.Config) string {
	if cfg.PeerTLS.TrustedCAFile == "" {
		return cfg.DiscoverySRV
	}
	return ""
}
