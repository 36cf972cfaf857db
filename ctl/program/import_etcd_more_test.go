package program

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pando/members/servertest"
	"pando/storage"
	"pando/storage/etcdv2"
)

// startCorpus starts a single member of etcd.
func startCorpus(t *testing.T, flags ...string) (*corpus, *servertest.Process) {
	t.Helper()
	m := servertest.NewMembers(t, "default")[0]
	p := startEtcd(t, m, append([]string{"--initial-cluster", servertest.InitialCluster([]servertest.Member{m})}, flags...)...)
	awaitVersion(t, m.ClientURL())
	return &corpus{KeyClient: servertest.NewKeyClient(t, m.ClientURL()), member: m}, p
}

// TestImportEtcdWALDir imports a member whose log is in a directory of its own.
func TestImportEtcdWALDir(t *testing.T) {
	servertest.SkipShort(t, "TestImportEtcd starts enough servers")
	wal := filepath.Join(t.TempDir(), "log")
	c, p := startCorpus(t, "--wal-dir", wal, "--snapshot-count", "40")
	fillMixed(t, c)
	want := observe(t, c)
	_, err := pando(t, "import-etcd", c.member.DataDir, "--dry-run", "--from-wal-dir", wal)
	if err == nil || !strings.Contains(err.Error(), "stop etcd first") {
		t.Errorf("with a running etcd: got %v", err)
	}
	p.Terminate()
	_, err = pando(t, "import-etcd", c.member.DataDir, "--dry-run")
	if err == nil || !strings.Contains(err.Error(), "--from-wal-dir") {
		t.Errorf("without --from-wal-dir: got %v", err)
	}
	compareImported(t, c, want, c.member.DataDir, "--from-wal-dir", wal)
}

// TestImportEtcdKilledUnderLoad kills a server while clients write. Every acknowledged write must be there.
func TestImportEtcdKilledUnderLoad(t *testing.T) {
	servertest.SkipShort(t, "TestImportEtcd starts enough servers")
	for _, count := range []string{"100000", "70"} {
		t.Run("snapshot-count "+count, func(t *testing.T) {
			c, p := startCorpus(t, "--snapshot-count", count)
			acknowledged := make([]uint64, 8) // the index of each client's last write
			last := make([]string, len(acknowledged))
			var clients sync.WaitGroup
			for i := range acknowledged {
				clients.Go(func() {
					for n := 0; ; n++ {
						a, err := c.Do("PUT", fmt.Sprintf("/load/%d", i), servertest.Form("value", servertest.Itoa(n)))
						if err != nil || a.Node == nil {
							return
						}
						acknowledged[i], last[i] = a.Node.ModifiedIndex, a.Node.Value
					}
				})
			}
			servertest.Await(t, "writes", func() bool {
				a, err := c.Do("GET", "/load", nil)
				return err == nil && a.EtcdIndex > 400
			})
			p.Kill()
			clients.Wait()
			target := filepath.Join(t.TempDir(), "new")
			mustPando(t, "import-etcd", c.member.DataDir, "--data-dir", target)
			imported := servertest.NewKeyClient(t, servertest.Launch(t, target).Client)
			for i, index := range acknowledged {
				n := imported.Must(t, "GET", fmt.Sprintf("/load/%d", i), nil).Node
				if n.ModifiedIndex < index || n.ModifiedIndex == index && n.Value != last[i] {
					t.Errorf("client %d: %q at index %d was acknowledged, but %q at %d is there", i, last[i], index, n.Value, n.ModifiedIndex)
				}
			}
		})
	}
}

// startThree starts a cluster of three members of etcd. The corpus is the first one.
func startThree(t *testing.T, flags ...string) (*corpus, []servertest.Member, []*servertest.Process) {
	t.Helper()
	list := servertest.NewMembers(t, "a", "b", "c")
	var processes []*servertest.Process
	for _, m := range list {
		processes = append(processes, startEtcd(t, m, append([]string{"--initial-cluster", servertest.InitialCluster(list)}, flags...)...))
	}
	for _, m := range list {
		awaitVersion(t, m.ClientURL())
	}
	return &corpus{KeyClient: servertest.NewKeyClient(t, list[0].ClientURL()), member: list[0]}, list, processes
}

// TestImportEtcdKilledCluster kills all members of a cluster after a write. A quorum has the write, but a member may not know that it
// was committed. Then the report must say that entries were left out.
func TestImportEtcdKilledCluster(t *testing.T) {
	servertest.SkipShort(t, "it starts a cluster")
	c, list, processes := startThree(t)
	acknowledged := c.put(t, "/last", "value", "x").Node.ModifiedIndex
	for _, p := range processes {
		p.Kill()
	}
	known := 0
	var all string
	for _, m := range list {
		out := mustPando(t, "import-etcd", m.DataDir, "--dry-run")
		_, rest, _ := strings.Cut(out, "\nindex ")
		var index uint64
		if _, err := fmt.Sscan(rest, &index); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if index >= acknowledged || strings.Contains(out, "the entries after entry") {
			known++
		}
		all += out
	}
	if known < 2 {
		t.Errorf("index %d was acknowledged, but only %d members have it or say that entries were left out:\n%s", acknowledged, known, all)
	}
}

