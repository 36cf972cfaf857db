package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"pando/httpapi"
	"pando/httpapi/proxy"
	"pando/members"
	"pando/members/config"
	"pando/members/server/tuning"
	"pando/raft/transport"
	"pando/stats"
	"pando/storage"
)

// Serve runs a member or a proxy, depending on the flags and the data directory, until ctx ends or it fails. When it
// returns, everything is closed and on disk.
func Serve(ctx context.Context, cfg *config.Config, log *zap.Logger) error {
	if err := checkLimits(cfg); err != nil {
		return config.AsUsage(err)
	}
	role, err := findRole(cfg, log)
	if err != nil {
		return err
	}
	if role == asProxy {
		return serveProxy(ctx, cfg, nil, log)
	}
	err = serveMember(ctx, cfg, log)
	full, ok := errors.AsType[*members.FullError](err)
	switch {
	case !ok:
		return err
	case cfg.DiscoveryFallback == config.FallbackExit:
		return fmt.Errorf("%w: its members have registered at --discovery before this one; to add this one to the running cluster, "+
			"add it with etcdctl member add and start it with --initial-cluster and --initial-cluster-state existing", err)
	}
	log.Warn("the discovered cluster is full: this process serves as a proxy of it, now and after further starts (--discovery-fallback)")
	return serveProxy(ctx, cfg, full.Members, log)
}

// role says what a process runs.
type role int

const (
	asMember role = iota
	asProxy
)

// clusterFile is the file in which a proxy stores the peer URLs of its cluster.
func clusterFile(cfg *config.Config) string { return filepath.Join(cfg.DataDir, "proxy", "cluster") }

// findRole returns the role of the data directory if it has one, as in the reference, or else that of the flags.
func findRole(cfg *config.Config, log *zap.Logger) (role, error) {
	wasProxy, err := exists(filepath.Dir(clusterFile(cfg)))
	if err != nil {
		return asMember, err
	}
	isMember, err := storage.Exists(storage.Options{DataDir: cfg.DataDir, WALDir: cfg.WALDir, HistorySize: cfg.HistorySize})
	switch {
	case err != nil && !(wasProxy && errors.Is(err, storage.ErrForeign)): // package storage does not know the directory of a proxy
		return asMember, err
	case isMember && wasProxy:
		return asMember, fmt.Errorf("%w: %s holds data of a member and of a proxy; move the directory proxy away to go on as the member",
			storage.ErrForeign, cfg.DataDir)
	case isMember && cfg.Proxy != config.ProxyOff:
		log.Warn("--proxy has no effect: the data directory holds a member's data; give a proxy another --data-dir",
			zap.String("data-dir", cfg.DataDir))
	case wasProxy && cfg.Proxy == config.ProxyOff:
		log.Warn("the data directory is that of a proxy, so this process is a proxy; for a member give another --data-dir or remove this one",
			zap.String("data-dir", cfg.DataDir))
	}
	switch {
	case isMember:
		return asMember, nil
	case wasProxy || cfg.Proxy != config.ProxyOff:
		return asProxy, nil
	}
	return asMember, config.AsUsage(cfg.CheckFounding())
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return false, nil
	}
	return err == nil, err
}

// serveProxy runs a proxy. known are the members of the cluster if discovery has found them.
func serveProxy(ctx context.Context, cfg *config.Config, known []members.Member, log *zap.Logger) error {
	asProxy := *cfg
	asProxy.ListenPeerURLs = nil // members do not connect to a proxy
	shares, err := proxyShares(openFilesLimit()).chosen(cfg)
	if err != nil {
		return err
	}
	listeners, err := listen(&asProxy)
	if err != nil {
		return err
	}
	defer listeners.close()
	logListening(listeners.bound(&asProxy), log)
	tuning.Memory(log, cfg.DisabledTuning)
	metrics := newMetrics()
	serving := serverConfig(cfg, shares, metrics, log)
	serving.StallTimeout = 0
	requests, endRequests := context.WithCancel(context.Background())
	defer endRequests()
	serving.BaseContext = requests
	server := httpapi.NewServer(serving)
	defer server.Close()
	failed := server.Serve(listeners.Listeners)
	p, err := openMeanwhile(ctx, failed, func(ctx context.Context) (*proxy.Proxy, error) {
		return newProxy(ctx, cfg, known, shares.idle, metrics.Handler(), log.Named("proxy"))
	})
	if err != nil {
		shutDown(server, log)
		return err
	}
	following, stopFollowing := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { p.Run(following) })
	defer done.Wait()
	defer stopFollowing()
	server.Open(httpapi.Handlers{Client: p.Handler(), Observation: p.Observation()})
	announce(&asProxy, log, proxyBanner(listeners.bound(&asProxy)), zap.String("proxy", cfg.Proxy))
	select {
	case err = <-failed:
	case <-ctx.Done():
		log.Info("shutting down: requests under way end")
	}
	// Long polls are ended after half of the time, so that other requests can end by themselves.
	timer := time.AfterFunc(shutdownTimeout/2, endRequests)
	defer timer.Stop()
	shutDown(server, log)
	return err
}

// newProxy finds the cluster and makes the proxy.
func newProxy(
	ctx context.Context, cfg *config.Config, known []members.Member, maxIdle int, metrics http.Handler, log *zap.Logger,
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
		if err != nil && !kept { // with a list that was kept the flags are not needed
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
		PeerClient:      transport.NewClient(nil),
		FailureWait:     cfg.ProxyFailureWait,
		RefreshInterval: cfg.ProxyRefreshInterval,
		DialTimeout:     cfg.ProxyDialTimeout,
		WriteTimeout:    cfg.ProxyWriteTimeout,
		ReadTimeout:     cfg.ProxyReadTimeout,
		BodyTimeout:     BodyTimeout,
		MaxIdle:         maxIdle,
		CORS:            cfg.CORS,
		Metrics:         metrics,
		Logger:          log,
	})
}

// proxyBanner is the text that a proxy prints when it serves.
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
	fmt.Fprintf(&b, "  curl %s/v2/keys/message\n", strings.Join(config.URLStrings(config.Dialable(cfg.ListenClientURLs))[:1], ""))
	return b.String()
}
