package config

import (
	"math"
	"net/url"
	"strings"
)

// effectiveFlags returns the flags that have an effect.
func effectiveFlags() []flagSpec {
	var all []flagSpec
	for _, group := range [][]flagSpec{memberFlags(), clusteringFlags(), discoveryFlags(), securityFlags(), accessFlags(), proxyFlags(),
		durabilityFlags(), limitFlags(), requestLimitFlags(), grpcFlags(), quotaFlags(), pinFlags(), historyFlags(), loggingFlags(),
		observabilityFlags()} {
		all = append(all, group...)
	}
	return all
}

func memberFlags() []flagSpec {
	return []flagSpec{
		{name: "name", group: groupMember, arg: "NAME", def: defaultName,
			usage: "Name of this member, for people and for --initial-cluster.",
			set:   func(c *Config, v string) error { c.Name = v; return nil }},
		{name: "data-dir", group: groupMember, arg: "DIR", def: "${name}" + DataDirSuffix,
			usage:   "Directory for all files of the member. Only one process may use it.",
			example: "/var/lib/pando", set: func(c *Config, v string) error { c.DataDir = v; return nil }},
		{name: "listen-client-urls", group: groupMember, arg: "URLS", def: DefaultClientURL,
			usage: "Addresses at which clients are served, separated by commas: http://IP:PORT, https://IP:PORT (see Security) or " +
				"unix:///PATH. Requires --advertise-client-urls.",
			example: "http://0.0.0.0:2379", set: setURLs(urlsToListen, func(c *Config) *[]url.URL { return &c.ListenClientURLs })},
		{name: "advertise-client-urls", group: groupMember, arg: "URLS", def: DefaultClientURL,
			usage:   "URLs by which clients reach this member.",
			example: "http://10.0.0.1:2379", set: setURLs(urlsToAdvertise, func(c *Config) *[]url.URL { return &c.AdvertiseClientURLs })},
		{name: "listen-peer-urls", group: groupMember, arg: "URLS", def: DefaultPeerURL,
			usage:   "Addresses at which other members are served: http://IP:PORT, or https://IP:PORT (see Security).",
			example: "http://10.0.0.1:2380", set: setURLs(peersToListen, func(c *Config) *[]url.URL { return &c.ListenPeerURLs })},
		{name: ConfigFileFlag, group: groupMember, arg: "FILE",
			usage:   "YAML file with settings, one \"flag-name: value\" per line. Flags and the environment take precedence.",
			example: "/etc/pando/pando.yml", set: func(*Config, string) error { return nil }},
		{name: "heartbeat-interval", group: groupMember, arg: "MS", def: "100",
			usage: "Milliseconds between two heartbeats of the leader.",
			set:   func(c *Config, v string) (err error) { c.HeartbeatInterval, err = parseMillis(v); return err }},
		{name: "election-timeout", group: groupMember, arg: "MS", def: "1000",
			usage: "Milliseconds without a heartbeat after which a member stands for election; at least 5 heartbeats, at most 50000.",
			set:   func(c *Config, v string) (err error) { c.ElectionTimeout, err = parseMillis(v); return err }},
	}
}

func clusteringFlags() []flagSpec {
	return []flagSpec{
		{name: "initial-advertise-peer-urls", group: groupClustering, arg: "URLS", def: DefaultPeerURL,
			usage:   "URLs by which other members reach this member. The member ID is computed from them and the token.",
			example: "http://10.0.0.1:2380", set: setURLs(urlsToAdvertise, func(c *Config) *[]url.URL { return &c.InitialAdvertisePeerURLs })},
		{name: "initial-cluster", group: groupClustering, arg: "LIST", def: "${name}=${initial-advertise-peer-urls}",
			usage: "The first members as NAME=URL, separated by commas.",
			set:   func(c *Config, v string) (err error) { c.InitialCluster, err = parseInitialCluster(v); return err }},
		{name: "initial-cluster-token", group: groupClustering, arg: "TOKEN", def: defaultClusterToken,
			usage: "Makes the IDs of clusters with the same URLs different, so that their members refuse each other.",
			set:   func(c *Config, v string) error { c.InitialClusterToken = v; return nil }},
		{name: "initial-cluster-state", group: groupClustering, arg: "STATE", def: clusterNew,
			usage: "\"new\" to start a cluster, \"existing\" to join a running one. No effect if the member has data.",
			set:   setClusterState},
		{name: "force-new-cluster", group: groupClustering, def: "false",
			usage: "Make this member, with its data, the only member of its cluster. For use after the quorum was lost for good: stop " +
				"all other members, start this one once with the flag, then remove the flag and add new members.",
			set: func(c *Config, v string) (err error) { c.ForceNewCluster, err = parseBool(v); return err }},
	}
}

