package program

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pando/members/config"
	"pando/members/servertest"
)

// configImport is one call of import-etcd-config in a test.
type configImport struct {
	dir                 string
	source              string
	environment, inYAML string // the files that are written
	output              string
}

// importConfig runs import-etcd-config on a file with a text.
func importConfig(t *testing.T, name, text string, more ...string) (*configImport, error) {
	t.Helper()
	dir := t.TempDir()
	c := &configImport{dir: dir, source: filepath.Join(dir, name),
		environment: filepath.Join(dir, "pando"), inYAML: filepath.Join(dir, "pando.yml")}
	if err := os.MkdirAll(filepath.Dir(c.source), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return c, c.run(t, more...)
}

func (c *configImport) run(t *testing.T, more ...string) error {
	t.Helper()
	var out, errOut strings.Builder
	args := append([]string{"pando", "import-etcd-config", c.source, "--environment-file", c.environment, "--config-file", c.inYAML}, more...)
	err := run(t.Context(), args, &out, &errOut)
	c.output = out.String() + errOut.String()
	return err
}

// settings returns the lines of a file that are no comments.
func settings(t *testing.T, file string) string {
	t.Helper()
	return strings.Join(servertest.Lines(t, file), "\n")
}

// environmentImport is an environment file of etcd, and what import-etcd-config makes of it.
type environmentImport struct {
	file, text string
	want       string   // the settings that are written
	says       []string // in the output
}

// environmentImports returns environment files of etcd on a host, by what is special about them.
func environmentImports(host string) map[string]environmentImport {
	return map[string]environmentImport{
		"Debian's own file": {"default/etcd", "## etcd(1) daemon options\n", "ETCD_NAME=" + host + "\nETCD_DATA_DIR=/var/lib/pando",
			[]string{"pando import-etcd /var/lib/etcd/default --name " + host + " --data-dir /var/lib/pando", "systemctl disable --now etcd",
				"chown -R pando:pando /var/lib/pando", "systemctl enable --now pando"}},
		"a member of a cluster": {"etcd.conf", `# of a distribution
export ETCD_NAME="m1"
ETCD_DATA_DIR='/srv/etcd'
ETCD_WAL_DIR=/fast/wal
ETCD_LISTEN_CLIENT_URLS="http://10.0.0.1:2379,\
    http://127.0.0.1:2379"
ETCD_ADVERTISE_CLIENT_URLS=http://10.0.0.1:2379
ETCD_LISTEN_PEER_URLS=http://10.0.0.1:2380
ETCD_INITIAL_ADVERTISE_PEER_URLS=http://10.0.0.1:2380
ETCD_INITIAL_CLUSTER=m1=http://10.0.0.1:2380
ETCD_INITIAL_CLUSTER_STATE=existing
GOMAXPROCS=4
`, `ETCD_NAME=m1
ETCD_DATA_DIR=/var/lib/pando
ETCD_LISTEN_CLIENT_URLS=http://10.0.0.1:2379,http://127.0.0.1:2379
ETCD_ADVERTISE_CLIENT_URLS=http://10.0.0.1:2379
ETCD_LISTEN_PEER_URLS=http://10.0.0.1:2380
ETCD_INITIAL_ADVERTISE_PEER_URLS=http://10.0.0.1:2380
ETCD_INITIAL_CLUSTER=m1=http://10.0.0.1:2380
GOMAXPROCS=4`, []string{"wal-dir is left out", "initial-cluster-state is left out",
			"pando import-etcd /srv/etcd --from-wal-dir /fast/wal --name m1 --data-dir /var/lib/pando --initial-cluster m1=http://10.0.0.1:2380 " +
				"--initial-advertise-peer-urls http://10.0.0.1:2380"}},
		"settings without a meaning": {"etcd", `ETCD_MAX_WALS=3
ETCD_AUTH_TOKEN=jwt,pub-key=/a
ETCD_QUOTA_BACKEND_BYTES=8589934592
ETCD_SNAPSHOT_COUNT=5000
ETCD_STORE_RETRIES=true
ETCDCTL_ENDPOINTS=http://a:2379
ETCD_DISCOVERY=http://10.0.0.9:2379/v2/keys/discovery/6f1e
`, "ETCD_SNAPSHOT_COUNT=5000\nETCD_DATA_DIR=/var/lib/pando", []string{"max-wals is left out: Pando removes only files",
			"auth-token is left out: Pando makes tokens with a key", "quota-backend-bytes is left out", "discovery is left out",
			"ETCD_STORE_RETRIES is no setting", "ETCDCTL_ENDPOINTS is for the client", "import-etcd default.etcd "}},
		"flags in a variable": {"etcd", `ETCD_NAME=old
DAEMON_ARGS="--name new --debug --listen-metrics-urls=http://127.0.0.1:2381 --store-retries=5"
`, "ETCD_NAME=new\nETCD_DEBUG=true\nETCD_LISTEN_METRICS_URLS=http://127.0.0.1:2381\nETCD_DATA_DIR=/var/lib/pando",
			[]string{"--store-retries is no flag"}},
		"certificates and a log file": {"etcd", `ETCD_CERT_FILE=/etc/etcd/a.pem
ETCD_KEY_FILE=/etc/etcd/a key.pem
ETCD_LOG_OUTPUTS=/var/log/etcd.log
`, `ETCD_CERT_FILE=/etc/etcd/a.pem
ETCD_KEY_FILE="/etc/etcd/a key.pem"
ETCD_LOG_OUTPUTS=/var/log/etcd.log
ETCD_DATA_DIR=/var/lib/pando`, []string{
			"the user pando must be able to read /etc/etcd/a.pem, /etc/etcd/a key.pem", "change /var/log/etcd.log",
		}},
	}
}

func TestImportConfigEnvironment(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range environmentImports(host) {
		t.Run(name, func(t *testing.T) {
			c, err := importConfig(t, test.file, test.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := settings(t, c.environment); got != test.want {
				t.Errorf("it wrote\n%s\nwant\n%s", got, test.want)
			}
			for _, want := range test.says {
				if !strings.Contains(c.output, want) {
					t.Errorf("%q is not in the output\n%s", want, c.output)
				}
			}
			if text, err := os.ReadFile(c.source); err != nil || string(text) != test.text {
				t.Errorf("the file of etcd has changed: %v", err)
			}
		})
	}
}

func TestImportConfigYAML(t *testing.T) {
	c, err := importConfig(t, "etcd.conf.yml", `# of etcd
name: m1
data-dir: /srv/etcd   # a disk of its own
max-wals: 5
listen-client-urls: https://10.0.0.1:2379
advertise-client-urls: https://10.0.0.1:2379
client-transport-security:
  cert-file: /etc/etcd/server.pem
  key-file: /etc/etcd/server-key.pem
`)
	if err != nil {
		t.Fatal(err)
	}
	if got := settings(t, c.environment); got != "ETCD_CONFIG_FILE="+c.inYAML {
		t.Errorf("the environment file has %s", got)
	}
	cfg, warnings, err := config.Load(nil, servertest.Lines(t, c.environment))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Name != "m1" || cfg.DataDir != "/var/lib/pando" || cfg.ClientTLS.CertFile != "/etc/etcd/server.pem" {
		t.Errorf("it wrote %+v", cfg)
	}
	for _, w := range warnings {
		if strings.Contains(w, "max-wals") {
			t.Errorf("the service warns: %s", w)
		}
	}
	for _, want := range []string{"max-wals is left out", "pando import-etcd /srv/etcd --config-file " + c.inYAML, "server-key.pem"} {
		if !strings.Contains(c.output, want) {
			t.Errorf("%q is not in the output\n%s", want, c.output)
		}
	}
}

// TestImportConfigKeepsOld checks that no file is lost, whose settings somebody may have written by hand.
func TestImportConfigKeepsOld(t *testing.T) {
	c, err := importConfig(t, "etcd", "ETCD_NAME=a\n", "--dry-run")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.environment); !os.IsNotExist(err) || !strings.Contains(c.output, "    ETCD_NAME=a\n") {
		t.Fatalf("with --dry-run: %v\n%s", err, c.output)
	}
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	write(c.environment, "by hand")
	for _, name := range []string{"a", "a", "b"} {
		write(c.source, "ETCD_NAME="+name+"\n")
		if err := c.run(t); err != nil {
			t.Fatal(err)
		}
		if got := settings(t, c.environment); !strings.HasPrefix(got, "ETCD_NAME="+name+"\n") {
			t.Errorf("it wrote %s", got)
		}
	}
	if got := settings(t, c.environment+".old"); got != "by hand" {
		t.Errorf("the first file is now %s", got)
	}
	if got := settings(t, c.environment+".old1"); !strings.HasPrefix(got, "ETCD_NAME=a\n") {
		t.Errorf("the second file is now %s", got)
	}
	if info, err := os.Stat(c.environment); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode has changed: %v, %v", info, err)
	}
}

