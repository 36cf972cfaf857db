package program

import (
	"path/filepath"
	"strings"
	"testing"

	"pando/members/servertest"
)

// TestRestoreDiscovered restores a cluster whose members found each other by discovery.
func TestRestoreDiscovered(t *testing.T) {
	service := servertest.Launch(t, t.TempDir())
	token := servertest.NewDiscoveryURL(t, service.Client, "restored", 2)
	all := servertest.NewMembers(t, "a", "b")
	var running []*servertest.Process
	for _, s := range all {
		running = append(running, s.StartPando(t, "--discovery", token))
	}
	servertest.AwaitCluster(t, running)
	servertest.NewKeyClient(t, all[0].ClientURL()).Must(t, "PUT", "/kept", servertest.Form("value", "1"))
	file := filepath.Join(t.TempDir(), "snap")
	mustPando(t, "snapshot", "save", file, "--endpoint", all[0].ClientURL())
	for _, p := range running {
		p.Kill()
	}
	// The whole command line of a server, as in a systemd unit.
	args := func(s servertest.Member, dir string, more ...string) []string {
		s.DataDir = dir
		return append(append([]string{"snapshot", "restore", file}, s.Flags()...), more...)
	}

	t.Run("by the service", func(t *testing.T) {
		dir := t.TempDir()
		var running []*servertest.Process
		for _, s := range all {
			s.DataDir = filepath.Join(dir, s.Name)
			if out := mustPando(t, args(s, s.DataDir, "--discovery", token, "--log-level", "warn")...); !strings.Contains(out, "restored ") {
				t.Errorf("restore printed %q", out)
			}
			running = append(running, s.StartPando(t, "--discovery", token))
		}
		servertest.AwaitCluster(t, running)
		if got := servertest.NewKeyClient(t, all[1].ClientURL()).Must(t, "GET", "/kept", nil); got.Node.Value != "1" {
			t.Errorf("got %+v", got)
		}
		for _, p := range running {
			p.Kill()
		}
	})
	t.Run("a stranger", func(t *testing.T) {
		s := all[0]
		s.Name = "stranger"
		_, err := pando(t, args(s, filepath.Join(t.TempDir(), "x"), "--discovery", token)...)
		if err == nil || !strings.Contains(err.Error(), "no member stranger with the peer URLs") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("by a list in place of the service", func(t *testing.T) {
		t.Setenv("ETCD_DISCOVERY", "http://127.0.0.1:1/v2/keys/gone")
		mustPando(t, args(all[0], filepath.Join(t.TempDir(), "env"), "--initial-cluster", servertest.InitialCluster(all))...)
		mustPando(t, args(all[0], filepath.Join(t.TempDir(), "flag"), "--initial-cluster", servertest.InitialCluster(all), "--discovery=")...)
	})
	t.Run("wrong variables are reported", func(t *testing.T) {
		t.Setenv("ETCD_NMAE", "x")
		var out, errOut strings.Builder
		err := run(t.Context(), append([]string{"pando"}, args(all[0], filepath.Join(t.TempDir(), "x"), "--initial-cluster",
			servertest.InitialCluster(all))...), &out, &errOut)
		if err != nil || errOut.String() != "pando: warning: unrecognized environment variable ETCD_NMAE; did you mean ETCD_NAME?\n" {
			t.Errorf("got %v, %q", err, errOut.String())
		}
	})
}
