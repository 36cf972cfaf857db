package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"go.uber.org/zap"

	"pando/members"
	"pando/members/config"
	"pando/members/server/systemd"
	"pando/storage"
)

// Serve runs a member or a proxy, depending on the flags and the data directory, until ctx ends or it fails. When it
// returns, everything is closed and on disk. It reports its state to s.
func Serve(ctx context.Context, cfg *config.Config, s *systemd.Service, log *zap.Logger) error {
	stopReporting := context.AfterFunc(ctx, s.Stopping)
	defer func() {
		if !stopReporting() {
			s.Stopping() // returns when the message is sent; the process may end before the goroutine of AfterFunc runs
		}
	}()
	if err := checkLimits(cfg); err != nil {
		return config.AsUsage(err)
	}
	role, err := findRole(cfg, log)
	if err != nil {
		return err
	}
	if role == asProxy {
		return serveProxy(ctx, cfg, nil, s, log)
	}
	err = serveMember(ctx, cfg, s, log)
	full, ok := errors.AsType[*members.FullError](err)
	switch {
	case !ok:
		return err
	case cfg.DiscoveryFallback == config.FallbackExit:
		return fmt.Errorf("%w: its members have registered at --discovery before this one; to add this one to the running cluster, "+
			"add it with etcdctl member add and start it with --initial-cluster and --initial-cluster-state existing", err)
	}
	log.Warn("the discovered cluster is full: this process serves as a proxy of it, now and after further starts (--discovery-fallback)")
	return serveProxy(ctx, cfg, full.Members, s, log)
}

// role is what a process runs: a member or a proxy.
type role int

const (
	asMember role = iota
	asProxy
)

// clusterFile is the file in which a proxy stores the peer URLs of its cluster.
func clusterFile(cfg *config.Config) string { return filepath.Join(cfg.DataDir, "proxy", "cluster") }

// findRole returns the role of the data directory, as the reference does. A directory without data has no role: then
// findRole returns the role of the flags.
func findRole(cfg *config.Config, log *zap.Logger) (role, error) {
	wasProxy, err := exists(filepath.Dir(clusterFile(cfg)))
	if err != nil {
		return asMember, err
	}
	isMember, err := hasData(cfg)
	switch {
	case err != nil && !(wasProxy && errors.Is(err, storage.ErrForeign)): // for package storage a proxy's directory is foreign
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

// hasData reports whether the data directory has the data of a member.
func hasData(cfg *config.Config) (bool, error) {
	return storage.Exists(storage.Options{DataDir: cfg.DataDir, WALDir: cfg.WALDir, HistorySize: cfg.HistorySize})
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return false, nil
	}
	return err == nil, err
}
