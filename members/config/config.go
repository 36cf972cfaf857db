package config

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"
)

// Bounds and defaults that more than one place speaks of.
const (
	defaultName            = "default"
	DefaultClientURL       = "http://localhost:2379"
	DefaultPeerURL         = "http://localhost:2380"
	defaultClusterToken    = "etcd-cluster"
	defaultSnapshotCount   = 100_000
	DefaultMaxRequestBytes = 10 << 20 // of a form, as it comes: the reference's limit
	DefaultMaxInflight     = 256 << 20
	DefaultHistorySize     = 1000
	defaultHeartbeat       = 100 * time.Millisecond
	defaultElection        = 1000 * time.Millisecond
	defaultConsistency     = time.Minute
	defaultStallTimeout    = 30 * time.Second

	DataDirSuffix       = ".pando"
	maxElectionTimeout  = 50 * time.Second
	electionHeartbeats  = 5 // an election timeout is at least this many heartbeats
	maxHistorySize      = 10_000_000
	maxCatchUpBytes     = 64 << 30
	MinMaxInflight      = 1 << 20
	MaxRequestLimit     = 512 << 20 // the raft package's own, however long the election timeout is
	minStallTimeout     = 100 * time.Millisecond
	wiseMaxRequestBytes = 10 << 20 // above it one request holds up everybody's: worth a warning
)

// Values of Config.LogFormat.
const (
	logFormatConsole = "console" // time, level, message, key=value: for people
	LogFormatJSON    = "json"    // one JSON object a line: for collectors
)

// Values of Config.InitialClusterState.
const (
	clusterNew      = "new"      // start a cluster
	ClusterExisting = "existing" // join one that runs
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
	ProxyReadOnly = "readonly" // pass on GET alone
)