// TestImportEtcdThreeMembers starts three members from the directory of one of three.
func TestImportEtcdThreeMembers(t *testing.T) {
	servertest.SkipShort(t, "it starts two clusters")
	c, old, processes := startThree(t, "--snapshot-count", "60")
	fillMixed(t, c)
	for _, m := range old {
		servertest.AwaitReplicated(t, old[0].ClientURL(), m.ClientURL())
	}
	want := observe(t, c)
	index := c.Must(t, "GET", "/", nil).EtcdIndex
	for _, p := range processes {
		p.Terminate()
	}
	for i, m := range old {
		out := mustPando(t, "import-etcd", m.DataDir, "--dry-run")
		if line := fmt.Sprintf("index          %d ", index); !strings.Contains(out, line) {
			t.Errorf("member %d: %q is not in\n%s", i, line, out)
		}
	}
	fresh := servertest.NewMembers(t, "x", "y", "z")
	digests := map[string]bool{}
	for _, m := range fresh {
		out := mustPando(t, "import-etcd", old[1].DataDir, "--data-dir", m.DataDir, "--name", m.Name,
			"--initial-advertise-peer-urls", m.PeerURL(), "--initial-cluster", servertest.InitialCluster(fresh))
		digests[digestOf(out)] = true
	}
	if len(digests) != 1 {
		t.Errorf("three imports have the digests %v", digests)
	}
	running := servertest.LaunchCluster(t, fresh)
	for i, p := range running {
		imported := *c
		imported.KeyClient = servertest.NewKeyClient(t, p.Client)
		got := observe(t, &imported)
		for name, text := range want {
			if name != "index" && !sameText(name, got[name], text) {
				ours, theirs := firstDifference(got[name], text)
				t.Errorf("member %d, %s:\nPando %s\netcd  %s", i, name, ours, theirs)
			}
		}
	}
}

// damagedCopy copies a directory and changes a bit in one of its files.
func damagedCopy(t *testing.T, source, file string, offset int) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, file)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[offset] ^= 0x10
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestImportEtcdRefused checks that nothing is left behind when a directory can't be imported.
func TestImportEtcdRefused(t *testing.T) {
	c, p := startCorpus(t)
	fillMixed(t, c)
	p.Terminate()
	source := c.member.DataDir
	v3, p3 := startCorpus(t)
	runV3(t, v3, "put", "k", "v")
	p3.Terminate()
	pandoDir := filepath.Join(t.TempDir(), "pando")
	mustPando(t, "import-etcd", source, "--data-dir", pandoDir)
	log := filepath.Join(source, "member", "wal", "0000000000000000-0000000000000000.wal")
	for name, test := range map[string]struct {
		args []string
		err  error
		want string
	}{
		"nothing":          {[]string{t.TempDir()}, etcdv2.ErrNotEtcd, "has no directory member"},
		"no directory":     {[]string{filepath.Join(source, "none")}, os.ErrNotExist, "none: no such file or directory; give the directory"},
		"a file":           {[]string{log}, etcdv2.ErrNotEtcd, "etcdctl snapshot save"},
		"inside of it":     {[]string{filepath.Join(source, "member")}, etcdv2.ErrNotEtcd, "the one above it"},
		"Pando":            {[]string{pandoDir}, etcdv2.ErrNotEtcd, "of Pando"},
		"v3 alone":         {[]string{v3.member.DataDir, "--from-api", "v2"}, etcdv2.ErrNotEtcd, "v3 alone"},
		"a file for v2":    {[]string{log, "--from-api", "v2"}, etcdv2.ErrNotEtcd, "can only be a snapshot"},
		"v2 alone":         {[]string{source, "--from-api", "v3"}, etcdv2.ErrNotEtcd, "no data of etcd v3"},
		"v3 and following": {[]string{source, "--from-api", "v3", "--follow"}, nil, "can follow the data of v2 alone"},
		"damage":           {[]string{damagedCopy(t, source, "member/wal/"+filepath.Base(log), 1500)}, etcdv2.ErrDamaged, "offset"},
		"target in source": {[]string{source, "--data-dir", filepath.Join(source, "pando")}, nil, "must not change"},
		"existing target":  {[]string{source, "--data-dir", pandoDir}, storage.ErrExists, "overwrites nothing"},
		"two directories":  {[]string{source, source}, nil, "takes one directory"},
		"a wrong cluster":  {[]string{source, "--name", "n", "--initial-cluster", "m=http://127.0.0.1:1"}, nil, "--initial-cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			before := fileStates(t, source)
			args := append([]string{"import-etcd"}, test.args...)
			if !strings.Contains(strings.Join(args, " "), "--data-dir") {
				args = append(args, "--data-dir", filepath.Join(parent, "deep", "new"), "--wal-dir", filepath.Join(parent, "log", "wal"))
			}
			_, err := pando(t, args...)
			if err == nil || !strings.Contains(err.Error(), test.want) || test.err != nil && !errors.Is(err, test.err) {
				t.Errorf("got %v, want %v with %q", err, test.err, test.want)
			}
			if left, _ := os.ReadDir(parent); len(left) > 0 {
				t.Errorf("%s was left", left[0].Name())
			}
			if fileStates(t, source) != before {
				t.Error("the source has changed")
			}
		})
	}
}
