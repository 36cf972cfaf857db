package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestRestoreDiscovered restores a cluster whose members found each other by discovery.
func TestRestoreDiscovered(t *testing.T) {
	service := launch(t, t.TempDir())
	token := newToken(t, service.client, "restored", 2)
	all := seats(t, "a", "b")
	var running []*process
	for _, s := range all {
		running = append(running, s.spawn(t, "--discovery", token))
	}
	awaitCluster(t, running)
	newKeyClient(t, all[0].clientURL()).must(t, "PUT", "/kept", form("value", "1"))
	file := filepath.Join(t.TempDir(), "snap")
	mustPando(t, "snapshot", "save", file, "--endpoint", all[0].clientURL())
	for _, p := range running {
		p.kill()
	}
	// A whole command line of the server, as it stands in a unit.
	args := func(s seat, dir string, more ...string) []string {
		s.dataDir = dir
		return append(append([]string{"snapshot", "restore", file}, s.flags()...), more...)
	}

	t.Run("by the service", func(t *testing.T) {
		dir := t.TempDir()
		var running []*process
		for _, s := range all {
			s.dataDir = filepath.Join(dir, s.name)
			if out := mustPando(t, args(s, s.dataDir, "--discovery", token, "--log-level", "warn")...); !strings.Contains(out, "restored ") {
				t.Errorf("restore printed %q", out)
			}
			running = append(running, s.spawn(t, "--discovery", token))
		}
		awaitCluster(t, running)
		if got := newKeyClient(t, all[1].clientURL()).must(t, "GET", "/kept", nil); got.Node.Value != "1" {
			t.Errorf("got %+v", got)
		}
		for _, p := range running {
			p.kill()
		}
	})
	t.Run("a stranger", func(t *testing.T) {
		s := all[0]
		s.name = "stranger"
		_, err := pando(t, args(s, filepath.Join(t.TempDir(), "x"), "--discovery", token)...)
		if err == nil || !strings.Contains(err.Error(), "no member stranger with the peer URLs") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("by a list in place of the service", func(t *testing.T) {
		t.Setenv("ETCD_DISCOVERY", "http://127.0.0.1:1/v2/keys/gone")
		mustPando(t, args(all[0], filepath.Join(t.TempDir(), "env"), "--initial-cluster", initialClusterOf(all))...)
		mustPando(t, args(all[0], filepath.Join(t.TempDir(), "flag"), "--initial-cluster", initialClusterOf(all), "--discovery=")...)
	})
	t.Run("wrong variables are told", func(t *testing.T) {
		t.Setenv("ETCD_NMAE", "x")
		var out, errOut strings.Builder
		err := run(t.Context(), append([]string{"pando"}, args(all[0], filepath.Join(t.TempDir(), "x"), "--initial-cluster", initialClusterOf(all))...), &out, &errOut)
		if err != nil || errOut.String() != "pando: warning: unrecognized environment variable ETCD_NMAE; did you mean ETCD_NAME?\n" {
			t.Errorf("got %v, %q", err, errOut.String())
		}
	})
}
