package config

import (
	"crypto/tls"
	"io"
	"math"
	"net/url"
	"time"

	"go.uber.org/zap/zapcore"
)

// Bounds and defaults that are used in more than one place.
const (
	defaultName            = "default"
	DefaultClientURL       = "http://localhost:2379"
	DefaultPeerURL         = "http://localhost:2380"
	defaultClusterToken    = "etcd-cluster"
	defaultSnapshotCount   = 100_000
	DefaultMaxRequestBytes = 10 << 20 // the limit of the reference, which counts the escapes of a form
	DefaultMaxInflight     = 256 << 20
	DefaultMaxGRPC         = 256 << 20
	DefaultMaxPinned       = 256 << 20
	DefaultMaxOperations   = 50_000
	defaultMaxHeaderBytes  = 1 << 20
	minMaxHeaderBytes      = 4 << 10
	DefaultHistorySize     = 1000
	DefaultHistoryBytes    = 256 << 20
	DefaultMaxResponse     = 512 << 20
	DefaultHistoryRemoved  = 16 << 20
	defaultHeartbeat       = 100 * time.Millisecond
	defaultElection        = 1000 * time.Millisecond
	defaultConsistency     = time.Minute
	defaultStallTimeout    = 30 * time.Second
	defaultPinnedViews     = 16
	defaultPinTimeout      = time.Minute

	DataDirSuffix       = ".pando"
	maxElectionTimeout  = 50 * time.Second
	electionHeartbeats  = 5 // an election timeout is at least this many heartbeats
	maxHistorySize      = 10_000_000
	maxCatchUpBytes     = 64 << 30
	MinMaxInflight      = 1 << 20
	MinMaxGRPC          = 4 << 20
	MaxRequestLimit     = 512 << 20 // the limit of package raft for the longest election timeout
	minStallTimeout     = 100 * time.Millisecond
	minPinTimeout       = time.Second
	minProgressInterval = 100 * time.Millisecond
	minProxyRefresh     = 100 * time.Millisecond
	warnMaxRequestBytes = 10 << 20 // above it one request delays all others, and there is a warning
)

// Values of Config.LogFormat.
const (
	logFormatConsole = "console" // time, level, message, key=value
	LogFormatJSON    = "json"    // one JSON object per line
)

// Values of Config.InitialClusterState.
const (
	clusterNew      = "new"      // start a cluster
	ClusterExisting = "existing" // join a running cluster
)

// Values of Config.DiscoveryFallback.
const (
	FallbackExit  = "exit"  // end with an error
	fallbackProxy = "proxy" // serve as a proxy
)

// Values of Config.Proxy.
const (
	ProxyOff      = "off"      // be a member
	proxyOn       = "on"       // pass all requests on
	ProxyReadOnly = "readonly" // pass on GET only
)

// The values of Config.UI.
const (
	UIOff      = "off"
	UIReadOnly = "readonly" // without controls that change something
	UIOn       = "on"
)

