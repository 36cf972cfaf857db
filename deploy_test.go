package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDeployEnvironment starts a cluster from the environment file of the docs, whose variables are the reference's.
func TestDeployEnvironment(t *testing.T) {
	settings := lines(t, filepath.Join("docs", "deploy", "pando.conf"))
	t.Run("has no setting without effect", func(t *testing.T) {
		cfg, warnings, err := loadConfig(nil, settings)
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
		all := seats(t, "m1", "m2", "m3")
		var running []*process
		for _, s := range all {
			var env []string
			for _, setting := range settings {
				env = append(env, here(setting, s, all))
			}
			running = append(running, start(t, s.dataDir, exec.Command("env", append(env, os.Args[0])...)))
		}
		awaitCluster(t, running)
	})
}

// here turns a setting for m1 on its machine into one for s on this machine.
func here(setting string, s seat, all []seat) string {
	name, value, _ := strings.Cut(setting, "=")
	switch name {
	case "ETCD_NAME":
		value = s.name
	case "ETCD_DATA_DIR":
		value = s.dataDir
	case "ETCD_LISTEN_CLIENT_URLS", "ETCD_ADVERTISE_CLIENT_URLS":
		value = s.clientURL()
	case "ETCD_LISTEN_PEER_URLS", "ETCD_INITIAL_ADVERTISE_PEER_URLS":
		value = s.peerURL()
	case "ETCD_INITIAL_CLUSTER":
		value = strings.NewReplacer(
			"http://10.0.0.1:2380", all[0].peerURL(), "http://10.0.0.2:2380", all[1].peerURL(), "http://10.0.0.3:2380", all[2].peerURL()).Replace(value)
	}
	return name + "=" + value
}

// TestProcfile starts what the Procfile starts, on other ports.
func TestProcfile(t *testing.T) {
	all := seats(t, "m1", "m2", "m3")
	var replace []string
	for i, ports := range [][2]string{{":2379", ":2380"}, {":22379", ":22380"}, {":32379", ":32380"}} {
		const host = "127.0.0.1"
		replace = append(replace, host+ports[0], all[i].client, host+ports[1], all[i].peer,
			all[i].name+dataDirSuffix, all[i].dataDir)
	}
	var running []*process
	for _, line := range lines(t, "Procfile") {
		name, command, ok := strings.Cut(line, ": ")
		if !ok || name != all[len(running)].name {
			t.Fatalf("line %q", line)
		}
		words := strings.Fields(strings.NewReplacer(replace...).Replace(command))
		if words[0] != "./pando" {
			t.Errorf("it starts %s", words[0])
		}
		running = append(running, start(t, all[len(running)].dataDir, exec.Command(os.Args[0], words[1:]...)))
	}
	if len(running) != 3 {
		t.Fatalf("%d members", len(running))
	}
	awaitCluster(t, running)
}
