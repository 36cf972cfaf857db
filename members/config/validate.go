package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Validate checks everything that can be checked without disk and network. It returns all problems, joined; each is a
// *FlagError.
func (c *Config) Validate() error {
	var errs []error
	for _, check := range []func() *FlagError{
		c.checkName, c.checkWALDir, c.checkBootstrap, c.checkProxyTimes, c.checkSharedAddress,
		c.checkSnapshotCount, c.checkHistorySize, c.checkMaxRequestBytes, c.checkInflight, c.checkGRPCBytes, c.checkHeaderBytes,
		c.checkStallTimeout,
		c.checkRetention, c.checkProgressInterval, c.checkPinTimeout,
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
	return errors.Join(append(errs, c.checkTLS()...)...)
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
		return c.FlagError("wal-dir", "is the data directory itself",
			"give the log a directory of its own, or leave the flag out for "+filepath.Join(c.DataDir, "wal"))
	}
	return nil
}

// CheckFounding checks that the initial cluster includes this member. It must be called only for a member without data: for
// one with data --initial-cluster has no effect.
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

// checkSharedAddress checks that no two flags name the same address to listen on.
func (c *Config) checkSharedAddress() *FlagError {
	owner := map[string]string{}
	for _, l := range []struct {
		flag string
		urls []url.URL
	}{{"listen-client-urls", c.ListenClientURLs}, {"listen-peer-urls", c.ListenPeerURLs}, {"listen-metrics-urls", c.ListenMetricsURLs}} {
		for _, u := range l.urls {
			address := u.Host + u.Path
			if _, port, err := net.SplitHostPort(u.Host); !isUnix(u) && (err != nil || port == "0") {
				continue
			}
			if other, taken := owner[address]; taken && other != l.flag {
				return c.FlagError(l.flag, address+" is in --"+other+" too", "give each its own port")
			}
			owner[address] = l.flag
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

func (c *Config) checkGRPCBytes() *FlagError {
	if c.MaxGRPCBytes < MinMaxGRPC {
		return c.FlagError("max-grpc-bytes", fmt.Sprintf("%d is less than %d", c.MaxGRPCBytes, MinMaxGRPC),
			fmt.Sprintf("leave it out for %d", DefaultMaxGRPC))
	}
	return nil
}

func (c *Config) checkHeaderBytes() *FlagError {
	if c.MaxHeaderBytes < minMaxHeaderBytes {
		return c.FlagError("max-header-bytes", fmt.Sprintf("%d is less than %d", c.MaxHeaderBytes, minMaxHeaderBytes),
			fmt.Sprintf("leave it out for %d", defaultMaxHeaderBytes))
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

func (c *Config) checkProgressInterval() *FlagError {
	if c.WatchProgressInterval < minProgressInterval {
		return c.FlagError("watch-progress-notify-interval", fmt.Sprintf("%v is less than %v", c.WatchProgressInterval, minProgressInterval),
			"leave it out for 10m")
	}
	return nil
}

func (c *Config) checkPinTimeout() *FlagError {
	if c.PinnedViewTimeout < minPinTimeout {
		return c.FlagError("pinned-view-timeout", fmt.Sprintf("%v is less than %v", c.PinnedViewTimeout, minPinTimeout),
			fmt.Sprintf("leave it out for %v, or pin nothing with --max-pinned-views=0", defaultPinTimeout))
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
			flag = "heartbeat-interval" // the election timeout has its default, so the heartbeat is wrong
		}
		fix := fmt.Sprintf("set --election-timeout to %d or more, or --heartbeat-interval to %d or less", least, election/electionHeartbeats)
		if least > maxElectionTimeout.Milliseconds() {
			fix = fmt.Sprintf("set --heartbeat-interval to %d or less", max(1, election/electionHeartbeats))
		}
		return c.FlagError(flag, fmt.Sprintf("the election timeout, %dms, is less than %d heartbeats of %dms", election,
			electionHeartbeats, heartbeat), fix)
	}
	if c.ElectionTimeout > maxElectionTimeout {
		return c.FlagError("election-timeout", fmt.Sprintf("%dms is too long", election),
			fmt.Sprintf("set it to %d or less", maxElectionTimeout.Milliseconds()))
	}
	return nil
}

// FlagError returns an error about a setting of c, with the origin of its value. flag is the name without dashes.
func (c *Config) FlagError(flag, problem, fix string) *FlagError {
	return &FlagError{Flag: flag, Origin: c.origins[flag].place, Problem: problem, Fix: fix}
}

// sameStrings reports whether two lists have the same elements, in any order and number.
func sameStrings(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// checkBootstrap checks that at most one of --initial-cluster, --discovery and --discovery-srv is given.
func (c *Config) checkBootstrap() *FlagError {
	var given []string
	for _, source := range []struct {
		flag string
		used bool
	}{
		{"initial-cluster", c.origins["initial-cluster"].given && len(c.InitialCluster) > 0},
		{"discovery", c.Discovery != ""},
		{"discovery-srv", c.DiscoverySRV != ""},
	} {
		if source.used {
			given = append(given, source.flag)
		}
	}
	if len(given) > 1 {
		return c.FlagError(given[len(given)-1], "is given beside --"+strings.Join(given[:len(given)-1], " and --"),
			"choose one of --initial-cluster, --discovery and --discovery-srv")
	}
	if c.Discovery != "" && c.InitialClusterState == ClusterExisting {
		return c.FlagError("discovery", "founds new clusters, and --initial-cluster-state is existing",
			"name the members of the running cluster in --initial-cluster to join it, or leave --initial-cluster-state out to found one")
	}
	return nil
}

func (c *Config) checkProxyTimes() *FlagError {
	if d := c.ProxyRefreshInterval; d < minProxyRefresh {
		return c.FlagError("proxy-refresh-interval", fmt.Sprintf("%dms is too short", d.Milliseconds()),
			fmt.Sprintf("set it to %d or more", minProxyRefresh.Milliseconds()))
	}
	return nil
}