// Config holds all settings of a server. Load returns a complete and valid one. To make a Config without Load, set
// fields of Default, then call Complete and Validate. It must not be changed after that; then any goroutine may read it.
type Config struct {
	// Name is the name of this member, for people and for InitialCluster. The member's ID does not depend on it.
	Name string
	// DataDir holds all files of the member. Default: Name + ".pando" in the working directory.
	DataDir string
	// WALDir holds the write-ahead log; empty for DataDir/wal.
	WALDir string

	// ListenClientURLs are the addresses at which clients are served: http, an IP or localhost, a port (0: any free
	// one), no path. Never empty.
	ListenClientURLs []url.URL
	// AdvertiseClientURLs are the URLs by which clients reach this member. Never empty.
	AdvertiseClientURLs []url.URL
	// ListenPeerURLs are the addresses at which other members are served, in the form of ListenClientURLs. Never empty.
	ListenPeerURLs []url.URL
	// ListenMetricsURLs are further addresses that serve only /metrics, /health, /livez and /readyz. May be empty.
	ListenMetricsURLs []url.URL

	// InitialAdvertisePeerURLs are the URLs by which other members reach this member. The member ID is computed from them
	// and InitialClusterToken. Never empty.
	InitialAdvertisePeerURLs []url.URL
	// InitialCluster maps the name of each first member to its peer URLs. Default: only this member; empty with Discovery
	// or DiscoverySRV, which find the first members.
	InitialCluster map[string][]string
	// InitialClusterState is clusterNew or ClusterExisting. It has no effect if the member has data.
	InitialClusterState string
	// InitialClusterToken makes the IDs of clusters with the same peer URLs different. May be empty.
	InitialClusterToken string

	// SkipLogEntry is an entry of the log that is made empty, because no member can apply it; the zero value for none.
	SkipLogEntry LogEntry

	// ForceNewCluster makes this member, which must have data, the only member of its cluster.
	ForceNewCluster bool

	// Discovery is the key of a v2 keys API under which the first members find each other; empty for none.
	Discovery string
	// DiscoveryFallback is FallbackExit or fallbackProxy: what to do when the discovered cluster is full.
	DiscoveryFallback string
	// DiscoveryProxy is the URL of an HTTP proxy for the requests to Discovery; empty for none.
	DiscoveryProxy string
	// DiscoverySRV is the domain whose SRV records name the first members; empty for none. DiscoverySRVName is a suffix of
	// the service names.
	DiscoverySRV, DiscoverySRVName string

	// Proxy is ProxyOff, proxyOn or ProxyReadOnly. It has no effect if the data directory holds the data of a member.
	Proxy string
	// ProxyFailureWait is how long the proxy sends no requests to a member after a failure. ProxyRefreshInterval is the time
	// between two requests for the list of members.
	ProxyFailureWait, ProxyRefreshInterval time.Duration
	// ProxyDialTimeout, ProxyWriteTimeout and ProxyReadTimeout are for the proxy's connections to members; 0 for no limit.
	ProxyDialTimeout, ProxyWriteTimeout, ProxyReadTimeout time.Duration

	// SnapshotCount is the number of changes of the tree after which a checkpoint is written. Above 0.
	SnapshotCount uint64
	// HistorySize is the number of past events that a watch can read. 1 to 10,000,000.
	HistorySize int
	// HistoryBytes is the size of the history of the v3 API above which a leader compacts it; 0 for no limit.
	HistoryBytes int64
	// AutoCompactionMode is compactPeriodic or compactRevision: the unit of AutoCompactionRetention. See HistoryPeriod and HistoryRevisions.
	AutoCompactionMode      string
	AutoCompactionRetention Retention
	// HistoryScopeBytes bounds the memory of the events of watched subtrees that are kept beyond HistorySize; 0 for none.
	HistoryScopeBytes int64
	// HistoryRemovedBytes bounds the memory of removed directories that is kept for watches of each removed key; 0 for none.
	HistoryRemovedBytes int64
	// MaxRequestBytes is the length of the longest request body in bytes; an escaped byte of a form counts once. 0 means
	// DefaultMaxRequestBytes, counted with the escapes as the reference does. See RequestBytes.
	MaxRequestBytes int64
	// MaxConnections is the number of client connections that may be open; 0 for as many as the limit of open files allows.
	MaxConnections int
	// MaxFailedLogins is the number of logins a minute that may fail for each user name and each address; 0 for no limit.
	MaxFailedLogins int
	// AuthTokenTTL is the time after which a token of the v3 API ends that is not used.
	AuthTokenTTL time.Duration
	// PasswordHash is the format of the hashes of new passwords: PasswordArgon or PasswordBcrypt.
	PasswordHash string
	// MaxInflightRequests and MaxWatches are the numbers of requests and of watches of clients that may be under way; 0 for as many as
	// connections, but at least DefaultMaxOperations. MaxHeaderBytes is the length of the longest head of a request.
	MaxInflightRequests, MaxWatches, MaxHeaderBytes int
	// QuotaBytes is the number of bytes of keys and values from which on writes that add bytes are refused; 0 for no limit.
	QuotaBytes int64
	// MaxPinnedViews is the number of states of the tree that may be pinned for lists; 0 for none. MaxPinnedBytes bounds the memory that
	// they keep beyond that of the current state. PinnedViewTimeout is the time after which one is
	// released that no request reads; at least 1 s.
	MaxPinnedViews    int
	MaxPinnedBytes    int64
	PinnedViewTimeout time.Duration
	// CatchUpBytes is how much applied log is kept in memory for members that lag behind; 0 for a size that follows from
	// MaxRequestBytes.
	CatchUpBytes int64
	// MaxInflightBytes bounds the total bytes of large requests and answers in memory. At least MinMaxInflight.
	MaxInflightBytes int64
	// MaxGRPCBytes bounds the total bytes that open requests and streams of gRPC, and their responses, keep in memory. At least MinMaxGRPC.
	MaxGRPCBytes int64
	// ClientStallTimeout is the time after which the connection of a client that reads nothing of an answer or a stream is
	// closed. At least 100 ms.
	ClientStallTimeout time.Duration
	// MaxTxnOps is the largest number of operations of a transaction of the v3 API.
	MaxTxnOps int
	// MaxResponseBytes is about the largest size of a response of the v3 API with keys and values, in bytes; 0 for no limit.
	MaxResponseBytes int64
	// MaxConcurrentStreams is the largest number of requests and streams of gRPC that one connection may have at a time.
	MaxConcurrentStreams uint32
	// GRPCKeepAliveMinTime is the shortest time between two pings of a client of gRPC that keeps its connection. After
	// GRPCKeepAliveInterval without a byte from a client the server sends a ping, and after GRPCKeepAliveTimeout without an answer it closes
	// the connection. 0 stands for the default of grpc-go.
	GRPCKeepAliveMinTime, GRPCKeepAliveInterval, GRPCKeepAliveTimeout time.Duration
	// WatchProgressInterval is the time without an event after which a watch of the v3 API shows its progress, if the client asks for it.
	// At least 100 ms.
	WatchProgressInterval time.Duration
	// HeartbeatInterval is the time between two heartbeats of the leader, which is one tick of raft.
	HeartbeatInterval time.Duration
	// ElectionTimeout is the time without a message from the leader after which a follower stands for election. At least
	// 5 heartbeats, at most 50 s.
	ElectionTimeout time.Duration

	// ConsistencyCheckInterval is the time between two comparisons of the members' trees; 0 for none.
	ConsistencyCheckInterval time.Duration

	// DisabledTuning has the names of the settings of package tuning that are turned off; see TuningSettings.
	DisabledTuning []string

	// ClientTLS is for the https URLs of clients and of metrics, PeerTLS for those of members. Both are zero without TLS.
	ClientTLS, PeerTLS TLS
	// CipherSuites are the suites of TLS 1.2, as in package tls; empty for those of Go. TLSMinVersion and TLSMaxVersion are
	// versions as in package tls; TLSMaxVersion is 0 for the newest.
	CipherSuites                 []uint16
	TLSMinVersion, TLSMaxVersion uint16

	// HostWhitelist are the names and IP addresses by which clients may address the server; "*" for all. Never empty.
	HostWhitelist []string
	// CORS are the origins of web pages that may use the API. With "*" all pages may read. May be empty.
	CORS []string
	// AuditLog is the file of the audit log, or "stdout"; empty for none. AuditReads says that it has reads, too.
	AuditLog   string
	AuditReads bool
	// MetricsOnClientURLs says that the client URLs serve /metrics.
	MetricsOnClientURLs bool
	// UI says what of the page for people is served at /ui/ on the client URLs: UIOff, UIReadOnly or UIOn.
	UI string
	// EnablePprof serves /debug/pprof on the client URLs.
	EnablePprof bool

	// LogLevel is the lowest level that is logged.
	LogLevel zapcore.Level
	// LogFormat is logFormatConsole or LogFormatJSON.
	LogFormat string
	// LogOutputs are "stderr", "stdout" or paths of files to append to. Never empty.
	LogOutputs []string

	// ConfigFile is the path of the configuration file, or empty.
	ConfigFile string
	// Stdout receives the start-up banner. Never nil.
	Stdout io.Writer

	// origins has, by flag, where each given value comes from, for error messages.
	origins map[string]origin
}

