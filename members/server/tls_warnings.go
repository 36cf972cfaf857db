package server

import (
	"net/url"
	"time"

	"go.uber.org/zap"

	"pando/members/certs"
	"pando/members/config"
)

// warnCertificates logs a warning for each reason for which others do not accept the certificates of a member, or soon will not: a missing
// extended key usage, a missing host, an expiry within 30 days. The member starts in any case, as the reference does.
func warnCertificates(cfg *config.Config, now time.Time, log *zap.Logger) {
	client, peer := clientOptions(cfg), peerOptions(cfg)
	client.CA, client.CRL = "", "" // another CA than that of the clients may have issued the certificate of the server
	warnProblems(client, certs.ForServer, secureHosts(cfg.AdvertiseClientURLs), now, log)
	hosts := secureHosts(cfg.InitialAdvertisePeerURLs)
	if peerServerName(cfg) != "" {
		hosts = nil // the other members do not compare the host
	}
	warnProblems(peer, certs.ForPeer, hosts, now, log)
}

func warnProblems(o certs.Options, use certs.Use, hosts []string, now time.Time, log *zap.Logger) {
	if o.Cert == "" {
		return
	}
	for _, p := range certs.Check(o, use, hosts, now) {
		if p.Severity == certs.Warning {
			log.Warn("some connections over TLS will fail, now or later", zap.Error(p.Err))
		}
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
