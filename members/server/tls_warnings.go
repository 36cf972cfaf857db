package server

import (
	"net/url"

	"go.uber.org/zap"

	"pando/members/certs"
	"pando/members/config"
)

// warnCertificates logs a warning for each reason for which others do not accept the certificates of a member, or soon will not: a missing
// extended key usage, a missing host, an expiry within 30 days. The member starts in any case, as the reference does.
func warnCertificates(cfg *config.Config, certificates *sources, log *zap.Logger) {
	hosts := secureHosts(cfg.InitialAdvertisePeerURLs)
	if peerServerName(cfg) != "" {
		hosts = nil // the other members do not compare the host
	}
	problems := certificates.client.CheckUse(certs.ForServer, secureHosts(cfg.AdvertiseClientURLs))
	for _, p := range append(problems, certificates.peer.CheckUse(certs.ForPeer, hosts)...) {
		log.Warn("some connections over TLS will fail, now or later", zap.Error(p.Err))
	}
}

// secureHosts returns the hosts of the https URLs.
func secureHosts(urls []url.URL) []string {
	var hosts []string
	for _, u := range urls {
		if config.IsSecure(u) && config.SocketPath(u) == "" {
			hosts = append(hosts, u.Hostname())
		}
	}
	return hosts
}
