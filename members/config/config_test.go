package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
)

// dump is a Config as text, for comparisons.
func dump(c *Config) string {
	plain := *c
	plain.origins, plain.Stdout = nil, nil
	return fmt.Sprintf("%+v", plain)
}

// assignments parses "a=1 b=2" as flags.
func assignments(text string) map[string]string {
	flags := map[string]string{}
	for _, item := range strings.Fields(text) {
		name, value, _ := strings.Cut(item, "=")
		flags[name] = value
	}
	return flags
}

func TestDefaults(t *testing.T) {
	cfg, warnings, err := Load(nil, nil)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("error %v, warnings %q", err, warnings)
	}
	got := fmt.Sprintln(cfg.Name, cfg.DataDir, cfg.WALDir == "", URLStrings(cfg.ListenClientURLs), URLStrings(cfg.AdvertiseClientURLs),
		URLStrings(cfg.ListenPeerURLs), URLStrings(cfg.InitialAdvertisePeerURLs), cfg.InitialCluster, cfg.InitialClusterToken,
		cfg.InitialClusterState, cfg.SnapshotCount, cfg.RequestBytes(), cfg.HistorySize, cfg.HeartbeatInterval, cfg.ElectionTimeout,
		cfg.CORS, cfg.HostWhitelist, cfg.AuditReads, cfg.MetricsOnClientURLs,
		cfg.EnablePprof, cfg.LogLevel, cfg.LogFormat, cfg.LogOutputs, len(cfg.ListenMetricsURLs))
	want := "default default.pando true [http://localhost:2379] [http://localhost:2379] " +
		"[http://localhost:2380] [http://localhost:2380] map[default:[http://localhost:2380]] etcd-cluster " +
		"new 100000 10485760 1000 100ms 1s [] [*] true true false info console [stderr] 0\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestDerivedDefaults(t *testing.T) {
	cfg, _, err := Load(assignments("name=m1 initial-advertise-peer-urls=http://10.0.0.1:7001 heartbeat-interval=20ms debug=true"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.DataDir != "m1.pando" {
		t.Errorf("data directory %s", cfg.DataDir)
	}
	if got := fmt.Sprint(cfg.InitialCluster); got != "map[m1:[http://10.0.0.1:7001]]" {
		t.Errorf("initial cluster %s", got)
	}
	if cfg.HeartbeatInterval != 20*time.Millisecond || cfg.LogLevel != zapcore.DebugLevel {
		t.Errorf("heartbeat %v, level %v", cfg.HeartbeatInterval, cfg.LogLevel)
	}
}

const advertise = " advertise-client-urls=http://a:1"

// TestWrongValues compares the errors of wrong values: each names the flag, the problem and the fix.
func TestWrongValues(t *testing.T) {
	for _, test := range []struct{ flags, want string }{
		{"name=", `--name: is empty; give the member a name, or leave the flag out for "default"`},
		{"name=a,b", `--name: "a,b" contains a comma, an equals sign or a control character; `},
		{"data-dir=/d wal-dir=/d/", "--wal-dir: is the data directory itself; "},
		{"listen-client-urls=http://0.0.0.0:1",
			"--advertise-client-urls: is required when --listen-client-urls is set: clients learn from it where to connect; " +
				"add --advertise-client-urls=http://127.0.0.1:1"},
		{"listen-client-urls=localhost:4001" + advertise,
			`--listen-client-urls: "localhost:4001" has no scheme; write it as http://HOST:PORT, for example http://localhost:4001`},
		{"listen-client-urls=http://example.com:1" + advertise, `"http://example.com:1" listens on a name; use the IP address to bind`},
		{"listen-client-urls=http://127.0.0.1" + advertise, `"http://127.0.0.1" has no port; `},
		{"listen-client-urls=http://127.0.0.1:99999" + advertise, "has a port that cannot be dialled; "},
		{"listen-client-urls=http://127.0.0.1:1/" + advertise, "has more than a host and a port; "},
		{"listen-client-urls=ftp://127.0.0.1:1" + advertise, "has an unknown scheme"},
		{"listen-client-urls=http://:1" + advertise, "has no host; "},
		{"listen-client-urls=" + advertise, "--listen-client-urls: has no URL; " +
			"give at least one, for example --listen-client-urls=http://0.0.0.0:2379"},
		{"advertise-client-urls=http://a:0", "has a port that cannot be dialled"},
		{"listen-peer-urls=http://localhost:2379", "--listen-peer-urls: localhost:2379 is in --listen-client-urls too; give each its own port"},
		{"initial-cluster=foo", `--initial-cluster: "foo" is not NAME=URL; `},
		{"initial-cluster=default=foo", `--initial-cluster: "foo" has no scheme; `},
		{"discovery=example.com", `--discovery: "example.com" has no scheme http or https, or no host; write it as http://HOST:PORT/PATH`},
		{"discovery=http://user:secret@[/", "--discovery: is not a URL; "},
		{"discovery=http://a:1/k initial-cluster=default=http://localhost:2380",
			"--discovery: is given beside --initial-cluster; choose one of --initial-cluster, --discovery and --discovery-srv"},
		{"discovery=http://a:1/k discovery-srv=example.com", "--discovery-srv: is given beside --discovery; choose one"},
		{"discovery=http://a:1/k initial-cluster-state=existing",
			"--discovery: founds new clusters, and --initial-cluster-state is existing; name the members"},
		{"discovery-fallback=retry", `--discovery-fallback: "retry" is not one of the choices; use exit or proxy`},
		{"discovery-proxy=localhost", `--discovery-proxy: "localhost" has no scheme`},
		{"proxy=yes", `--proxy: "yes" is not one of the choices; use off, on or readonly`},
		{"proxy-refresh-interval=5", "--proxy-refresh-interval: 5ms is too short; set it to 100 or more"},
		{"proxy-dial-timeout=soon", `--proxy-dial-timeout: "soon" is not a number of milliseconds; `},
		{"initial-cluster-state=old", `--initial-cluster-state: "old" is not one of the choices; use new or existing`},
		{"skip-log-entry=57", `--skip-log-entry: "57" is not an entry of the log; ` +
			`copy INDEX/TERM from the error that asks for the flag, for example 57/3`},
		{"skip-log-entry=0/3", `--skip-log-entry: "0/3" is not an entry of the log; `},
		{"snapshot-count=0", "--snapshot-count: must be above 0; leave it out for 100000"},
		{"snapshot-count=-1", `--snapshot-count: "-1" is not a whole number from 0 up; `},
		{"snapshot-count=99999999999999999999", `is not a whole number from 0 up`},
		{"history-size=0", "--history-size: 0 is not between 1 and 10000000; leave it out for 1000"},
		{"history-size=10000001", "--history-size: 10000001 is too large; 10000000 is the most it can be"},
		{"max-request-bytes=0", "--max-request-bytes: 0 is not between 1 and 536870912; leave it out for 10485760"},
		{"max-request-bytes=1.5MiB", `--max-request-bytes: "1.5MiB" is not a whole number from 0 up; write digits alone`},
		{"heartbeat-interval=0", "--heartbeat-interval: 0ms is not above 0; "},
		{"heartbeat-interval=fast", `--heartbeat-interval: "fast" is not a number of milliseconds; `},
		{"heartbeat-interval=1500us", "is not a whole number of milliseconds"},
		{"heartbeat-interval=300", "--heartbeat-interval: the election timeout, 1000ms, is less than 5 heartbeats of 300ms; " +
			"set --election-timeout to 1500 or more, or --heartbeat-interval to 200 or less"},
		{"election-timeout=499", "--election-timeout: the election timeout, 499ms, is less than 5 heartbeats of 100ms; "},
		{"election-timeout=50001", "--election-timeout: 50001ms is too long; set it to 50000 or less"},
		{"cors=example.com", `--cors: "example.com" is not an origin; `},
		{"enable-pprof=maybe", `--enable-pprof: "maybe" is neither true nor false; write true or false`},
		{"metrics=all", `--metrics: "all" is not one of the choices; use basic or extensive`},
		{"log-level=loud", "use debug, info, warn, error, panic or fatal"},
		{"log-format=xml", "use console or json"},
		{"log-outputs=", "--log-outputs: is empty; use stderr, stdout or the path of a file"},
		{"log-outputs=systemd/journal", "use stderr: systemd takes it into its journal"},
		{"logger=log4j", "use zap or capnslog"},
	} {
		t.Run(test.flags, func(t *testing.T) {
			_, _, err := Load(assignments(test.flags), nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, _, err := Load(assignments("snapshot-count=x cors=y log-level=z"), nil)
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("want three lines, got: %v", err)
	}
}

func TestAcceptedValues(t *testing.T) {
	for _, flags := range []string{
		"election-timeout=500", "election-timeout=50000", "election-timeout=50s", "history-size=1", "history-size=10000000",
		"snapshot-count=1", "max-request-bytes=1", "cors=", "cors=http://a.example,https://b.example:8443", "initial-cluster-token=",
		"listen-client-urls=http://127.0.0.1:0 advertise-client-urls=https://kv.example.com:443 listen-peer-urls=http://[::1]:0",
		"listen-client-urls=http://127.0.0.1:1,http://127.0.0.1:1 advertise-client-urls=http://a:1", "wal-dir=", "data-dir=",
		"initial-cluster=m=http://b:1,m=http://a:1 name=m initial-advertise-peer-urls=http://a:1,http://b:1",
		"initial-cluster=default=http://localhost:2380,b=http://x:1",
		"initial-cluster=default=http://localhost:2380,b=http://x:1 initial-cluster-state=existing",
		"discovery=http://user:secret@a:1/v2/keys/k discovery-fallback=exit discovery-proxy=http://b:3128",
		"discovery= discovery-srv= proxy-read-timeout=0",
		"discovery-srv=example.com. discovery-srv-name=x initial-cluster-state=existing",
		"proxy=on initial-cluster=a=http://x:1 listen-client-urls=http://127.0.0.1:1", "proxy=readonly discovery-srv=example.com",
	} {
		t.Run(flags, func(t *testing.T) {
			if _, _, err := Load(assignments(flags), nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestClusterSources checks which settings may be combined to find the cluster.
func TestClusterSources(t *testing.T) {
	for _, test := range []struct{ flags, cluster string }{
		{"", "map[default:[http://localhost:2380]]"},
		{"discovery=http://a:1/k", "map[]"},
		{"discovery-srv=example.com.", "map[]"},
		{"proxy=on initial-cluster=a=http://x:1,b=http://y:1", "map[a:[http://x:1] b:[http://y:1]]"},
	} {
		t.Run(test.flags, func(t *testing.T) {
			cfg, _, err := Load(assignments(test.flags), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(cfg.InitialCluster); got != test.cluster {
				t.Errorf("got %s, want %s", got, test.cluster)
			}
			if strings.HasSuffix(cfg.DiscoverySRV, ".") {
				t.Errorf("domain %s", cfg.DiscoverySRV)
			}
		})
	}
}

// TestCheckFounding checks lists of first members with and without this member.
func TestCheckFounding(t *testing.T) {
	for _, test := range []struct{ flags, want string }{
		{"initial-cluster=a=http://x:1", `--initial-cluster: does not mention this member, "default"; add default=http://localhost:2380`},
		{"initial-cluster=default=http://x:1",
			"--initial-cluster: has default at http://x:1, but --initial-advertise-peer-urls is http://localhost:2380; "},
		{"initial-cluster=default=http://localhost:2380,b=http://x:1", ""},
		{"initial-cluster=m=http://b:1,m=http://a:1 name=m initial-advertise-peer-urls=http://a:1,http://b:1", ""},
		{"discovery=http://a:1/k", ""},
		{"", ""},
	} {
		t.Run(test.flags, func(t *testing.T) {
			cfg, _, err := Load(assignments(test.flags), nil)
			if err != nil {
				t.Fatal(err)
			}
			err = cfg.CheckFounding()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}
