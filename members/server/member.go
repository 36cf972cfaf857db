package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"pando/docs/openapi"
	"pando/httpapi"
	"pando/httpapi/audit"
	"pando/httpapi/proxy"
	"pando/httpapi/service"
	"pando/httpapi/ui"
	"pando/members"
	"pando/members/certs"
	"pando/members/config"
	"pando/members/server/systemd"
	"pando/members/server/tuning"
	"pando/raft"
	"pando/raft/offline"
	"pando/raft/transport"
	"pando/stats"
	"pando/storage"
	"pando/tree"
)

// Time limits without a flag.
const (
	// BodyTimeout is how long a client may take to send the body of a request.
	BodyTimeout = 30 * time.Second
	// shutdownTimeout is how long requests may take to end after a signal. The last
	// checkpoint is written after that. Requests and checkpoint together must take less
	// than 5 s.
	shutdownTimeout = 2 * time.Second
	// requestTimeout, added to two election timeouts, is how long a write may wait for the
	// log. It is long enough for an election.
	requestTimeout = 5 * time.Second
)

// serveMember runs a member until ctx ends or the member fails. When it returns, everything
// is closed and on disk.
func serveMember(ctx context.Context, cfg *config.Config, s *systemd.Service, log *zap.Logger) error {
	shares, err := memberShares(openFilesLimit()).withMaxConnections(cfg)
	if err != nil {
		return err
	}
	certificates, err := openSources(cfg, log)
	if err != nil {
		return err
	}
	listeners, err := listen(cfg, certificates)
	if err != nil {
		return err
	}
	defer listeners.close()
	watching, stopWatching := context.WithCancel(context.Background())
	defer stopWatching()
	certificates.watch(watching)
	logListening(listeners.bound(cfg), log)
	warnCertificates(cfg, certificates, log)
	cfg = fitToMemory(cfg, tuning.Memory(log, cfg.DisabledTuning))
	processors := tuning.Processors(cfg.DisabledTuning)
	metrics := newMetrics()
	certificates.register(metrics)
	recorder, stopAudit, err := openAudit(cfg, metrics, s, log)
	if err != nil {
		return err
	}
	defer stopAudit()
	serving := serverConfig(cfg, shares, metrics, log)
	serving.NoUsers, serving.ReadyChecks = foundsCluster(cfg), service.ReadyCheckNames(cfg.QuotaBytes)
	server := httpapi.NewServer(serving)
	defer server.Close()
	failed := server.Serve(listeners.Listeners)
	defer reportStart(cfg, s)()
	m, err := openMeanwhile(ctx, failed, func(ctx context.Context) (*member, error) {
		return openMember(ctx, cfg, certificates.peer, metrics, log)
	})
	if err != nil {
		shutDown(server, log)
		return err
	}
	defer m.close()
	source := newForwarder(cfg, certificates.client, log)
	server.Open(m.api(serving, cfg, source, processors, recorder).Handlers(m.node.RegisterPeer))
	go announceWhenReady(listeners.bound(cfg), m, log)
	go m.reportState(watching, s)
	select {
	case err = <-failed:
	case <-m.node.Done():
		err = m.node.Err()
	case <-ctx.Done():
		log.Info("shutting down: requests end, then a last checkpoint is written")
	}
	shutDown(server, log)
	return err
}

// foundsCluster reports whether the member has no data and founds a new cluster.
func foundsCluster(cfg *config.Config) bool {
	exists, err := hasData(cfg)
	return err == nil && !exists && cfg.InitialClusterState != config.ClusterExisting
}

