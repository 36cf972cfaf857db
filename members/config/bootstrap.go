package config

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// minProxyRefresh keeps a proxy from asking its cluster all the time.
const minProxyRefresh = 100 * time.Millisecond

// checkBootstrap makes sure that one setting alone says where the cluster is found.
func (c *Config) checkBootstrap() *FlagError {
	var given []string
	for _, way := range []struct {
		flag string
		used bool
	}{
		{"initial-cluster", c.origins["initial-cluster"].given && len(c.InitialCluster) > 0},
		{"discovery", c.Discovery != ""},
		{"discovery-srv", c.DiscoverySRV != ""},
	} {
		if way.used {
			given = append(given, way.flag)
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

// parseServiceURL reads the URL of a service of others, which may have a path and a password. Empty is none.
func parseServiceURL(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", &valueError{"is not a URL", "write it as http://HOST:PORT/PATH"} // the error would show a password
	case (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return "", &valueError{fmt.Sprintf("%q has no scheme http or https, or no host", u.Redacted()), "write it as http://HOST:PORT/PATH"}
	}
	return text, nil
}