// LogEntry names an entry of the log by its index and term.
type LogEntry struct{ Index, Term uint64 }

// Default returns the configuration of `pando` without any setting, except for the fields that Complete sets.
func Default() *Config {
	return &Config{
		Name:                     defaultName,
		ListenClientURLs:         []url.URL{mustURL(DefaultClientURL)},
		AdvertiseClientURLs:      []url.URL{mustURL(DefaultClientURL)},
		ListenPeerURLs:           []url.URL{mustURL(DefaultPeerURL)},
		InitialAdvertisePeerURLs: []url.URL{mustURL(DefaultPeerURL)},
		InitialClusterToken:      defaultClusterToken,
		InitialClusterState:      clusterNew,
		DiscoveryFallback:        fallbackProxy,
		Proxy:                    ProxyOff,
		ProxyFailureWait:         5 * time.Second,
		ProxyRefreshInterval:     30 * time.Second,
		ProxyDialTimeout:         time.Second,
		ProxyWriteTimeout:        5 * time.Second,
		SnapshotCount:            defaultSnapshotCount,
		ConsistencyCheckInterval: defaultConsistency,
		HistorySize:              DefaultHistorySize,
		HistoryBytes:             DefaultHistoryBytes,
		AutoCompactionMode:       compactPeriodic,
		HistoryRemovedBytes:      DefaultHistoryRemoved,
		MaxInflightBytes:         DefaultMaxInflight,
		MaxGRPCBytes:             DefaultMaxGRPC,
		MaxPinnedViews:           defaultPinnedViews,
		MaxPinnedBytes:           DefaultMaxPinned,
		PinnedViewTimeout:        defaultPinTimeout,
		MaxFailedLogins:          defaultFailedLogins,
		AuthTokenTTL:             defaultTokenTTL,
		PasswordHash:             PasswordArgon,
		UI:                       UIOn,
		MaxHeaderBytes:           defaultMaxHeaderBytes,
		ClientStallTimeout:       defaultStallTimeout,
		MaxTxnOps:                128,
		MaxResponseBytes:         DefaultMaxResponse,
		MaxConcurrentStreams:     math.MaxUint32,
		GRPCKeepAliveMinTime:     5 * time.Second,
		GRPCKeepAliveInterval:    2 * time.Hour,
		GRPCKeepAliveTimeout:     20 * time.Second,
		WatchProgressInterval:    10 * time.Minute,
		HeartbeatInterval:        defaultHeartbeat,
		ElectionTimeout:          defaultElection,
		HostWhitelist:            []string{"*"},
		AuditReads:               true,
		MetricsOnClientURLs:      true,
		LogLevel:                 zapcore.InfoLevel,
		LogFormat:                logFormatConsole,
		LogOutputs:               []string{"stderr"},
		TLSMinVersion:            tls.VersionTLS12,
		Stdout:                   io.Discard,
	}
}

// Complete sets the fields whose default depends on other fields.
func (c *Config) Complete() {
	if c.DataDir == "" {
		c.DataDir = c.Name + DataDirSuffix
	}
	if len(c.InitialCluster) == 0 && c.Discovery == "" && c.DiscoverySRV == "" {
		c.InitialCluster = map[string][]string{c.Name: URLStrings(c.InitialAdvertisePeerURLs)}
	}
}

// RequestBytes returns the length of the longest request body in bytes.
func (c *Config) RequestBytes() int64 {
	if c.MaxRequestBytes == 0 {
		return DefaultMaxRequestBytes
	}
	return c.MaxRequestBytes
}
