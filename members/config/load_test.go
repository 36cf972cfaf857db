package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// writeConfigFile writes text to a file pando.yml and returns its path.
func writeConfigFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pando.yml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	file := writeConfigFile(t, "name: file\n")
	other := writeConfigFile(t, "name: other\n")
	for _, test := range []struct {
		name  string
		flags map[string]string
		env   []string
		want  string
	}{
		{"default", nil, nil, "default"},
		{"file", map[string]string{"config-file": file}, nil, "file"},
		{"ETCD over file", map[string]string{"config-file": file}, []string{"ETCD_NAME=etcd"}, "etcd"},
		{"PANDO over ETCD", map[string]string{"config-file": file}, []string{"ETCD_NAME=etcd", "PANDO_NAME=pando"}, "pando"},
		{"flag over all", map[string]string{"config-file": file, "name": "flag"}, []string{"ETCD_NAME=etcd", "PANDO_NAME=pando"}, "flag"},
		{"empty variable is unset", map[string]string{"config-file": file}, []string{"ETCD_NAME=etcd", "PANDO_NAME="}, "etcd"},
		{"file named by ETCD", nil, []string{"ETCD_CONFIG_FILE=" + file}, "file"},
		{"file named by PANDO", nil, []string{"ETCD_CONFIG_FILE=" + file, "PANDO_CONFIG_FILE=" + other}, "other"},
		{"file named by flag", map[string]string{"config-file": other}, []string{"PANDO_CONFIG_FILE=" + file}, "other"},
		{"file switched off", map[string]string{"config-file": ""}, []string{"PANDO_CONFIG_FILE=" + file}, "default"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg, _, err := Load(test.flags, test.env)
			if err != nil {
				t.Fatal(err)
			}
			if cfg.Name != test.want {
				t.Errorf("got %q, want %q", cfg.Name, test.want)
			}
		})
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	for _, test := range []struct{ name, file, env, want string }{
		{"PANDO variable", "", "PANDO_SNAPSHOT_COUNT=x",
			`--snapshot-count (from PANDO_SNAPSHOT_COUNT in the environment): "x" is not a whole number`},
		{"ETCD variable", "", "ETCD_ENABLE_PPROF=x", `--enable-pprof (from ETCD_ENABLE_PPROF in the environment): "x" is neither`},
		{"file", "\n\nsnapshot-count: 1e5\n", "", `--snapshot-count (from pando.yml, line 3): "1e5" is not a whole number`},
		{"two values that disagree", "heartbeat-interval: 500\n", "",
			"--heartbeat-interval (from pando.yml, line 1): the election timeout, 1000ms"},
		{"TLS in file", "peer-transport-security:\n  cert-file: x\n", "",
			"--peer-key-file: is missing, and --peer-cert-file (from pando.yml, line 2) is given"},
		{"TLS in environment", "", "ETCD_CERT_FILE=x",
			"--key-file: is missing, and --cert-file (from ETCD_CERT_FILE in the environment) is given"},
		{"listening without advertising", "listen-client-urls: http://10.0.0.1:1\n", "",
			"when --listen-client-urls is set (from pando.yml, line 1): clients"},
		{"a directory as the file", "", "PANDO_CONFIG_FILE=/etc",
			"--config-file (from PANDO_CONFIG_FILE in the environment): cannot read the configuration: /etc: is a directory"},
		{"missing file", "", "PANDO_CONFIG_FILE=no/such.yml",
			"--config-file (from PANDO_CONFIG_FILE in the environment): cannot read the configuration: no/such.yml"},
	} {
		t.Run(test.name, func(t *testing.T) {
			flags := map[string]string{}
			if test.file != "" {
				flags["config-file"] = writeConfigFile(t, test.file)
			}
			_, _, err := Load(flags, []string{test.env})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestUnknownEnvironment(t *testing.T) {
	_, warnings, err := Load(nil, []string{
		"ETCD_LISTEN_PEER_URL=http://secret", "PANDO_NMAE=x", "ETCD_QQQQQQ=", // unknown
		"ETCDCTL_API=2", "ETCD_VERSION=3.4.23", "ETCD_UNSUPPORTED_ARCH=arm", "HOME=/", "ETCD_ENABLE_V2=true", "ETCD_MAX_WALS=5", // fine
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"unrecognized environment variable ETCD_LISTEN_PEER_URL; did you mean ETCD_LISTEN_PEER_URLS?",
		"unrecognized environment variable ETCD_QQQQQQ",
		"unrecognized environment variable PANDO_NMAE; did you mean PANDO_NAME?",
	}
	if !slices.Equal(warnings, want) {
		t.Errorf("got %q\nwant %q", warnings, want)
	}
}

func TestLargeRequestsWarn(t *testing.T) {
	_, warnings, err := Load(map[string]string{"max-request-bytes": "20971520"}, nil)
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "above the recommended 10485760") {
		t.Errorf("error %v, warnings %q", err, warnings)
	}
}