func discoveryFlags() []flagSpec {
	return []flagSpec{
		{name: "discovery", group: groupClustering, arg: "URL",
			usage: "Key of a v2 keys API at which the first members find each other, instead of --initial-cluster. Its _config/size " +
				"holds their number. All of them need the same URL, and each cluster a new one.",
			example: "http://10.0.0.9:2379/v2/keys/discovery/6f1e", set: func(c *Config, v string) (err error) {
				c.Discovery,
					err = parseServiceURL(v)
				return err
			}},
		{name: "discovery-fallback", group: groupClustering, arg: "WHAT", def: fallbackProxy,
			usage: "What to do if the discovered cluster has all its members: \"proxy\" to serve as a proxy of the cluster, \"exit\" " +
				"to end.",
			set: func(c *Config, v string) (err error) {
				c.DiscoveryFallback, err = ParseChoice(v, FallbackExit, fallbackProxy)
				return err
			}},
		{name: "discovery-proxy", group: groupClustering, arg: "URL", usage: "HTTP proxy for the requests to the discovery URL.",
			example: "http://10.0.0.8:3128", set: func(c *Config, v string) (err error) {
				c.DiscoveryProxy,
					err = parseServiceURL(v)
				return err
			}},
		{name: "discovery-srv", group: groupClustering, arg: "DOMAIN",
			usage: "Domain whose SRV records name the peer URLs of the first members, instead of --initial-cluster: _etcd-server._tcp " +
				"(http) and _etcd-server-ssl._tcp (https).",
			example: "grove.example.com", set: func(c *Config, v string) error { c.DiscoverySRV = strings.TrimSuffix(v, "."); return nil }},
		{name: "discovery-srv-name", group: groupClustering, arg: "NAME",
			usage: "Suffix of the service names, for several clusters in one domain: with \"x\" the records are _etcd-server-x._tcp " +
				"and _etcd-server-ssl-x._tcp.",
			set: func(c *Config, v string) error { c.DiscoverySRVName = v; return nil }},
	}
}

func proxyFlags() []flagSpec {
	return []flagSpec{
		{name: "proxy", group: groupProxy, arg: "MODE", def: ProxyOff,
			usage: "\"on\" to be a proxy and not a member: requests of clients are passed on to the members of --initial-cluster. " +
				"\"readonly\" to pass on only GET. No effect if the member has data.",
			set: func(c *Config, v string) (err error) {
				c.Proxy, err = ParseChoice(v, ProxyOff, proxyOn, ProxyReadOnly)
				return err
			}},
		{name: "proxy-failure-wait", group: groupProxy, arg: "MS", def: "5000",
			usage: "Milliseconds for which the proxy sends no requests to a member after a failure.",
			set:   func(c *Config, v string) (err error) { c.ProxyFailureWait, err = parseMillis(v); return err }},
		{name: "proxy-refresh-interval", group: groupProxy, arg: "MS", def: "30000",
			usage: "Milliseconds between two requests of the proxy for the list of members.",
			set:   func(c *Config, v string) (err error) { c.ProxyRefreshInterval, err = parseMillis(v); return err }},
		{name: "proxy-dial-timeout", group: groupProxy, arg: "MS", def: "1000",
			usage: "Milliseconds to wait for a connection to a member; 0 for no limit.",
			set:   func(c *Config, v string) (err error) { c.ProxyDialTimeout, err = parseMillis(v); return err }},
		{name: "proxy-write-timeout", group: groupProxy, arg: "MS", def: "5000",
			usage: "Milliseconds for a member to accept bytes; 0 for no limit.",
			set:   func(c *Config, v string) (err error) { c.ProxyWriteTimeout, err = parseMillis(v); return err }},
		{name: "proxy-read-timeout", group: groupProxy, arg: "MS", def: "0",
			usage: "Milliseconds for a member to send bytes; 0 for no limit. It ends long polls, too.",
			set:   func(c *Config, v string) (err error) { c.ProxyReadTimeout, err = parseMillis(v); return err }},
	}
}