// serverConfig returns the configuration of a member's HTTP server. A proxy uses it with DetectClose.
func serverConfig(cfg *config.Config, s shares, metrics *stats.Metrics, log *zap.Logger) httpapi.Config {
	return httpapi.Config{
		StartTimeout: requestLimit(cfg), Metrics: metrics, Versions: versions(),
		CORS: cfg.CORS, HostWhitelist: cfg.HostWhitelist, HideMetrics: httpapi.Switch(!cfg.MetricsOnClientURLs),
		Limits:         httpapi.NewLimits(operationLimit(cfg.MaxInflightRequests, s), operationLimit(cfg.MaxWatches, s), metrics),
		MaxHeaderBytes: cfg.MaxHeaderBytes,
		BodyTimeout:    BodyTimeout, StallTimeout: cfg.ClientStallTimeout, Pprof: httpapi.Switch(cfg.EnablePprof),
		Description: openapi.Handler(), UI: page(cfg),
		Connections: httpapi.ConnectionLimits{Client: s.clients, Peer: s.peers, Metrics: s.metrics}, Logger: log,
	}
}

// page returns the handler of the page for people; nil with --ui=off.
func page(cfg *config.Config) http.Handler {
	switch cfg.UI {
	case config.UIOff:
		return nil
	case config.UIReadOnly:
		return ui.Handler(ui.ReadOnly)
	}
	return ui.Handler(ui.ReadWrite)
}

// operationLimit returns the limit of the requests in flight, or of the open watches. set is the value of its flag, 0 if it is not set.
func operationLimit(set int, s shares) int {
	if set > 0 {
		return set
	}
	return max(s.clients, config.DefaultMaxOperations)
}

// shutDown waits for the requests of clients, and logs if some connections had to be closed.
func shutDown(server *httpapi.Server, log *zap.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	start := time.Now()
	if err := server.Shutdown(ctx); err != nil {
		log.Warn("requests were cut off", zap.Duration("after", time.Since(start)), zap.Error(err))
	}
}

// openMeanwhile calls open, for a member or a proxy, while the sockets are served. When ctx
// ends, open stops waiting for other members. It does not stop reading a member's data, so
// openMeanwhile returns after shutdownTimeout even if open has not returned. The end of the
// process then ends open as a crash would.
func openMeanwhile[T any](ctx context.Context, failed <-chan error, open func(context.Context) (T, error)) (T, error) {
	type result struct {
		opened T
		err    error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan result, 1)
	go func() {
		opened, err := open(ctx)
		done <- result{opened, err}
	}()
	var none T
	select {
	case r := <-done:
		return r.opened, r.err
	case err := <-failed:
		return none, err
	case <-ctx.Done():
	}
	select {
	case r := <-done:
		return r.opened, r.err
	case <-time.After(shutdownTimeout):
		return none, ctx.Err()
	}
}

// announceWhenReady announces the addresses of the member when it is ready.
func announceWhenReady(cfg *config.Config, m *member, log *zap.Logger) {
	select {
	case <-m.node.Ready():
	case <-m.node.Done():
		return
	}
	view := m.node.Tree().View()
	announce(cfg, log, banner(cfg, m.identity.MemberID, m.identity.ClusterID, view.Mirror() != nil),
		zap.Stringer("member", members.ID(m.identity.MemberID)), zap.Stringer("cluster", members.ID(m.identity.ClusterID)))
	users := view.Users()
	warnExposed(cfg, anonymousAccess(users.Enabled(), users.OpenToGuests()), log)
	// Loading a checkpoint and replaying a log leave garbage of twice their size.
	time.AfterFunc(time.Second, debug.FreeOSMemory)
}

// member is a running replica, its disk and its observer.
type member struct {
	identity storage.Identity
	disk     *storage.Disk
	node     *raft.Node
	observer *observer
}

