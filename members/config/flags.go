package config

import (
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// Flags that the program itself looks at.
const (
	ConfigFileFlag = "config-file"
	VersionFlag    = "version"
)

// The groups of --help, in their order.
const (
	groupMember        = "Member"
	groupClustering    = "Clustering"
	groupProxy         = "Proxy"
	groupDurability    = "Durability"
	groupLimits        = "Limits"
	groupLogging       = "Logging"
	groupObservability = "Observability"
	groupCompatibility = "Compatibility"
)

var flagGroups = []string{groupMember, groupClustering, groupProxy, groupDurability, groupLimits, groupLogging, groupObservability, groupCompatibility}

// flagSpec is one flag: how it reads, what it teaches in --help and what it does to the Config.
// Exactly one of set, ignored and refused says what happens when it is given.
type flagSpec struct {
	name  string
	group string
	arg   string // placeholder of the value; empty for a switch
	def   string // default as shown; for ignored and refused flags the reference's
	usage string
	// example is a value to show; empty when usage needs none.
	example string

	// oldFor is the flag that this one is an old spelling of. silent reports that a value of this spelling says
	// nothing: as if it were not given. Nil is for never.
	oldFor string
	silent func(string) bool

	set     func(*Config, string) error
	ignored string   // why the flag has no effect
	refused string   // why the flag must not pass silently
	off     []string // further values that ask for nothing, beside def and the empty one
}

// use applies the value, or returns the reason for which it has no effect, or the error.
func (s *flagSpec) use(cfg *Config, text string) (string, error) {
	switch {
	case s.set != nil:
		return "", s.set(cfg, text)
	case s.asksForNothing(text):
		return "", nil
	case s.refused != "":
		return "", &valueError{"is not supported by this version", s.refused}
	}
	return s.ignored, nil
}

// asksForNothing reports whether the value is the reference's default: then the flag changes nothing there, and
// needs neither warning nor refusal here.
func (s *flagSpec) asksForNothing(text string) bool {
	if text == "" || text == s.def {
		return true
	}
	for _, off := range s.off {
		if text == off {
			return true
		}
	}
	if s.arg == "" {
		on, err := parseBool(text)
		standard, _ := parseBool(s.def)
		return err == nil && on == standard
	}
	return false
}

// flagSpecs is every flag that Pando knows, in the order of --help.
var flagSpecs = append(effectiveFlags(), compatibilityFlags()...)

// effectiveFlags are the flags that do something.
func effectiveFlags() []flagSpec {
	var all []flagSpec
	for _, group := range [][]flagSpec{memberFlags(), clusteringFlags(), discoveryFlags(), proxyFlags(), durabilityFlags(), limitFlags(), loggingFlags(), observabilityFlags()} {
		all = append(all, group...)
	}
	return all
}

func memberFlags() []flagSpec {
	return []flagSpec{
		{name: "name", group: groupMember, arg: "NAME", def: defaultName, usage: "Name of this member, for people and for --initial-cluster.",
			set: func(c *Config, v string) error { c.Name = v; return nil }},
		{name: "data-dir", group: groupMember, arg: "DIR", def: "${name}" + DataDirSuffix, usage: "Directory for everything the member stores. One process at a time.",
			example: "/var/lib/pando", set: func(c *Config, v string) error { c.DataDir = v; return nil }},
		{name: "listen-client-urls", group: groupMember, arg: "URLS", def: DefaultClientURL, usage: "Where to answer clients; commas between several. Needs --advertise-client-urls beside it.",
			example: "http://0.0.0.0:2379", set: setURLs(urlsToListen, func(c *Config) *[]url.URL { return &c.ListenClientURLs })},
		{name: "advertise-client-urls", group: groupMember, arg: "URLS", def: DefaultClientURL, usage: "What clients are told to connect to.",
			example: "http://10.0.0.1:2379", set: setURLs(urlsToAdvertise, func(c *Config) *[]url.URL { return &c.AdvertiseClientURLs })},
		{name: "listen-peer-urls", group: groupMember, arg: "URLS", def: DefaultPeerURL, usage: "Where to answer other members.",
			example: "http://10.0.0.1:2380", set: setURLs(urlsToListen, func(c *Config) *[]url.URL { return &c.ListenPeerURLs })},
		{name: ConfigFileFlag, group: groupMember, arg: "FILE", usage: "YAML file with settings, one \"flag-name: value\" a line. Flags and environment win over it.",
			example: "/etc/pando/pando.yml", set: func(*Config, string) error { return nil }},
		{name: "heartbeat-interval", group: groupMember, arg: "MS", def: "100", usage: "Milliseconds between heartbeats of the leader.",
			set: func(c *Config, v string) (err error) { c.HeartbeatInterval, err = parseMillis(v); return err }},
		{name: "election-timeout", group: groupMember, arg: "MS", def: "1000", usage: "Milliseconds without a heartbeat after which a member stands for election; at least 5 heartbeats, at most 50000.",
			set: func(c *Config, v string) (err error) { c.ElectionTimeout, err = parseMillis(v); return err }},
	}
}

func clusteringFlags() []flagSpec {
	return []flagSpec{
		{name: "initial-advertise-peer-urls", group: groupClustering, arg: "URLS", def: DefaultPeerURL, usage: "This member's peer URLs as other members know them. With the token they make the member ID.",
			example: "http://10.0.0.1:2380", set: setURLs(urlsToAdvertise, func(c *Config) *[]url.URL { return &c.InitialAdvertisePeerURLs })},
		{name: "initial-cluster", group: groupClustering, arg: "LIST", def: "${name}=${initial-advertise-peer-urls}", usage: "The first members as NAME=URL, commas between.",
			set: func(c *Config, v string) (err error) { c.InitialCluster, err = parseInitialCluster(v); return err }},
		{name: "initial-cluster-token", group: groupClustering, arg: "TOKEN", def: defaultClusterToken, usage: "Gives clusters with the same URLs different IDs, so that they never mix.",
			set: func(c *Config, v string) error { c.InitialClusterToken = v; return nil }},
		{name: "initial-cluster-state", group: groupClustering, arg: "STATE", def: clusterNew, usage: "\"new\" to start a cluster, \"existing\" to join one that runs. Ignored once there is data.",
			set: setClusterState},
		{name: "force-new-cluster", group: groupClustering, def: "false", usage: "After the quorum was lost for good: make this member, with its data, the only one of its cluster. Use it once, with all other members stopped, then take it away and add new members.",
			set: func(c *Config, v string) (err error) { c.ForceNewCluster, err = parseBool(v); return err }},
	}
}

func discoveryFlags() []flagSpec {
	return []flagSpec{
		{name: "discovery", group: groupClustering, arg: "URL", usage: "A key of any v2 keys API under which the first members find each other, in place of --initial-cluster. Its _config/size holds their number; the same URL for all of them, and a new one for each cluster.",
			example: "http://10.0.0.9:2379/v2/keys/discovery/6f1e", set: func(c *Config, v string) (err error) { c.Discovery, err = parseServiceURL(v); return err }},
		{name: "discovery-fallback", group: groupClustering, arg: "WHAT", def: fallbackProxy, usage: "What a server does that finds the discovered cluster full: \"proxy\" to serve as a proxy before it, \"exit\" to end.",
			set: func(c *Config, v string) (err error) {
				c.DiscoveryFallback, err = ParseChoice(v, FallbackExit, fallbackProxy)
				return err
			}},
		{name: "discovery-proxy", group: groupClustering, arg: "URL", usage: "An HTTP proxy for the requests to the discovery URL.",
			example: "http://10.0.0.8:3128", set: func(c *Config, v string) (err error) { c.DiscoveryProxy, err = parseServiceURL(v); return err }},
		{name: "discovery-srv", group: groupClustering, arg: "DOMAIN", usage: "A domain whose SRV records name the peer URLs of the first members, in place of --initial-cluster: _etcd-server._tcp (http) and _etcd-server-ssl._tcp (https).",
			example: "grove.example.com", set: func(c *Config, v string) error { c.DiscoverySRV = strings.TrimSuffix(v, "."); return nil }},
		{name: "discovery-srv-name", group: groupClustering, arg: "NAME", usage: "Tells clusters of a domain apart: with \"x\" the records are _etcd-server-x._tcp and _etcd-server-ssl-x._tcp.",
			set: func(c *Config, v string) error { c.DiscoverySRVName = v; return nil }},
	}
}

func proxyFlags() []flagSpec {
	return []flagSpec{
		{name: "proxy", group: groupProxy, arg: "MODE", def: ProxyOff, usage: "\"on\" to be no member, and pass the requests of clients on to the members of --initial-cluster; \"readonly\" to pass on GET alone. Ignored by a member that has data.",
			set: func(c *Config, v string) (err error) {
				c.Proxy, err = ParseChoice(v, ProxyOff, proxyOn, ProxyReadOnly)
				return err
			}},
		{name: "proxy-failure-wait", group: groupProxy, arg: "MS", def: "5000", usage: "Milliseconds for which a member that failed gets no requests.",
			set: func(c *Config, v string) (err error) { c.ProxyFailureWait, err = parseMillis(v); return err }},
		{name: "proxy-refresh-interval", group: groupProxy, arg: "MS", def: "30000", usage: "Milliseconds after which the proxy asks the cluster again who its members are.",
			set: func(c *Config, v string) (err error) { c.ProxyRefreshInterval, err = parseMillis(v); return err }},
		{name: "proxy-dial-timeout", group: groupProxy, arg: "MS", def: "1000", usage: "Milliseconds to wait for a connection to a member; 0 for no limit.",
			set: func(c *Config, v string) (err error) { c.ProxyDialTimeout, err = parseMillis(v); return err }},
		{name: "proxy-write-timeout", group: groupProxy, arg: "MS", def: "5000", usage: "Milliseconds for a member to take bytes; 0 for no limit.",
			set: func(c *Config, v string) (err error) { c.ProxyWriteTimeout, err = parseMillis(v); return err }},
		{name: "proxy-read-timeout", group: groupProxy, arg: "MS", def: "0", usage: "Milliseconds for a member to send something; 0 for no limit. It ends long polls too.",
			set: func(c *Config, v string) (err error) { c.ProxyReadTimeout, err = parseMillis(v); return err }},
	}
}

func durabilityFlags() []flagSpec {
	return []flagSpec{
		{name: "wal-dir", group: groupDurability, arg: "DIR", def: "${data-dir}/wal", usage: "Directory for the write-ahead log, if it shall live on a disk of its own.",
			example: "/fast/pando-wal", set: func(c *Config, v string) error { c.WALDir = v; return nil }},
		{name: "snapshot-count", group: groupDurability, arg: "N", def: "100000", usage: "Log entries between two checkpoints. Fewer make a restart faster, more make less disk traffic.",
			set: func(c *Config, v string) (err error) {
				c.SnapshotCount, err = parseWhole(v, math.MaxInt64)
				return err
			}},
		{name: "skip-log-entry", group: groupDurability, arg: "INDEX/TERM", usage: "Pass over one entry of the log that no version can apply, as the error names it that stopped the members. Start each member once with it, then take it away.",
			example: "57/3", set: func(c *Config, v string) (err error) { c.SkipLogEntry, err = parseEntryID(v); return err }},
		{name: "consistency-check-interval", group: groupDurability, arg: "MS", def: "60000", usage: "Milliseconds between two comparisons of what the members hold, in the background; 0 for none. A difference is an error in the log and a metric, pando_consistency_differences.",
			set: setConsistency},
	}
}

func limitFlags() []flagSpec {
	return []flagSpec{
		{name: "max-request-bytes", group: groupLimits, arg: "BYTES", def: "10485760", usage: "Longest request body, keys and values counted as they are and not as forms escape them; a longer one is answered 413. Left out, a form may have 10485760 bytes as it comes, and a longer one is answered 400: as the reference does.",
			set: setMaxRequestBytes},
		{name: "max-inflight-bytes", group: groupLimits, arg: "BYTES", def: "268435456", usage: "Bytes that all requests and answers of more than 64 KiB may hold in memory together. One that finds no room waits, and is answered 503 in the end.",
			set: func(c *Config, v string) error {
				n, err := parseWhole(v, math.MaxInt64)
				c.MaxInflightBytes = int64(n)
				return err
			}},
		{name: "max-connections", group: groupLimits, arg: "N", def: "0", usage: "Connections of clients that may be open; further ones are refused with 503. 0: what the limit of open files (ulimit -n) leaves beside the log and the peers.",
			set: func(c *Config, v string) error {
				n, err := parseWhole(v, math.MaxInt32)
				c.MaxConnections = int(n)
				return err
			}},
		{name: "catch-up-bytes", group: groupLimits, arg: "BYTES", def: "0", usage: "Log that stays in memory for members that lag behind; one that lags further gets a snapshot. 0 is 64 MiB, or more with a large --max-request-bytes.",
			set: func(c *Config, v string) error {
				n, err := parseWhole(v, maxCatchUpBytes)
				c.CatchUpBytes = int64(n)
				return err
			}},
		{name: "client-stall-timeout", group: groupLimits, arg: "MS", def: "30000", usage: "Milliseconds after which a client that takes nothing of its answer or its stream is cut off.",
			set: func(c *Config, v string) (err error) { c.ClientStallTimeout, err = parseMillis(v); return err }},
		{name: "history-size", group: groupLimits, arg: "N", def: "1000", usage: "Events kept for watches that start in the past (waitIndex). The reference always keeps 1000.",
			set: func(c *Config, v string) error {
				n, err := parseWhole(v, maxHistorySize)
				c.HistorySize = int(n)
				return err
			}},
		{name: "cors", group: groupLimits, arg: "ORIGINS", def: "*", usage: "Web origins that browsers may call from; commas between several, * for all.",
			example: "http://app.example.com", set: func(c *Config, v string) (err error) { c.CORS, err = parseCORS(v); return err }},
	}
}

func loggingFlags() []flagSpec {
	return []flagSpec{
		{name: "log-level", group: groupLogging, arg: "LEVEL", def: "info", usage: "Least level to log: debug, info, warn, error, panic or fatal.",
			set: func(c *Config, v string) (err error) { c.LogLevel, err = parseLogLevel(v); return err }},
		{name: "log-format", group: groupLogging, arg: "FORMAT", def: logFormatConsole, usage: "\"console\" for people (time, level, message, key=value), \"json\" for collectors.",
			set: func(c *Config, v string) (err error) {
				c.LogFormat, err = ParseChoice(v, logFormatConsole, LogFormatJSON)
				return err
			}},
		{name: "log-outputs", group: groupLogging, arg: "LIST", def: "stderr", usage: "Where to log: stderr, stdout or paths of files to append to; commas between several.",
			set: setLogOutputs},
	}
}

func observabilityFlags() []flagSpec {
	return []flagSpec{
		{name: "listen-metrics-urls", group: groupObservability, arg: "URLS", usage: "Further addresses that answer /metrics and /health alone. The client URLs always do.",
			example: "http://0.0.0.0:2381", set: setURLs(urlsToListen, func(c *Config) *[]url.URL { return &c.ListenMetricsURLs })},
		{name: "metrics", group: groupObservability, arg: "LEVEL", def: "basic", usage: "\"basic\" or \"extensive\". Pando always exports its histograms.",
			set: func(_ *Config, v string) error { _, err := ParseChoice(v, "basic", "extensive"); return err }},
		{name: "enable-pprof", group: groupObservability, def: "false", usage: "Serve Go's profiles under /debug/pprof/ on the client URLs.",
			set: func(c *Config, v string) (err error) { c.EnablePprof, err = parseBool(v); return err }},
	}
}

// setURLs reads a list of URLs into the field that pick points at.
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
		n = 0 // the default changes nothing, spelled out or not
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

// SpecOf finds a flag by name; nil if there is none.
func SpecOf(name string) *flagSpec {
	for i := range flagSpecs {
		if flagSpecs[i].name == name {
			return &flagSpecs[i]
		}
	}
	return nil
}

// oldSpellings are the flags that say the same as the named one.
func oldSpellings(name string) []*flagSpec {
	var old []*flagSpec
	for i := range flagSpecs {
		if flagSpecs[i].oldFor == name {
			old = append(old, &flagSpecs[i])
		}
	}
	return old
}

// FlagNames lists every flag.
func FlagNames() []string {
	names := make([]string, len(flagSpecs))
	for i := range flagSpecs {
		names[i] = flagSpecs[i].name
	}
	return names
}

// CommandLine keeps the text of each flag that the command line gives, unparsed: the environment and the file
// feed the same parsers.
type CommandLine struct{ raw map[string]*rawFlag }

func NewCommandLine() *CommandLine {
	c := &CommandLine{raw: map[string]*rawFlag{}}
	for i := range flagSpecs {
		c.raw[flagSpecs[i].name] = &rawFlag{isSwitch: flagSpecs[i].arg == ""}
	}
	return c
}

// CliFlags declares the flags to the library; its help shows those of a list, or all where there is none.
func (c *CommandLine) CliFlags(shown ...string) []cli.Flag {
	var flags []cli.Flag
	for i := range flagSpecs {
		spec := &flagSpecs[i]
		flags = append(flags, &cli.GenericFlag{
			Name: spec.name, Usage: spec.usage, Value: c.raw[spec.name], DefaultText: spec.def,
			Hidden: len(shown) > 0 && !slices.Contains(shown, spec.name),
		})
	}
	return flags
}

// Values returns what was given, by flag.
func (c *CommandLine) Values() map[string]string {
	values := map[string]string{}
	for name, raw := range c.raw {
		if raw.given {
			values[name] = raw.text
		}
	}
	return values
}

// rawFlag is the text of one flag, for the flag package.
type rawFlag struct {
	text     string
	given    bool
	isSwitch bool
}

// Set keeps the text; it is parsed with the settings from the other places.
func (r *rawFlag) Set(text string) error {
	r.text, r.given = text, true
	return nil
}

// String returns the text.
func (r *rawFlag) String() string { return r.text }

// IsBoolFlag tells the flag package that the flag stands without a value.
func (r *rawFlag) IsBoolFlag() bool { return r.isSwitch }