func durabilityFlags() []flagSpec {
	return []flagSpec{
		{name: "wal-dir", group: groupDurability, arg: "DIR", def: "${data-dir}/wal",
			usage:   "Directory for the write-ahead log, for example on a disk of its own.",
			example: "/fast/pando-wal", set: func(c *Config, v string) error { c.WALDir = v; return nil }},
		{name: "snapshot-count", group: groupDurability, arg: "N", def: "100000",
			usage: "Number of changes of the tree between two checkpoints. With a smaller number a restart is faster, with a larger one less " +
				"is written to the disk.",
			set: func(c *Config, v string) (err error) {
				c.SnapshotCount, err = parseWhole(v, math.MaxInt64)
				return err
			}},
		{name: "skip-log-entry", group: groupDurability, arg: "INDEX/TERM",
			usage: "Skip one log entry that no version can apply, and that has stopped the members; their error names it. Start each " +
				"member once with the flag, then remove the flag.",
			example: "57/3", set: func(c *Config, v string) (err error) { c.SkipLogEntry, err = parseEntryID(v); return err }},
		{name: "consistency-check-interval", group: groupDurability, arg: "MS", def: "60000",
			usage: "Milliseconds between two comparisons of the members' keys, in the background; 0 for none. A difference is logged " +
				"as an error and counted in the metric pando_consistency_differences.",
			set: setConsistency},
	}
}

const (
	defaultFailedLogins = 10
	// maxFailedLogins bounds --max-failed-logins. No processor verifies more passwords a minute.
	maxFailedLogins = 100_000
)

func limitFlags() []flagSpec {
	return []flagSpec{
		{name: "max-request-bytes", group: groupLimits, arg: "BYTES", def: "10485760",
			usage: "Length of the longest request body. Keys and values count without the escapes of a form; the answer to a longer " +
				"body is 413. Without this flag the limit is that of the reference: 10485760 bytes of a form with its escapes, and " +
				"400 for a longer one.",
			set: setMaxRequestBytes},
		{name: "max-inflight-bytes", group: groupLimits, arg: "BYTES", def: "268435456",
			usage: "Total bytes in memory of all requests and answers of more than 64 KiB. Further ones wait; if there is no room in " +
				"time, the answer is 503.",
			set: func(c *Config, v string) error {
				n, err := parseWhole(v, math.MaxInt64)
				c.MaxInflightBytes = int64(n)
				return err
			}},
		{name: "max-connections", group: groupLimits, arg: "N", def: "0",
			usage: "Number of client connections that may be open; the answer to further ones is 503. 0: as many as the limit of open " +
				"files (ulimit -n) allows after the log and the peers.",
			set: func(c *Config, v string) error {
				n, err := parseWhole(v, math.MaxInt32)
				c.MaxConnections = int(n)
				return err
			}},
		{name: "max-failed-logins", group: groupLimits, arg: "N", def: "10",
			usage: "Number of logins a minute that may fail for each user name and each client address, after the first ten. The " +
				"answer to further ones is 429, and no password is verified for them. A user who has logged in is not affected. " +
				"0: no limit.",
			set: func(c *Config, v string) error {
				n, err := parseWhole(v, maxFailedLogins)
				c.MaxFailedLogins = int(n)
				return err
			}},
		{name: "catch-up-bytes", group: groupLimits, arg: "BYTES", def: "0",
			usage: "Size of the log that is kept in memory for members that lag behind; a member that lags further gets a snapshot. " +
				"0: 64 MiB, or more with a large --max-request-bytes.",
			set: func(c *Config, v string) error {
				n, err := parseWhole(v, maxCatchUpBytes)
				c.CatchUpBytes = int64(n)
				return err
			}},
		{name: "client-stall-timeout", group: groupLimits, arg: "MS", def: "30000",
			usage: "Milliseconds after which the connection of a client is closed if it reads nothing of an answer or a stream.",
			set:   func(c *Config, v string) (err error) { c.ClientStallTimeout, err = parseMillis(v); return err }},
		{name: "history-size", group: groupLimits, arg: "N", def: "1000",
			usage: "Number of past events that a watch can read (waitIndex). The reference always keeps 1000.",
			set: func(c *Config, v string) error {
				n, err := parseWhole(v, maxHistorySize)
				c.HistorySize = int(n)
				return err
			}},
		{name: "disable-tuning", group: groupLimits, arg: "LIST",
			usage: "Settings of the Go runtime that are left at Go's defaults, separated by commas: processors, sysmon, collector, " +
				"release-memory, memory-limit, or all. See docs/operations.md.",
			set: func(c *Config, v string) (err error) { c.DisabledTuning, err = parseTuning(v); return err }},
	}
}