// Config is everything a server has to know before it starts. Load makes it complete and valid; one that
// is made by hand starts from Default, sets its fields, and passes complete and Validate. It is not
// changed after that, so any goroutine may read it.
type Config struct {
	// Name of this member, for people and for InitialCluster. It has no part in the member's ID.
	Name string
	// DataDir holds everything the member stores. Default: Name + ".pando" in the working directory.
	DataDir string
	// WALDir holds the write-ahead log when it shall not be in DataDir; empty for DataDir/wal. See WALPath.
	WALDir string

	// ListenClientURLs are the addresses that answer clients. http, host an IP or localhost, port explicit (0: any free
	// one), no path. Never empty.
	ListenClientURLs []url.URL
	// AdvertiseClientURLs are what other members and clients are told to connect to. Never empty.
	AdvertiseClientURLs []url.URL
	// ListenPeerURLs are the addresses that answer other members, of the same form as ListenClientURLs. Never empty.
	ListenPeerURLs []url.URL
	// ListenMetricsURLs are further addresses that answer /metrics and /health alone. May be empty.
	ListenMetricsURLs []url.URL

	// InitialAdvertisePeerURLs are this member's peer URLs as the others know them. The member ID comes from them and
	// InitialClusterToken. Never empty.
	InitialAdvertisePeerURLs []url.URL
	// InitialCluster maps the name of each first member to its peer URLs, as given. Default: this member alone; empty
	// with Discovery or DiscoverySRV, which take its place.
	InitialCluster map[string][]string
	// InitialClusterState is clusterNew or ClusterExisting. It matters only while the member has no data yet.
	InitialClusterState string
	// InitialClusterToken keeps apart clusters that would otherwise have the same IDs. May be empty.
	InitialClusterToken string

	// SkipLogEntry is an entry of the log that no member can apply, to be passed over; the zero value for none.
	SkipLogEntry LogEntry

	// ForceNewCluster makes a member with data the only one of its cluster.
	ForceNewCluster bool

	// Discovery is the key of a v2 keys API under which the first members find each other; empty for none.
	Discovery string
	// DiscoveryFallback is FallbackExit or fallbackProxy: what to do when the discovered cluster is full.
	DiscoveryFallback string
	// DiscoveryProxy is the URL of an HTTP proxy for the requests to Discovery; empty for none.
	DiscoveryProxy string
	// DiscoverySRV is the domain whose SRV records name the first members; empty for none. DiscoverySRVName is put behind the
	// services' names.
	DiscoverySRV, DiscoverySRVName string

	// Proxy is ProxyOff, proxyOn or ProxyReadOnly. A data directory with a member's data makes a member all the same.
	Proxy string
	// ProxyFailureWait is how long a member that failed gets no requests, ProxyRefreshInterval the time between two looks at
	// the membership.
	ProxyFailureWait, ProxyRefreshInterval time.Duration
	// ProxyDialTimeout, ProxyWriteTimeout and ProxyReadTimeout bound the proxy's connections to members; 0 is no bound.
	ProxyDialTimeout, ProxyWriteTimeout, ProxyReadTimeout time.Duration

	// SnapshotCount is the number of log entries after which a checkpoint is written. Above 0.
	SnapshotCount uint64
	// HistorySize is the number of events that a watch can start in the past. 1 to 10,000,000.
	HistorySize int
	// MaxRequestBytes is the longest request body that is read, in bytes, each escaped byte of a form counted once. 0 if it was
	// not given: then it is DefaultMaxRequestBytes, counted as the reference does. See RequestBytes.
	MaxRequestBytes int64
	// MaxConnections is how many connections of clients may be open; 0 for what the limit of open files allows.
	MaxConnections int
	// CatchUpBytes is how much applied log stays in memory for members that lag behind; 0 for what MaxRequestBytes asks for.
	CatchUpBytes int64
	// MaxInflightBytes bounds the bytes that large requests and answers hold together. At least MinMaxInflight.
	MaxInflightBytes int64
	// ClientStallTimeout is how long a client may take nothing of what is sent to it. Above 0.
	ClientStallTimeout time.Duration
	// HeartbeatInterval is the time between two heartbeats of the leader; one tick of raft.
	HeartbeatInterval time.Duration
	// ElectionTimeout is how long a follower hears nothing before it stands for election. At least 5
	// heartbeats, at most 50 s.
	ElectionTimeout time.Duration

	// ConsistencyCheckInterval is the time between two comparisons of what the members hold; 0 for none.
	ConsistencyCheckInterval time.Duration

	// CORS lists the origins that browsers may call from; "*" alone allows all. Never empty.
	CORS []string
	// EnablePprof serves /debug/pprof on the client URLs.
	EnablePprof bool

	// LogLevel is the least severe level that is logged.
	LogLevel zapcore.Level
	// LogFormat is logFormatConsole or LogFormatJSON.
	LogFormat string
	// LogOutputs are "stderr", "stdout" or paths of files to append to. Never empty.
	LogOutputs []string

	// ConfigFile is the file that settings were read from, or empty.
	ConfigFile string
	// Stdout receives the start-up banner. Never nil.
	Stdout io.Writer

	// origins says for each flag that was given where its value came from, for error messages.
	origins map[string]origin
}

// LogEntry names an entry of the log by its index and term.
type LogEntry struct{ Index, Term uint64 }

// Default is what a bare `pando` runs with, but for the fields that complete derives from others.
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
		MaxInflightBytes:         DefaultMaxInflight,
		ClientStallTimeout:       defaultStallTimeout,
		HeartbeatInterval:        defaultHeartbeat,
		ElectionTimeout:          defaultElection,
		CORS:                     []string{"*"},
		LogLevel:                 zapcore.InfoLevel,
		LogFormat:                logFormatConsole,
		LogOutputs:               []string{"stderr"},
		Stdout:                   io.Discard,
	}
}

// mustURL reads a URL that is a constant of this program.
func mustURL(text string) url.URL {
	scheme, host, _ := strings.Cut(text, "://")
	return url.URL{Scheme: scheme, Host: host}
}

// Complete fills the fields whose default follows from others.
func (c *Config) Complete() {
	if c.DataDir == "" {
		c.DataDir = c.Name + DataDirSuffix
	}
	if len(c.InitialCluster) == 0 && c.Discovery == "" && c.DiscoverySRV == "" {
		c.InitialCluster = map[string][]string{c.Name: URLStrings(c.InitialAdvertisePeerURLs)}
	}
}

// WALPath is the directory of the write-ahead log.
func (c *Config) WALPath() string {
	if c.WALDir != "" {
		return c.WALDir
	}
	return filepath.Join(c.DataDir, "wal")
}

