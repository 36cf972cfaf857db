package ctl

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"pando/members/servertest"
)

// runBench runs bench get, with global options and options of its own.
func runBench(t *testing.T, globals []string, own ...string) (stdout, stderr string, code int) {
	t.Helper()
	return run(t, append(append(globals, "bench", "get", "--total", "1", "--skip-prepare"), own...)...)
}

// TestBenchCertificates: the global options and variables of certificates count for bench, unless it has its own.
func TestBenchCertificates(t *testing.T) {
	pki := servertest.NewPKI(t)
	ann := pki.Issue(t, "ann")
	secure := secureServer(t, pki, pki.Issue(t, "server"), tls.RequireAndVerifyClientCert)
	options := []string{"--cert-file", ann.Cert, "--key-file", ann.Key, "--ca-file", pki.CA, "--endpoints", secure.URL}
	t.Run("by options", func(t *testing.T) {
		if _, stderr, code := runBench(t, options); code != exitOK {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
	t.Run("by variables", func(t *testing.T) {
		t.Setenv("ETCDCTL_CERT_FILE", ann.Cert)
		t.Setenv("ETCDCTL_KEY_FILE", ann.Key)
		t.Setenv("ETCDCTL_CA_FILE", pki.CA)
		t.Setenv("ETCDCTL_ENDPOINTS", secure.URL)
		if _, stderr, code := runBench(t, nil); code != exitOK {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
	t.Run("its own come first", func(t *testing.T) {
		_, stderr, code := runBench(t, options, "--cacert", ann.Cert)
		if code == exitOK || !strings.Contains(stderr, "the CA in --ca-file has not signed") {
			t.Errorf("exit code %d, %q", code, stderr)
		}
		_, stderr, code = runBench(t, options, "--cert", ann.Cert)
		if code == exitOK || !strings.Contains(stderr, "--cert, --key and --cacert") {
			t.Errorf("half of its own pair: exit code %d, %q", code, stderr)
		}
	})
}

// TestBenchGlobals: the other global options count for bench, unless it has its own, or are refused.
func TestBenchGlobals(t *testing.T) {
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
			_, stderr, code := runBench(t, []string{"--endpoints", plain.URL, "--username", test.name}, test.own...)
			if code != exitOK || user.Load() != test.want {
				t.Errorf("exit code %d, %v, %q", code, user.Load(), stderr)
			}
		})
	}
	t.Run("a user of its own without a password", func(t *testing.T) {
		var stdout, stderr lockedBuffer
		args := []string{"etcdctl", "bench", "get", "--total", "1", "--skip-prepare", "--endpoints", plain.URL, "--user", "eve"}
		code := Main(t.Context(), args, strings.NewReader("typed\n"), &stdout, &stderr, Host{})
		if code != exitOK || user.Load() != "eve:typed" {
			t.Errorf("exit code %d, %v, %q", code, user.Load(), stderr.String())
		}
	})
	t.Run("the timeout", func(t *testing.T) {
		hanging := servertest.StartSlowMember(t, 1<<40, 1)
		for _, args := range [][]string{{"--timeout", "50ms", "--endpoints", hanging}, {"--endpoints", hanging}} {
			own := []string{}
			if len(args) == 2 {
				own = []string{"--timeout", "50ms"}
			}
			if stdout, _, code := runBench(t, args, own...); code == exitOK || !strings.Contains(stdout, "timeout") {
				t.Errorf("%v %v: exit code %d, %q", args, own, code, stdout)
			}
		}
	})
	t.Run("the format", func(t *testing.T) {
		stdout, stderr, code := runBench(t, []string{"--endpoints", plain.URL, "-o", "json"})
		if code != exitOK || !json.Valid([]byte(stdout)) {
			t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
		}
	})
	for _, refused := range [][]string{{"--debug"}, {"--total-timeout", "1s"}} {
		t.Run("refused: "+refused[0], func(t *testing.T) {
			_, stderr, code := runBench(t, append([]string{"--endpoints", plain.URL}, refused...))
			if code != exitBadArguments || !strings.Contains(stderr, refused[0]+" has no use before bench") {
				t.Errorf("exit code %d, %q", code, stderr)
			}
		})
	}
}
