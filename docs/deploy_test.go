package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pando/members/config"
	"pando/members/servertest"
)

// TestDeployEnvironment starts a member from the environment file of the packages, and a cluster with the settings that are comments in
// it. The variables are the reference's.
func TestDeployEnvironment(t *testing.T) {
	one, cluster := environmentFile(t)
	t.Run("one member", func(t *testing.T) {
		if !slices.Equal(one, []string{"ETCD_DATA_DIR=/var/lib/pando"}) {
			t.Fatalf("it has %q", one)
		}
		if _, warnings, err := config.Load(nil, one); err != nil || len(warnings) > 0 {
			t.Errorf("%v, %q", err, warnings)
		}
	})
	settings := append(one, cluster...)
	t.Run("has no setting without effect", func(t *testing.T) {
		cfg, warnings, err := config.Load(nil, settings)
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%v, %q", err, warnings)
		}
		if cfg.Name != "m1" || len(cfg.InitialCluster) != 3 {
			t.Errorf("name %s, cluster %v", cfg.Name, cfg.InitialCluster)
		}
		for _, s := range settings {
			if !strings.HasPrefix(s, "ETCD_") {
				t.Errorf("%s is not the reference's", s)
			}
		}
	})
	t.Run("starts three members", func(t *testing.T) {
		all := servertest.NewMembers(t, "m1", "m2", "m3")
		var running []*servertest.Process
		for _, s := range all {
			var env []string
			for _, setting := range settings {
				env = append(env, here(setting, s, all))
			}
			running = append(running, servertest.StartCommand(t, exec.Command("env", append(env, os.Args[0])...)))
		}
		servertest.AwaitCluster(t, running)
	})
}

// here turns a setting for m1 on its machine into one for s on this machine.
func here(setting string, s servertest.Member, all []servertest.Member) string {
	name, value, _ := strings.Cut(setting, "=")
	switch name {
	case "ETCD_NAME":
		value = s.Name
	case "ETCD_DATA_DIR":
		value = s.DataDir
	case "ETCD_LISTEN_CLIENT_URLS", "ETCD_ADVERTISE_CLIENT_URLS":
		value = s.ClientURL()
	case "ETCD_LISTEN_PEER_URLS", "ETCD_INITIAL_ADVERTISE_PEER_URLS":
		value = s.PeerURL()
	case "ETCD_INITIAL_CLUSTER":
		value = strings.NewReplacer(
			"http://10.0.0.1:2380", all[0].PeerURL(),
			"http://10.0.0.2:2380", all[1].PeerURL(),
			"http://10.0.0.3:2380", all[2].PeerURL(),
		).Replace(value)
	}
	return name + "=" + value
}

// TestProcfile starts what the Procfile starts, on other ports.
func TestProcfile(t *testing.T) {
	all := servertest.NewMembers(t, "m1", "m2", "m3")
	var replace []string
	for i, ports := range [][2]string{{":2379", ":2380"}, {":22379", ":22380"}, {":32379", ":32380"}} {
		const host = "127.0.0.1"
		replace = append(replace, host+ports[0], all[i].Client, host+ports[1], all[i].Peer,
			all[i].Name+config.DataDirSuffix, all[i].DataDir)
	}
	var running []*servertest.Process
	for _, line := range servertest.Lines(t, "Procfile") {
		name, command, ok := strings.Cut(line, ": ")
		if !ok || name != all[len(running)].Name {
			t.Fatalf("line %q", line)
		}
		words := strings.Fields(strings.NewReplacer(replace...).Replace(command))
		if words[0] != "./pando" {
			t.Errorf("it starts %s", words[0])
		}
		running = append(running, servertest.StartCommand(t, exec.Command(os.Args[0], words[1:]...)))
	}
	if len(running) != 3 {
		t.Fatalf("%d members", len(running))
	}
	servertest.AwaitCluster(t, running)
}

// environmentFile returns the settings of the environment file, and those that a cluster needs besides: they are comments in the file.
func environmentFile(t *testing.T) (one, cluster []string) {
	t.Helper()
	one = servertest.Lines(t, filepath.Join("docs", "deploy", "pando.conf"))
	text, err := os.ReadFile(filepath.Join("docs", "deploy", "pando.conf"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		setting, comment := strings.CutPrefix(strings.TrimSpace(line), "#")
		name, _, found := strings.Cut(setting, "=")
		if comment && found && !strings.Contains(name, "FILE") && !strings.Contains(name, "CERT") && !strings.Contains(name, " ") {
			cluster = append(cluster, setting)
		}
	}
	return one, cluster
}