func loggingFlags() []flagSpec {
	return []flagSpec{
		{name: "log-level", group: groupLogging, arg: "LEVEL", def: "info",
			usage: "Lowest level to log: debug, info, warn, error, panic or fatal.",
			set:   func(c *Config, v string) (err error) { c.LogLevel, err = parseLogLevel(v); return err }},
		{name: "log-format", group: groupLogging, arg: "FORMAT", def: logFormatConsole,
			usage: "\"console\" for text lines (time, level, message, key=value), \"json\" for one JSON object per line.",
			set: func(c *Config, v string) (err error) {
				c.LogFormat, err = ParseChoice(v, logFormatConsole, LogFormatJSON)
				return err
			}},
		{name: "log-outputs", group: groupLogging, arg: "LIST", def: "stderr",
			usage: "Where to log: stderr, stdout or paths of files to append to, separated by commas.",
			set:   setLogOutputs},
	}
}

func observabilityFlags() []flagSpec {
	return []flagSpec{
		{name: "listen-metrics-urls", group: groupObservability, arg: "URLS",
			usage: "Further addresses that serve only /metrics, /health, /livez and /readyz. The client URLs serve them, too; " +
				"see --metrics-on-client-urls.",
			example: "http://0.0.0.0:2381", set: setURLs(urlsToListen, func(c *Config) *[]url.URL { return &c.ListenMetricsURLs })},
		{name: "metrics-on-client-urls", group: groupObservability, def: "true",
			usage: "Serve /metrics on the client URLs. With false only --listen-metrics-urls serve it. /health stays: etcdctl asks for it.",
			set:   func(c *Config, v string) (err error) { c.MetricsOnClientURLs, err = parseBool(v); return err }},
		{name: "metrics", group: groupObservability, arg: "LEVEL", def: "basic",
			usage: "\"basic\" or \"extensive\". Pando always exports its histograms.",
			set:   func(_ *Config, v string) error { _, err := ParseChoice(v, "basic", "extensive"); return err }},
		{name: "enable-pprof", group: groupObservability, def: "false",
			usage: "Serve profiles of the Go runtime at /debug/pprof/ on the client URLs.",
			set:   func(c *Config, v string) (err error) { c.EnablePprof, err = parseBool(v); return err }},
	}
}

// setURLs returns a set function that parses a list of URLs into the field that pick returns.
func setURLs(rule schemeRule, pick func(*Config) *[]url.URL) func(*Config, string) error {
	return func(c *Config, text string) error {
		urls, err := parseURLs(text, rule)
		*pick(c) = urls
		return err
	}
}

func setMaxRequestBytes(c *Config, text string) error {
	n, err := parseWhole(text, MaxRequestLimit)
	if err == nil && n == 0 {
		err = &valueError{requestBytesRange(0), requestBytesHint}
	}
	if n == DefaultMaxRequestBytes {
		n = 0 // as if the flag was not given
	}
	c.MaxRequestBytes = int64(n)
	return err
}

func setLogOutputs(c *Config, text string) (err error) {
	c.LogOutputs, err = parseLogOutputs(text)
	return err
}

func setClusterState(c *Config, text string) (err error) {
	c.InitialClusterState, err = ParseChoice(text, clusterNew, ClusterExisting)
	return err
}
