package server

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"pando/httpapi"
	"pando/httpapi/proxy"
	"pando/members"
	"pando/members/config"
	"pando/members/server/systemd"
	"pando/members/server/tuning"
	"pando/raft/transport"
	"pando/stats"
)

// serveProxy runs a proxy until ctx ends or the proxy fails. If discovery has found the members of the cluster, known
// has them.
func serveProxy(ctx context.Context, cfg *config.Config, known []members.Member, s *systemd.Service, log *zap.Logger) error {
	asProxy := *cfg
	asProxy.ListenPeerURLs = nil // members do not connect to a proxy
	shares, err := proxyShares(openFilesLimit()).withMaxConnections(cfg)
	if err != nil {
		return err
	}
	certificates, err := openSources(&asProxy, log)
	if err != nil {
		return err
	}
	listeners, err := listen(&asProxy, certificates)
	if err != nil {
		return err
	}
	defer listeners.close()
	watching, stopWatching := context.WithCancel(context.Background())
	defer stopWatching()
	certificates.watch(watching)
	if cfg.AuditLog != "" {
		log.Warn("--audit-log has no effect: a proxy records nothing; the members record the requests that it passes on")
	}
	logListening(listeners.bound(&asProxy), log)
	tuning.Memory(log, cfg.DisabledTuning)
	metrics := newMetrics()
	certificates.register(metrics)
	serving := serverConfig(cfg, shares, metrics, log)
	serving.DetectClose, serving.ReadyChecks = true, proxy.ReadyCheckNames
	requests, endRequests := context.WithCancel(context.Background())
	defer endRequests()
	serving.BaseContext = requests
	server := httpapi.NewServer(serving)
	defer server.Close()
	failed := server.Serve(listeners.Listeners)
	defer reportStart(cfg, s)()
	p, err := openMeanwhile(ctx, failed, func(ctx context.Context) (*proxy.Proxy, error) {
		return newProxy(ctx, cfg, certificates, known, shares.idle, metrics, log.Named("proxy"))
	})
	if err != nil {
		shutDown(server, log)
		return err
	}
	certificates.forMembers(cfg).OnChange(p.CloseIdleConnections)
	following, stopFollowing := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { p.Run(following) })
	defer done.Wait()
	defer stopFollowing()
	server.Open(httpapi.Handlers{Client: p.Handler(), Metrics: p.MetricsHandler(), GRPC: p.NewGRPC(grpcLimits(cfg))})
	s.Ready()
	s.Status("serves as a proxy")
	announce(&asProxy, log, proxyBanner(listeners.bound(&asProxy)), zap.String("proxy", cfg.Proxy))
	warnExposed(listeners.bound(&asProxy), "", log) // a proxy has no users: the members warn about missing auth
	select {
	case err = <-failed:
	case <-ctx.Done():
		log.Info("shutting down: waiting for the requests in flight")
	}
	// Long polls are ended after half of the time, so that other requests can end by themselves.
	timer := time.AfterFunc(shutdownTimeout/2, endRequests)
	defer timer.Stop()
	shutDown(server, log)
	return err
}

// newProxy finds the cluster and returns a proxy of it.
func newProxy(
	ctx context.Context, cfg *config.Config, certificates *sources, known []members.Member, maxIdle int, metrics *stats.Metrics,
	log *zap.Logger,
) (*proxy.Proxy, error) {
	peerURLs := []string{}
	for _, m := range known {
		peerURLs = append(peerURLs, m.PeerURLs...)
	}
	kept, err := exists(clusterFile(cfg))
	if err != nil {
		return nil, err
	}
	if len(peerURLs) == 0 && (!kept || cfg.Discovery == "") {
		found, err := clusterPeerURLs(ctx, cfg, log)
		if err != nil && !kept { // a proxy with a kept list does not need the flags
			return nil, err
		}
		peerURLs = found
	}
	mode := proxy.ReadWrite
	if cfg.Proxy == config.ProxyReadOnly {
		mode = proxy.ReadOnly
	}
	return proxy.New(proxy.Config{
		Mode:            mode,
		PeerURLs:        peerURLs,
		ClusterFile:     clusterFile(cfg),
		PeerClient:      transport.NewClient(peerTLSConfig(cfg, certificates.peer)),
		NewTLSConfig:    certificates.forMembers(cfg).ClientConfig,
		FailureWait:     cfg.ProxyFailureWait,
		RefreshInterval: cfg.ProxyRefreshInterval,
		DialTimeout:     cfg.ProxyDialTimeout,
		WriteTimeout:    cfg.ProxyWriteTimeout,
		ReadTimeout:     cfg.ProxyReadTimeout,
		BodyTimeout:     BodyTimeout,
		MaxIdle:         maxIdle,
		CORS:            httpapi.WithCORS(cfg.CORS, metrics),
		Metrics:         metrics.Handler(),
		HideMetrics:     !cfg.MetricsOnClientURLs,
		UI:              page(cfg),
		Logger:          log,
	})
}

// proxyBanner returns the text that a proxy prints when it serves.
func proxyBanner(cfg *config.Config) string {
	var b strings.Builder
	what := "proxy"
	if cfg.Proxy == config.ProxyReadOnly {
		what = "read-only proxy"
	}
	fmt.Fprintf(&b, "Pando %s: %s %s, a member of no cluster\n", stats.Version, what, cfg.Name)
	fmt.Fprintf(&b, "  clients  %s\n", strings.Join(config.URLStrings(cfg.ListenClientURLs), ", "))
	if len(cfg.ListenMetricsURLs) > 0 {
		fmt.Fprintf(&b, "  metrics  %s\n", strings.Join(config.URLStrings(cfg.ListenMetricsURLs), ", "))
	}
	fmt.Fprintf(&b, "  data     %s\n", cfg.DataDir)
	fmt.Fprintf(&b, "Try it:\n")
	fmt.Fprintf(&b, "  %s/v2/keys/message\n", curlCommand(cfg))
	return b.String()
}
