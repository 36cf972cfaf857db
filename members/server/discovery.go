package server

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"

	"pando/members"
	"pando/members/config"
)

// discovery returns the bootstrap by --discovery.
func discovery(cfg *config.Config, log *zap.Logger) members.Discovery {
	log = log.Named("discovery")
	// There is no timeout for an answer, because some requests wait for other members.
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
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
	}
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
		c, err := discovery(cfg, log).Find(ctx)
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
