package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestAccessFlags gives hosts and origins in all forms of a setting.
func TestAccessFlags(t *testing.T) {
	for _, test := range []struct {
		name         string
		env          []string
		file         string
		hosts, cors  []string
		flags, error string
	}{
		{name: "none", hosts: []string{"*"}},
		{name: "all hosts and all pages", flags: "host-whitelist=* cors=*", hosts: []string{"*"}, cors: []string{"*"}},
		{name: "empty", flags: "host-whitelist= cors=", hosts: []string{"*"}},
		{name: "lists", flags: "host-whitelist=a.example,10.0.0.1,::1 cors=http://a.example,https://b.example:8443",
			hosts: []string{"a.example", "10.0.0.1", "::1"}, cors: []string{"http://a.example", "https://b.example:8443"}},
		{name: "all pages and a listed one", flags: "cors=*,http://a.example", hosts: []string{"*"}, cors: []string{"*", "http://a.example"}},
		{name: "variables of etcd", env: []string{"ETCD_HOST_WHITELIST=a.example", "ETCD_CORS=http://a.example"},
			hosts: []string{"a.example"}, cors: []string{"http://a.example"}},
		{name: "variables of Pando", env: []string{"PANDO_HOST_WHITELIST=a.example", "ETCD_HOST_WHITELIST=b.example"},
			hosts: []string{"a.example"}},
		{name: "the file", file: "host-whitelist: a.example,b.example\ncors: '*'\n", hosts: []string{"a.example", "b.example"},
			cors: []string{"*"}},
		{name: "a host with a port", flags: "host-whitelist=a.example:2379", error: `--host-whitelist: "a.example:2379" is not a host`},
		{name: "a part of a name", flags: "host-whitelist=*.example", error: `--host-whitelist: "*.example" is not a host`},
		{name: "a URL", flags: "host-whitelist=http://a.example", error: `--host-whitelist: "http://a.example" is not a host`},
		{name: "an origin without scheme", flags: "cors=a.example", error: `--cors: "a.example" is not an origin`},
		{name: "an origin with a path", flags: "cors=http://a.example/", error: `--cors: "http://a.example/" is not an origin`},
		{name: "an origin with a question", flags: "cors=http://a.example?x", error: `--cors: "http://a.example?x" is not an origin`},
		{name: "short headers", flags: "max-header-bytes=100", error: "--max-header-bytes: 100 is less than 4096"},
	} {
		t.Run(test.name, func(t *testing.T) {
			flags := assignments(test.flags)
			if test.file != "" {
				flags[ConfigFileFlag] = filepath.Join(t.TempDir(), "etcd.yml")
				if err := os.WriteFile(flags[ConfigFileFlag], []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cfg, _, err := Load(flags, test.env)
			if test.error != "" {
				if err == nil || !strings.Contains(err.Error(), test.error) {
					t.Errorf("got %v, want %s", err, test.error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(cfg.HostWhitelist, test.hosts) || !slices.Equal(cfg.CORS, test.cors) {
				t.Errorf("hosts %q, origins %q", cfg.HostWhitelist, cfg.CORS)
			}
		})
	}
}
