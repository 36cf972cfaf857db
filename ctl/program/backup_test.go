package program

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pando/storage"

	"pando/members/servertest"
	"pando/raft/offline"
)

// counters are four writers. Writer i has written the keys /w/i/1 to /w/i/acknowledged[i].
type counters struct {
	acknowledged [4]atomic.Int64
	ended        sync.WaitGroup
}

// count starts the writers. They end when the server ends.
func count(t *testing.T, base string) *counters {
	c := &counters{}
	for i := range c.acknowledged {
		client := servertest.NewKeyClient(t, base)
		c.ended.Go(func() {
			for n := int64(1); ; n++ {
				a, err := client.Do("PUT", fmt.Sprintf("/w/%d/%d", i, n), servertest.Form("value", servertest.Itoa(n)))
				if err != nil || a.Status >= http.StatusBadRequest {
					return
				}
				c.acknowledged[i].Store(n)
			}
		})
	}
	return c
}

// now returns the last number of each writer that was acknowledged.
func (c *counters) now() (n [4]int64) {
	for i := range n {
		n[i] = c.acknowledged[i].Load()
	}
	return n
}

// mustHave checks that all acknowledged keys are there.
func mustHave(t *testing.T, client string, acknowledged [4]int64) {
	t.Helper()
	files := map[string]servertest.KeyNode{}
	servertest.NewKeyClient(t, client).Must(t, "GET", "/w?recursive=true&quorum=true", nil).Node.Files(files)
	for i, last := range acknowledged {
		for n := int64(1); n <= last; n++ {
			if got := files[fmt.Sprintf("/w/%d/%d", i, n)]; got.Value != servertest.Itoa(n) {
				t.Fatalf("/w/%d/%d of %d is %+v", i, n, last, got)
			}
		}
	}
}

// TestBackup backs up a server during writes, and again after it was killed.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	source := servertest.Launch(t, at("source"), "--snapshot-count", "50", "--wal-dir", at("wal"))
	writing := count(t, source.Client)
	var known [4]int64
	backup := func(name string) {
		known = writing.now()
		if _, err := offline.Backup(t.Context(), storage.Options{DataDir: at("source"), WALDir: at("wal")},
			storage.Options{DataDir: at(name)}); err != nil {
			t.Fatal(err)
		}
	}
	servertest.Await(t, "a second of writing", func() bool { return writing.now()[0] > 100 })
	copies := 8
	if testing.Short() {
		copies = 2
	}
	for i := range copies {
		backup("live" + servertest.Itoa(i))
	}
	t.Run("of a running server", func(t *testing.T) {
		live := at("live" + servertest.Itoa(copies-1))
		copied := servertest.Launch(t, live, "--force-new-cluster")
		mustHave(t, copied.Client, known)
		old, _ := servertest.AwaitPublished(t, source.Client, 1)
		if cluster, _ := servertest.AwaitPublished(t, copied.Client, 1); cluster == old {
			t.Errorf("both are cluster %s", old)
		}
		servertest.NewKeyClient(t, copied.Client).Must(t, "PUT", "/after", servertest.Form("value", "1"))
		copied.Kill()
		copied = servertest.Launch(t, live)
		mustHave(t, copied.Client, known)
	})
	source.Kill()
	writing.ended.Wait()
	t.Run("of a killed one", func(t *testing.T) {
		before := servertest.Fingerprint(t, at("source"))
		backup("dead")
		if servertest.Fingerprint(t, at("source")) != before {
			t.Error("the source was changed")
		}
		mustHave(t, servertest.Launch(t, at("dead"), "--force-new-cluster").Client, known)
	})
	t.Logf("%v writes", known)
}

// TestBackupOfMember backs up one of three members. The new server does not join the old cluster, although it has their addresses.
func TestBackupOfMember(t *testing.T) {
	all := servertest.NewMembers(t, "a", "b", "c")
	running := servertest.LaunchCluster(t, all)
	writing := count(t, running[0].Client)
	servertest.Await(t, "some writes", func() bool { return writing.now()[3] > 20 })
	for _, p := range running[1:] {
		p.Terminate()
	}
	running[0].Kill()
	writing.ended.Wait()
	known := writing.now()
	to := filepath.Join(t.TempDir(), "backup")
	mustPando(t, "ctl", "backup", "--data-dir", all[0].DataDir, "--backup-dir", to)
	for _, seat := range all {
		seat.StartPando(t)
	}
	copied := servertest.Launch(t, to, "--force-new-cluster", "--name", "copy")
	mustHave(t, copied.Client, known)
	_, list := servertest.AwaitPublished(t, copied.Client, 1)
	servertest.NewKeyClient(t, copied.Client).Must(t, "PUT", "/copy", servertest.Form("value", "1"))
	_, old := servertest.AwaitPublished(t, all[0].ClientURL(), 3)
	if strings.Contains(strings.Join(old, " "), list[0]) {
		t.Errorf("%v is one of %v", list, old)
	}
	if a := servertest.NewKeyClient(t, all[1].ClientURL()).Must(t, "PUT", "/old", servertest.Form("value", "1")); a.Node == nil {
		t.Error("the old cluster does not go on")
	}
	if a, err := servertest.NewKeyClient(t, copied.Client).Do("GET", "/old", nil); err != nil || a.ErrorCode != 100 {
		t.Errorf("the copy has a key of the old cluster: %+v, %v", a, err)
	}
}

func TestBackupRefusesEtcd(t *testing.T) {
	from := filepath.Join(t.TempDir(), "default.etcd")
	if err := os.MkdirAll(filepath.Join(from, "member", "wal"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := offline.Backup(t.Context(), storage.Options{DataDir: from}, storage.Options{DataDir: filepath.Join(t.TempDir(), "to")})
	if err == nil || !strings.Contains(err.Error(), "pando import-etcd") {
		t.Errorf("got %v", err)
	}
}
