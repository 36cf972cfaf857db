package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pando/members/servertest"
)

// TestPublishedSettings loads published settings of etcd. Each is accepted, or refused with a reason.
func TestPublishedSettings(t *testing.T) {
	published := map[string]struct {
		refused  string // part of the reason; empty if it starts
		warnings string // parts of all warnings, in their order, commas between
	}{
		"sample-3.3.yml":        {warnings: "--strict-reconfig-check"},
		"sample-3.5.yml":        {},
		"newer-keys.yml":        {warnings: "--feature-gates"},
		"alpine-conf.yml":       {warnings: `"hearbeat-interval" has no effect; did you mean heartbeat-interval?`},
		"juju-charm.yml":        {},
		"snap-plain.yml":        {refused: "--wal-dir (from snap-plain.yml, line 4): is the data directory itself"},
		"patroni.yml":           {},
		"hostname-listener.yml": {refused: "listens on a name"},
		"gardener.yml":          {warnings: "--enable-v2,--quota-backend-bytes"},
		"debian-default.env":    {},
		"redhat-etcd.conf.env":  {},
		"openshift-ansible.env": {warnings: "--quota-backend-bytes"},
		"kubespray.env":         {},
		"bitnami-compose.env":   {warnings: "ETCD_ON_K8S,ETCD_ROOT_PASSWORD"},
		"compose-half.env":      {refused: "--advertise-client-urls: is required when --listen-client-urls is set (from ETCD_LISTEN_CLIENT_URLS"},
		"docker-links.env":      {},
		"coreos-discovery.env":  {},
		"coreos-tls.env":        {warnings: "--listen-peer-urls has no https URL"},
		"kubeadm.args":          {warnings: "--experimental-initial-corrupt-check"},
		"kubeadm-old.args":      {},
		"docker-run.args":       {warnings: "--quota-backend-bytes"},
	}
	for name, want := range published {
		t.Run(name, func(t *testing.T) {
			cfg, warnings, err := loadPublished(t, filepath.Join("..", "..", "testdata", "settings", name))
			if err == nil {
				err = cfg.CheckFounding()
			}
			if (err == nil) != (want.refused == "") || err != nil && !strings.Contains(err.Error(), want.refused) {
				t.Fatalf("got %v, want %q", err, want.refused)
			}
			if err != nil {
				return
			}
			rest := strings.Join(warnings, "\n")
			for _, part := range splitList(want.warnings) {
				_, behind, found := strings.Cut(rest, part)
				if !found {
					t.Errorf("no warning of %s", part)
				}
				rest = behind
			}
			if want.warnings == "" && rest != "" {
				t.Errorf("warnings\n%s", rest)
			}
		})
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "settings", "*.*"))
	if err != nil || len(files) != len(published)+1 { // and the page about them
		t.Errorf("%d files are there, %d are looked at: %v", len(files), len(published), err)
	}
}

// loadPublished loads a file as command line, environment or configuration file, depending on its name.
func loadPublished(t *testing.T, path string) (*Config, []string, error) {
	t.Helper()
	switch filepath.Ext(path) {
	case ".yml":
		return Load(map[string]string{ConfigFileFlag: path}, nil)
	case ".env":
		var env []string
		for _, line := range servertest.Lines(t, path) {
			name, value, _ := strings.Cut(line, "=")
			env = append(env, name+"="+strings.Trim(value, `"`))
		}
		return Load(nil, env)
	}
	given, set := NewCommandLine(), flag.NewFlagSet("pando", flag.ContinueOnError)
	for _, f := range given.CliFlags() {
		if err := f.Apply(set); err != nil {
			t.Fatal(err)
		}
	}
	if err := set.Parse(servertest.Lines(t, path)); err != nil {
		return nil, nil, err
	}
	return Load(given.Values(), nil)
}

// TestOldSpellings gives a setting by two names in two places: the place decides, and not the name.
func TestOldSpellings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "etcd.yml")
	for _, test := range []struct{ name, flags, env, file, level, outputs string }{
		{"flag over file", "debug=true log-output=stdout", "", "log-level: warn\nlog-outputs: /var/log/x\n", "debug", "stdout"},
		{"flag over variable", "debug=true log-output=stdout", "ETCD_LOG_LEVEL=warn ETCD_LOG_OUTPUTS=/var/log/x", "", "debug", "stdout"},
		{"variable over file", "", "ETCD_DEBUG=true PANDO_LOG_OUTPUT=stdout", "log-level: warn\nlog-outputs: /var/log/x\n", "debug", "stdout"},
		{"new flag over old variable", "log-level=warn log-outputs=stdout", "PANDO_DEBUG=true PANDO_LOG_OUTPUT=default", "", "warn", "stdout"},
		{"in one place the new one", "debug=true log-level=warn log-output=default log-outputs=stdout", "", "", "warn", "stdout"},
		{"switched off says nothing", "debug=false", "", "log-level: warn\nlog-output: stdout\n", "warn", "stdout"},
		{"in the file alone", "", "", "debug: true\nlog-output: stdout\n", "debug", "stdout"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(test.file), 0o600); err != nil {
				t.Fatal(err)
			}
			flags := assignments(test.flags)
			flags[ConfigFileFlag] = file
			cfg, warnings, err := Load(flags, strings.Fields(test.env))
			if err != nil || len(warnings) > 0 {
				t.Fatal(err, warnings)
			}
			if got := strings.Join(cfg.LogOutputs, ","); cfg.LogLevel.String() != test.level || got != test.outputs {
				t.Errorf("level %s, outputs %s", cfg.LogLevel, got)
			}
		})
	}
	t.Run("another one", func(t *testing.T) {
		cfg, _, err := Load(assignments("experimental-corrupt-check-time=5s"), []string{"ETCD_CONSISTENCY_CHECK_INTERVAL=0"})
		if err != nil || cfg.ConsistencyCheckInterval.Seconds() != 5 {
			t.Errorf("%v, %v", cfg, err)
		}
	})
	t.Run("an error names the spelling", func(t *testing.T) {
		_, _, err := Load(nil, []string{"ETCD_DEBUG=maybe"})
		if err == nil || !strings.Contains(err.Error(), `--debug (from ETCD_DEBUG in the environment): "maybe" is neither`) {
			t.Errorf("got %v", err)
		}
	})
}
