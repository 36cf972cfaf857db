package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
	"pando/storage"
	"pando/tree"
)

// TestImportEtcdFollow imports a copy of the directory of a running member into a cluster that follows it.
func TestImportEtcdFollow(t *testing.T) {
	servertest.SkipShort(t, "TestImportEtcd starts enough servers")
	c, _ := startCorpus(t, "--snapshot-count", "20")
	fillMixed(t, c)
	c.put(t, "/short", "value", "x", "ttl", "1")
	ends := time.Now().Add(time.Second)
	source := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(source, os.DirFS(c.member.DataDir)); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "new")
	report := mustPando(t, "import-etcd", source, "--data-dir", target, "--follow")
	if !strings.Contains(report, "takes no writes until pando migrate switch") {
		t.Errorf("the report does not say that the cluster follows:\n%s", report)
	}
	if again := mustPando(t, "import-etcd", source, "--dry-run", "--follow"); !strings.HasPrefix(report, again) {
		t.Errorf("the import printed\n%sand the rehearsal\n%s", report, again)
	}
	if other := mustPando(t, "import-etcd", source, "--dry-run"); digestOf(other) == digestOf(report) {
		t.Error("the digest without --follow is the same: members of both kinds would form one cluster")
	}

	t.Run("a restarted member", func(t *testing.T) {
		for range 2 {
			pando := servertest.Launch(t, target)
			servertest.Await(t, "the end of the TTL", func() bool { return time.Now().After(ends.Add(time.Second)) })
			imported := servertest.NewKeyClient(t, pando.Client)
			if n := imported.Must(t, "GET", "/short", nil).Node; n.Value != "x" {
				t.Errorf("after the end of its TTL /short is %+v", n)
			}
			if a, err := imported.Do("PUT", "/short", servertest.Form("value", "y")); err != nil || a.Node != nil {
				t.Errorf("a write was not refused: %+v, %v", a, err)
			}
			pando.Terminate()
		}
		r := openData(t, target)
		if m := r.Store.View().Mirror(); m == nil || m.Phase != tree.PhaseFollowing || r.Level < tree.MirrorLevel {
			t.Errorf("the mirror is %+v, at level %d", m, r.Level)
		}
	})
	t.Run("a copy by etcdctl backup", func(t *testing.T) {
		backup := filepath.Join(t.TempDir(), "backup")
		command := exec.Command(servertest.RequireProgram(t, "etcdctl", "etcd-client"), "backup", "--data-dir", source, "--backup-dir", backup)
		command.Env = append(os.Environ(), "ETCDCTL_API=2")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("etcdctl backup: %v: %s", err, out)
		}
		_, err := pando(t, "import-etcd", backup, "--dry-run", "--follow")
		if err == nil || !strings.Contains(err.Error(), "cp -a") {
			t.Errorf("got %v", err)
		}
	})
}

// digestOf returns the line of a report about the digest.
func digestOf(report string) string {
	_, rest, _ := strings.Cut(report, "digest")
	line, _, _ := strings.Cut(rest, "\n")
	return line
}

// openData reads the data of a stopped member.
func openData(t *testing.T, dir string) *storage.Recovered {
	t.Helper()
	disk, r, err := storage.Open(storage.Options{DataDir: dir, HistorySize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if err := disk.Close(); err != nil {
		t.Fatal(err)
	}
	return r
}
