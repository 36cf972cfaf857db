package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"

	"pando/members"
	"pando/members/certs"
	"pando/members/config"
)

// discovery returns the bootstrap by --discovery.
func discovery(cfg *config.Config, log *zap.Logger) (members.Discovery, error) {
	log = log.Named("discovery")
	secure, err := discoveryTLSConfig(cfg)
	if err != nil {
		return members.Discovery{}, err
	}
	// There is no timeout for an answer, because some requests wait for other members.
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSClientConfig:     secure,
		TLSHandshakeTimeout: 5 * time.Second,
	}
	if proxy, err := url.Parse(cfg.DiscoveryProxy); err == nil && cfg.DiscoveryProxy != "" {
		transport.Proxy = http.ProxyURL(proxy)
	}
	return members.Discovery{
		URL:      cfg.Discovery,
		Name:     cfg.Name,
		PeerURLs: config.URLStrings(cfg.InitialAdvertisePeerURLs),
		Client:   &http.Client{Transport: transport},
		Waiting: func(registered, size int) {
			log.Info("waiting for the other members to register", zap.Int("registered", registered), zap.Int("size", size))
		},
		Retrying: func(err error, pause time.Duration) {
			log.Warn("the discovery URL can't be used now; trying again", zap.Duration("after", pause), zap.Error(err))
		},
	}, nil
}

// srv returns the bootstrap by --discovery-srv.
func srv(cfg *config.Config) members.SRV {
	return members.SRV{
		Domain:      cfg.DiscoverySRV,
		ServiceName: cfg.DiscoverySRVName,
		Name:        cfg.Name,
		PeerURLs:    config.URLStrings(cfg.InitialAdvertisePeerURLs),
		Token:       cfg.InitialClusterToken,
	}
}

// clusterPeerURLs returns the peer URLs of all members, from the flags, discovery or DNS records. A proxy uses it.
func clusterPeerURLs(ctx context.Context, cfg *config.Config, log *zap.Logger) ([]string, error) {
	var urls []string
	switch {
	case cfg.Discovery != "":
		d, err := discovery(cfg, log)
		if err != nil {
			return nil, err
		}
		c, err := d.Find(ctx)
		for _, m := range c.Members {
			urls = append(urls, m.PeerURLs...)
		}
		return urls, err
	case cfg.DiscoverySRV != "":
		return srv(cfg).PeerURLsOf(ctx)
	}
	for _, list := range cfg.InitialCluster {
		urls = append(urls, list...)
	}
	return urls, nil
}

// discoveryTLSConfig returns the TLS configuration for the discovery service. It trusts the CAs of the system and those of
// --peer-trusted-ca-file. It does not have the certificate of the member, because the service may belong to others.
func discoveryTLSConfig(cfg *config.Config) (*tls.Config, error) {
	file := cfg.PeerTLS.TrustedCAFile
	if file == "" {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // this system has no CAs
	}
	authorities, err := certs.ReadCertificates(file)
	if err != nil {
		return nil, fmt.Errorf("--peer-trusted-ca-file: %w", err)
	}
	for _, c := range authorities {
		pool.AddCert(c)
	}
	return &tls.Config{RootCAs: pool, MinVersion: cfg.TLSMinVersion, MaxVersion: cfg.TLSMaxVersion}, nil
}
