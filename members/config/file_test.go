package config

import (
	"strings"
	"testing"
)

// TestConfigFileOfTheReference reads a file for the reference: with sections, nulls and default values.
func TestConfigFileOfTheReference(t *testing.T) {
	path := writeConfigFile(t, `
name: 'default'
data-dir:
wal-dir:
snapshot-count: 10000
heartbeat-interval: 200
election-timeout: '2000'
quota-backend-bytes: 0
listen-peer-urls: http://localhost:2380
listen-client-urls: [http://127.0.0.1:2379, "http://10.0.0.1:2379"]
advertise-client-urls: http://10.0.0.1:2379
max-snapshots: 5
max-wals: 5
cors:
discovery:
discovery-fallback: 'proxy'
initial-cluster:
initial-cluster-token: 'etcd-cluster'
initial-cluster-state: 'new'
strict-reconfig-check: false
enable-v2: true
enable-pprof: yes
proxy: off
proxy-failure-wait: 5000
client-transport-security:
  ca-file:
  cert-file:
  client-cert-auth: false
peer-transport-security:
  peer-client-cert-auth: false
  auto-tls: false
debug: false
logger: zap
log-outputs: [stderr]
force-new-cluster: false
`)
	cfg, warnings, err := Load(map[string]string{"config-file": path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0], "--strict-reconfig-check (from pando.yml, line 20) has no effect: ") {
		t.Errorf("warnings %q", warnings)
	}
	if cfg.SnapshotCount != 10000 || cfg.ElectionTimeout.Seconds() != 2 || !cfg.EnablePprof ||
		cfg.DataDir != "default.pando" || cfg.ConfigFile != path {
		t.Errorf("got %s", dump(cfg))
	}
	if got := strings.Join(URLStrings(cfg.ListenClientURLs), " "); got != "http://127.0.0.1:2379 http://10.0.0.1:2379" {
		t.Errorf("client URLs %s", got)
	}
}

func TestConfigFileProblems(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"key twice", "name: a\nname: b\n", "line 2: name is set twice, first in line 1; keep one"},
		{"section for a value", "name: {a: b}\n", "name takes one value, not a section"},
		{"nested list", "cors: [[a]]\n", "cors is a list of more than plain values"},
		{"value for a section", "client-transport-security: x\n", "client-transport-security is a section"},
		{"not YAML", "cors: [a\n", "pando.yml is not YAML: "},
		{"not a mapping", "- a\n", "does not hold settings; write lines of the form data-dir: /var/lib/pando"},
		{"two documents", "name: a\n---\nname: b\n", "holds more than one YAML document"},
		{"twice by two spellings", "client-transport-security:\n  ca-file: a\n  trusted-ca-file: b\n",
			"line 3: trusted-ca-file is set twice, first in line 2"},
		{"all at once", "name: {a: b}\ncors: [[a]]\n", "pando.yml line 2: cors is a list"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := Load(map[string]string{"config-file": writeConfigFile(t, test.text)}, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// TestConfigFileUnknownKeys checks that keys of other versions and misspelled keys are warnings.
func TestConfigFileUnknownKeys(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"near another", "nme: x\n", `pando.yml line 1: unknown setting "nme" has no effect; did you mean name?`},
		{"far from all", "qqqqqqqq: {a: [b]}\n", `unknown setting "qqqqqqqq" has no effect; see pando --help for the names`},
		{"in a section", "client-transport-security:\n  key-fil: x\n",
			`line 2: unknown setting "key-fil" has no effect; did you mean key-file?`},
		{"of a newer version", "max-voters: 1\n", `unknown setting "max-voters" has no effect`},
		{"file in a file", "config-file: x\n", `unknown setting "config-file" has no effect`},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg, warnings, err := Load(map[string]string{"config-file": writeConfigFile(t, test.text+"Election-Timeout: 2000\n")}, nil)
			if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], test.want) {
				t.Fatalf("got  %q, %v\nwant %s", warnings, err, test.want)
			}
			if cfg.ElectionTimeout.Seconds() != 2 {
				t.Errorf("the next key, in capitals, was not read: %v", cfg.ElectionTimeout)
			}
		})
	}
}

func TestConfigFileWithoutSettings(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "~\n"} {
		t.Run(text, func(t *testing.T) {
			cfg, _, err := Load(map[string]string{"config-file": writeConfigFile(t, text)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if cfg.Name != defaultName {
				t.Errorf("name %q", cfg.Name)
			}
		})
	}
}

func TestConfigFileAlias(t *testing.T) {
	path := writeConfigFile(t, "listen-client-urls: &u http://127.0.0.1:4001\nadvertise-client-urls: *u\n")
	cfg, _, err := Load(map[string]string{"config-file": path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.AdvertiseClientURLs[0].Host; got != "127.0.0.1:4001" {
		t.Errorf("got %s", got)
	}
}