// Validate checks what can be checked without touching disk or network. It returns all problems at once, joined;
// each is a *FlagError.
func (c *Config) Validate() error {
	var errs []error
	for _, check := range []func() *FlagError{
		c.checkName, c.checkWALDir, c.checkBootstrap, c.checkProxyTimes, c.checkSharedAddress,
		c.checkSnapshotCount, c.checkHistorySize, c.checkMaxRequestBytes, c.checkInflight, c.checkStallTimeout,
		c.checkHeartbeat, c.checkElection,
	} {
		if err := check(); err != nil {
			errs = append(errs, err)
		}
	}
	lists := []struct {
		flag string
		urls []url.URL
	}{
		{"listen-client-urls", c.ListenClientURLs},
		{"advertise-client-urls", c.AdvertiseClientURLs},
		{"listen-peer-urls", c.ListenPeerURLs},
		{"initial-advertise-peer-urls", c.InitialAdvertisePeerURLs},
	}
	for _, l := range lists {
		if len(l.urls) == 0 {
			errs = append(errs, c.FlagError(l.flag, "has no URL", "give at least one, for example --"+l.flag+"="+exampleURL(l.flag)))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) checkName() *FlagError {
	if c.Name == "" {
		return c.FlagError("name", "is empty", "give the member a name, or leave the flag out for \""+defaultName+"\"")
	}
	if strings.ContainsAny(c.Name, "=,") || strings.ContainsFunc(c.Name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return c.FlagError("name", fmt.Sprintf("%q contains a comma, an equals sign or a control character", c.Name),
			"these separate names in --initial-cluster; use letters, digits, dots and dashes")
	}
	return nil
}

func (c *Config) checkWALDir() *FlagError {
	if c.WALDir != "" && filepath.Clean(c.WALDir) == filepath.Clean(c.DataDir) {
		return c.FlagError("wal-dir", "is the data directory itself", "give the log a directory of its own, or leave the flag out for "+filepath.Join(c.DataDir, "wal"))
	}
	return nil
}

// CheckFounding makes sure that the member finds itself in the initial cluster. It is for a member without data: one that
// has data goes on with that, whatever the flag says.
func (c *Config) CheckFounding() error {
	if c.Discovery != "" || c.DiscoverySRV != "" {
		return nil // the list is not used
	}
	own, ok := c.InitialCluster[c.Name]
	if !ok {
		return c.FlagError("initial-cluster", fmt.Sprintf("does not mention this member, %q", c.Name),
			fmt.Sprintf("add %s=%s, or set --name to a name in the list", c.Name, strings.Join(URLStrings(c.InitialAdvertisePeerURLs), ",")))
	}
	if !sameStrings(own, URLStrings(c.InitialAdvertisePeerURLs)) {
		return c.FlagError("initial-cluster", fmt.Sprintf("has %s at %s, but --initial-advertise-peer-urls is %s",
			c.Name, strings.Join(own, ","), strings.Join(URLStrings(c.InitialAdvertisePeerURLs), ",")),
			"give both the same URLs, or leave --initial-cluster out")
	}
	return nil
}

// checkSharedAddress finds the address that two listeners would fight for.
func (c *Config) checkSharedAddress() *FlagError {
	owner := map[string]string{}
	for _, l := range []struct {
		flag string
		urls []url.URL
	}{{"listen-client-urls", c.ListenClientURLs}, {"listen-peer-urls", c.ListenPeerURLs}, {"listen-metrics-urls", c.ListenMetricsURLs}} {
		for _, u := range l.urls {
			if _, port, err := net.SplitHostPort(u.Host); err != nil || port == "0" {
				continue
			}
			if other, taken := owner[u.Host]; taken && other != l.flag {
				return c.FlagError(l.flag, u.Host+" is in --"+other+" too", "give each its own port")
			}
			owner[u.Host] = l.flag
		}
	}
	return nil
}

func (c *Config) checkSnapshotCount() *FlagError {
	if c.SnapshotCount == 0 {
		return c.FlagError("snapshot-count", "must be above 0", fmt.Sprintf("leave it out for %d", defaultSnapshotCount))
	}
	return nil
}

func (c *Config) checkHistorySize() *FlagError {
	if c.HistorySize < 1 || c.HistorySize > maxHistorySize {
		return c.FlagError("history-size", fmt.Sprintf("%d is not between 1 and %d", c.HistorySize, maxHistorySize),
			fmt.Sprintf("leave it out for %d", DefaultHistorySize))
	}
	return nil
}

// RequestBytes is how many bytes the body of a request may have.
func (c *Config) RequestBytes() int64 {
	if c.MaxRequestBytes == 0 {
		return DefaultMaxRequestBytes
	}
	return c.MaxRequestBytes
}

func (c *Config) checkMaxRequestBytes() *FlagError {
	if c.MaxRequestBytes < 0 || c.MaxRequestBytes > MaxRequestLimit {
		return c.FlagError("max-request-bytes", requestBytesRange(c.MaxRequestBytes), requestBytesHint)
	}
	return nil
}

func requestBytesRange(n int64) string {
	return fmt.Sprintf("%d is not between 1 and %d", n, MaxRequestLimit)
}

var requestBytesHint = fmt.Sprintf("leave it out for %d", DefaultMaxRequestBytes)

func (c *Config) checkInflight() *FlagError {
	if c.MaxInflightBytes < MinMaxInflight {
		return c.FlagError("max-inflight-bytes", fmt.Sprintf("%d is less than %d", c.MaxInflightBytes, MinMaxInflight),
			fmt.Sprintf("leave it out for %d", DefaultMaxInflight))
	}
	return nil
}

func (c *Config) checkStallTimeout() *FlagError {
	if c.ClientStallTimeout < minStallTimeout {
		return c.FlagError("client-stall-timeout", fmt.Sprintf("%v is less than %v", c.ClientStallTimeout, minStallTimeout),
			fmt.Sprintf("leave it out for %v", defaultStallTimeout))
	}
	return nil
}

func (c *Config) checkHeartbeat() *FlagError {
	if c.HeartbeatInterval < time.Millisecond {
		return c.FlagError("heartbeat-interval", fmt.Sprintf("%dms is not above 0", c.HeartbeatInterval.Milliseconds()),
			"leave it out for 100 milliseconds")
	}
	return nil
}

func (c *Config) checkElection() *FlagError {
	election, heartbeat := c.ElectionTimeout.Milliseconds(), c.HeartbeatInterval.Milliseconds()
	if least := electionHeartbeats * heartbeat; election < least {
		flag := "election-timeout"
		if !c.origins[flag].given {
			flag = "heartbeat-interval" // only this one was touched: blame it, and the place it came from
		}
		fix := fmt.Sprintf("set --election-timeout to %d or more, or --heartbeat-interval to %d or less", least, election/electionHeartbeats)
		if least > maxElectionTimeout.Milliseconds() {
			fix = fmt.Sprintf("set --heartbeat-interval to %d or less", max(1, election/electionHeartbeats))
		}
		return c.FlagError(flag, fmt.Sprintf("the election timeout, %dms, is less than %d heartbeats of %dms", election, electionHeartbeats, heartbeat), fix)
	}
	if c.ElectionTimeout > maxElectionTimeout {
		return c.FlagError("election-timeout", fmt.Sprintf("%dms is too long", election),
			fmt.Sprintf("set it to %d or less", maxElectionTimeout.Milliseconds()))
	}
	return nil
}

// flagError builds the error for a flag, with the place that its value came from.
// FlagError makes an error about a setting of c that also says where its value came from. flag has no dashes in front.
func (c *Config) FlagError(flag, problem, fix string) *FlagError {
	return &FlagError{Flag: flag, Origin: c.origins[flag].describe(), Problem: problem, Fix: fix}
}

// sameStrings compares two lists as sets.
func sameStrings(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// Dialable turns addresses to listen on into ones to connect to from this machine.
func Dialable(urls []url.URL) []url.URL {
	out := make([]url.URL, len(urls))
	for i, u := range urls {
		host, port, err := net.SplitHostPort(u.Host)
		ip := net.ParseIP(host)
		if err == nil && (host == "localhost" || (ip != nil && ip.IsUnspecified())) {
			u.Host = net.JoinHostPort("127.0.0.1", port)
		}
		out[i] = u
	}
	return out
}
