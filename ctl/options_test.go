package ctl

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestOutputFormat: a format that does not exist, or in which a command has no answer, is an error before anything is done.
func TestOutputFormat(t *testing.T) {
	url, requests := fixed(t, http.StatusOK, `{"action":"get","node":{"key":"/a","value":"v","modifiedIndex":1,"createdIndex":1}}`)
	for _, command := range []string{
		"get /a", "ls", "set /a b", "rm /a", "mkdir /a", "watch /a", "member list", "cluster-health", "tree", "export", "endpoint status", "bench put",
	} {
		t.Run("unknown for "+command, func(t *testing.T) {
			stdout, stderr, code := run(t, append([]string{"--endpoints", url, "-o", "jsn"}, strings.Fields(command)...)...)
			if code != exitBadArguments || stdout != "" || stderr != "Unsupported output format: jsn\n--output is simple, extended or json\n" {
				t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
			}
		})
	}
	for _, test := range []struct{ format, command, want string }{
		{"json", "tree", "tree has no output in the format \"json\"; it takes -o simple"},
		{"json", "import", "it takes -o simple"}, {"json", "lock a", "it takes -o simple"}, {"json", "elect a b", "it takes -o simple"},
		{"json", "snapshot save x", "it takes -o simple"}, {"extended", "export", "it takes -o simple or json"},
		{"extended", "endpoint status", "it takes -o simple or json"}, {"extended", "bench put", "it takes -o simple or json"},
	} {
		t.Run(test.format+" for "+test.command, func(t *testing.T) {
			stdout, stderr, code := run(t, append([]string{"--endpoints", url, "-o", test.format}, strings.Fields(test.command)...)...)
			if code != exitBadArguments || stdout != "" || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
			}
		})
	}
	if n := requests.Load(); n > 0 {
		t.Errorf("%d requests were sent", n)
	}
	t.Run("json for endpoint status", func(t *testing.T) {
		for _, args := range []string{"-o json endpoint status", "-o json endpoint health", "-o json endpoint status -w json", "endpoint status -w json"} {
			stdout, _, _ := run(t, append([]string{"--no-sync", "--endpoints", url}, strings.Fields(args)...)...)
			var statuses []endpointStatus
			if err := json.Unmarshal([]byte(stdout), &statuses); err != nil || len(statuses) != 1 || statuses[0].Endpoint != url {
				t.Errorf("%s: %v, %q", args, err, stdout)
			}
		}
		if stdout, _, _ := run(t, "--no-sync", "--endpoints", url, "-o", "json", "endpoint", "status", "-w", "table"); !strings.HasPrefix(stdout, "ENDPOINT") {
			t.Errorf("-w table printed %q", stdout)
		}
	})
}

// TestStrayArguments: a word that a command would leave aside is an error.
func TestStrayArguments(t *testing.T) {
	for command, want := range map[string]string{
		"endpoint status http://10.0.0.1:2379": `"http://10.0.0.1:2379" is no option: name endpoints with the global --endpoints`,
		"snapshot save a b":                    "one file",
		"snapshot save":                        "one file",
		"elect --listen name value":            "takes a name alone",
		"elect --listen --ttl 5 name":          "for candidates",
		"elect --listen --wait 5s name":        "for candidates",
		"completion bash zsh":                  `"zsh" is one`,
		"lock --wait -1s name":                 "--wait",
		"tree --depth -1":                      "--depth",
	} {
		t.Run(command, func(t *testing.T) {
			_, stderr, code := run(t, append([]string{"--no-sync", "--endpoints", "http://127.0.0.1:1"}, strings.Fields(command)...)...)
			if code != exitBadArguments || !strings.Contains(stderr, want) {
				t.Errorf("exit code %d, %q, want %q", code, stderr, want)
			}
		})
	}
}

// TestBenchGlobals: the global options count for bench, as long as it is given none of its own, or are refused.
func TestBenchGlobals(t *testing.T) {
	ca := newAuthority(t, "ours")
	certPEM, keyPEM := ca.leaf("ann")
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	caFile, cert, key := file("ca.pem", ca.pem), file("cert.pem", certPEM), file("key.pem", keyPEM)
	secure := secureServer(t, ca)
	tlsOptions := []string{"--cert-file", cert, "--key-file", key, "--ca-file", caFile, "--endpoints", secure.URL}
	bench := func(t *testing.T, globals []string, own ...string) (stdout, stderr string, code int) {
		t.Helper()
		return run(t, append(append(globals, "bench", "get", "--total", "1", "--skip-prepare"), own...)...)
	}
	t.Run("certificates", func(t *testing.T) {
		if _, stderr, code := bench(t, tlsOptions); code != exitOK {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
	t.Run("certificates by variables", func(t *testing.T) {
		t.Setenv("ETCDCTL_CERT_FILE", cert)
		t.Setenv("ETCDCTL_KEY_FILE", key)
		t.Setenv("ETCDCTL_CA_FILE", caFile)
		t.Setenv("ETCDCTL_ENDPOINTS", secure.URL)
		if _, stderr, code := bench(t, nil); code != exitOK {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
	t.Run("its own come first", func(t *testing.T) {
		if _, stderr, code := bench(t, tlsOptions, "--cacert", cert); code == exitOK || !strings.Contains(stderr, "unknown authority") {
			t.Errorf("exit code %d, %q", code, stderr)
		}
		if _, stderr, code := bench(t, tlsOptions, "--cert", cert); code == exitOK || !strings.Contains(stderr, "--cert and --key") {
			t.Errorf("half of its own pair: exit code %d, %q", code, stderr)
		}
	})
	var user atomic.Value
	plain := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		name, password, _ := r.BasicAuth()
		user.Store(name + ":" + password)
	}))
	defer plain.Close()
	for _, test := range []struct {
		name, want string
		own        []string
	}{
		{"ann:secret", "ann:secret", nil},
		{"ann", "ann:", nil}, // it asks, and stdin is empty
		{"ann:secret", "eve:x", []string{"--user", "eve:x"}},
	} {
		t.Run("the user "+test.name+strings.Join(test.own, " "), func(t *testing.T) {
			_, stderr, code := bench(t, []string{"--endpoints", plain.URL, "--username", test.name}, test.own...)
			if code != exitOK || user.Load() != test.want {
				t.Errorf("exit code %d, %v, %q", code, user.Load(), stderr)
			}
		})
	}
	t.Run("the timeout", func(t *testing.T) {
		hanging := slowly(t, 1<<40, 1)
		for _, args := range [][]string{{"--timeout", "50ms", "--endpoints", hanging}, {"--endpoints", hanging}} {
			own := []string{}
			if len(args) == 2 {
				own = []string{"--timeout", "50ms"}
			}
			if stdout, _, code := bench(t, args, own...); code == exitOK || !strings.Contains(stdout, "timeout") {
				t.Errorf("%v %v: exit code %d, %q", args, own, code, stdout)
			}
		}
	})
	t.Run("the format", func(t *testing.T) {
		stdout, stderr, code := bench(t, []string{"--endpoints", plain.URL, "-o", "json"})
		if code != exitOK || !json.Valid([]byte(stdout)) {
			t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
		}
	})
	for _, refused := range [][]string{{"--debug"}, {"--total-timeout", "1s"}} {
		t.Run("refused: "+refused[0], func(t *testing.T) {
			_, stderr, code := bench(t, append([]string{"--endpoints", plain.URL}, refused...))
			if code != exitBadArguments || !strings.Contains(stderr, refused[0]+" has no use before bench") {
				t.Errorf("exit code %d, %q", code, stderr)
			}
		})
	}
}