func TestImportConfigErrors(t *testing.T) {
	for name, test := range map[string]struct{ file, text, want string }{
		"another file counts": {"etcd", "ETCD_CONFIG_FILE=/etc/etcd.yml", "pando import-etcd-config /etc/etcd.yml"},
		"no settings":         {"etcd.conf", "hello", "holds no settings"},
		"no YAML":             {"etcd.yml", "a: b: c", "neither YAML nor an environment file"},
		"a list":              {"etcd.yml", "- a\n", "holds no settings"},
		"a broken line":       {"etcd", "ETCD_NAME=a\nETCD_DATA_DIR\n", "line 2:"},
		"an open quote":       {"etcd", "ETCD_NAME=\"a\n", "line 1: a quote is not closed"},
		"a wrong flag":        {"etcd", "DAEMON_ARGS=\"--name\"\n", "the flag --name has no value"},
		"a word":              {"etcd", "DAEMON_ARGS=\"name\"\n", `"name" is no flag`},
		"a wrong value":       {"etcd", "ETCD_LISTEN_CLIENT_URLS=10.0.0.1\n", "nothing was written"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := importConfig(t, test.file, test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q in it", err, test.want)
			}
			if code := report(&strings.Builder{}, err); code != ExitUsage {
				t.Errorf("exit code %d", code)
			}
			for _, file := range []string{c.environment, c.inYAML} {
				if _, err := os.Stat(file); !os.IsNotExist(err) {
					t.Errorf("%s was written", file)
				}
			}
		})
	}
}