// openMember opens or creates the data of the member, and starts the replica.
func openMember(
	ctx context.Context, cfg *config.Config, certificates *certs.Source, metrics *stats.Metrics, log *zap.Logger,
) (*member, error) {
	defer tuning.Loading()()
	client := transport.NewClient(peerTLSConfig(cfg, certificates))
	options := storage.Options{
		DataDir: cfg.DataDir, WALDir: cfg.WALDir, HistorySize: cfg.HistorySize,
		Logger: log.Named("storage"), ObserveSync: metrics.WALFsync,
	}
	disk, recovered, boot, err := openDisk(ctx, cfg, client, options, log)
	if err != nil {
		return nil, err
	}
	recovered.Store.SetHistoryLimits(tree.HistoryLimits{
		RemovedBytes: cfg.HistoryRemovedBytes, ScopeBytes: cfg.HistoryScopeBytes,
	})
	recovered.Store.SetResultLimit(cfg.MaxResponseBytes)
	id := recovered.Identity
	o := &observer{
		self:    members.ID(id.MemberID),
		metrics: metrics,
		server:  stats.NewServer(cfg.Name, id.MemberID, time.Now),
		leader:  stats.NewLeader(id.MemberID),
	}
	node, err := raft.Start(raft.Config{
		Disk:          disk,
		Recovered:     recovered,
		Bootstrap:     boot.founders,
		Peers:         boot.peers,
		Contacts:      contacts(cfg),
		PeerClient:    client,
		PeerTLS:       peerTLS(cfg, certificates),
		Registry:      members.NewRegistry(members.ID(id.ClusterID)),
		Name:          cfg.Name,
		ClientURLs:    config.URLStrings(cfg.AdvertiseClientURLs),
		Tick:          cfg.HeartbeatInterval,
		ElectionTicks: int(cfg.ElectionTimeout / cfg.HeartbeatInterval),
		SnapshotCount: int(cfg.SnapshotCount),
		AuditInterval: cfg.ConsistencyCheckInterval,
		Timeout:       requestLimit(cfg),
		RequestBytes:  cfg.RequestBytes(),
		CatchUpBytes:  cfg.CatchUpBytes,
		HistoryBytes:  cfg.HistoryBytes,

		HistoryPeriod:    cfg.HistoryPeriod(),
		HistoryRevisions: cfg.HistoryRevisions(),

		Logger:   log,
		Observer: o.hooks(),
	})
	if err != nil {
		return nil, errors.Join(err, disk.Close())
	}
	certificates.OnChange(node.RecheckCertificates)
	m := &member{identity: id, disk: disk, node: node, observer: o}
	if err := metrics.Register(m.gauges(cfg)); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// openDisk opens the data directory, or creates the data of a new member and returns its bootstrap.
func openDisk(
	ctx context.Context, cfg *config.Config, client *http.Client, o storage.Options, log *zap.Logger,
) (*storage.Disk, *storage.Recovered, *bootstrap, error) {
	exists, err := storage.Exists(o)
	if err != nil {
		return nil, nil, nil, err
	}
	if exists {
		return reopenDisk(ctx, cfg, client, o, log)
	}
	if cfg.ForceNewCluster {
		return nil, nil, nil, config.AsUsage(offline.NothingToForce(cfg.DataDir))
	}
	boot, err := findCluster(ctx, cfg, client, log)
	if err != nil {
		return nil, nil, nil, err
	}
	disk, err := storage.Create(o, boot.identity)
	if err != nil {
		return nil, nil, nil, err
	}
	return disk, storage.EmptyRecovered(boot.identity, o.HistorySize), boot, nil
}

// reopenDisk opens existing data. If the process was killed after it had created the data and
// before the first append, the member starts as a new one, with the identity in the data.
func reopenDisk(
	ctx context.Context, cfg *config.Config, client *http.Client, o storage.Options, log *zap.Logger,
) (*storage.Disk, *storage.Recovered, *bootstrap, error) {
	disk, recovered, err := storage.Open(o)
	if err != nil {
		return nil, nil, nil, err
	}
	boot := &bootstrap{}
	if err := offline.SkipLogEntry(recovered, raft.EntryID(cfg.SkipLogEntry), log); err != nil {
		return nil, nil, nil, errors.Join(err, disk.Close())
	}
	switch {
	case cfg.ForceNewCluster:
		err = offline.ForceNewCluster(ctx, disk, recovered, client, log)
	case recovered.Applied == 0 && len(recovered.Entries) == 0 && recovered.HardState.GetTerm() == 0:
		boot, err = findCluster(ctx, cfg, client, log)
		if err == nil && boot.identity != recovered.Identity {
			err = fmt.Errorf("%w: %s was created for another member or cluster, and never used; "+
				"give the flags that it was created with, or delete it", storage.ErrForeign, cfg.DataDir)
		}
	}
	if err != nil {
		return nil, nil, nil, errors.Join(err, disk.Close())
	}
	return disk, recovered, boot, nil
}

// close stops the replica, which writes a last checkpoint, and closes the disk.
func (m *member) close() {
	m.node.Stop()
	_ = m.disk.Close() // an error does not matter: everything is synced
}

// api returns the handlers of the member for a server with the configuration serving.
func (m *member) api(
	serving httpapi.Config, cfg *config.Config, source *proxy.Forwarder, processors int, recorder audit.Recorder,
) *httpapi.Member {
	return httpapi.NewMember(httpapi.MemberConfig{
		Config: serving,
		Service: service.Config{
			Log:               m.node,
			Leases:            m.node,
			Cluster:           m.node,
			Snapshots:         m.node,
			Backend:           newBackend(m, cfg.DataDir),
			Tree:              m.node.Tree(),
			Members:           m.node.Members(),
			Self:              m.observer.self,
			Stats:             m.observer.server,
			Leader:            m.observer.leader,
			Ready:             m.node.Ready(),
			ReadyTimeout:      serving.StartTimeout,
			CheckpointFailing: m.node.CheckpointFailing,
			DatabaseBytes:     m.disk.Size,
			QuotaBytes:        cfg.QuotaBytes,
			ResponseBytes:     cfg.MaxResponseBytes,
			Pins: service.PinLimits{
				Views: cfg.MaxPinnedViews, Bytes: cfg.MaxPinnedBytes, Idle: cfg.PinnedViewTimeout,
			},
			Audit: recorder,
		},
		Source:             source,
		SourceTimeout:      sourceTimeout(cfg),
		ClientCertificates: cfg.ClientTLS.ClientCertAuth,
		MaxFailedLogins:    cfg.MaxFailedLogins,
		AuthTokenTTL:       cfg.AuthTokenTTL,
		BcryptPasswords:    cfg.PasswordHash == config.PasswordBcrypt,
		MaxRequestBytes:    cfg.MaxRequestBytes,
		MaxInflightBytes:   cfg.MaxInflightBytes,
		Processors:         processors,
		GRPC:               grpcLimits(cfg),
		ElectionTimeout:    cfg.ElectionTimeout,

		WatchProgressInterval: cfg.WatchProgressInterval,
	})
}

// grpcLimits returns the limits of a connection of gRPC.
func grpcLimits(cfg *config.Config) httpapi.GRPCLimits {
	return httpapi.GRPCLimits{
		RequestBytes: cfg.RequestBytes(), TxnOps: cfg.MaxTxnOps, Streams: cfg.MaxConcurrentStreams,
		Bytes:       cfg.MaxGRPCBytes,
		PingMinTime: cfg.GRPCKeepAliveMinTime, PingInterval: cfg.GRPCKeepAliveInterval, PingTimeout: cfg.GRPCKeepAliveTimeout,
		StallTimeout: cfg.ClientStallTimeout, MessageTimeout: BodyTimeout, HeaderBytes: uint32(min(cfg.MaxHeaderBytes, math.MaxInt32)),
	}
}

// requestLimit is how long a request may wait: for its entry, for a quorum read, or until the member serves.
func requestLimit(cfg *config.Config) time.Duration { return requestTimeout + 2*cfg.ElectionTimeout }

func newMetrics() *stats.Metrics {
	return stats.NewMetrics(stats.Build{Version: stats.Version, APIVersion: stats.APILevel})
}

func versions() httpapi.Versions {
	return httpapi.Versions{Server: stats.APILevel, Cluster: stats.ClusterAPILevel(), Pando: stats.Version}
}
