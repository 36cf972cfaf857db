package program

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pando/members/servertest"
	"pando/storage"
	"pando/storage/etcdv2"
)

// digestIn returns the line with the digest of a report.
func digestIn(t *testing.T, report string) string {
	t.Helper()
	line := regexp.MustCompile(`\ndigest +[0-9a-f]{64}\n`).FindString(report)
	if line == "" {
		t.Fatalf("no digest in\n%s", report)
	}
	return line
}

// compareRoundTrip exports the data that was imported, with a report, and imports it again. The state must be the same each time.
func compareRoundTrip(t *testing.T, report, dataDir string) {
	t.Helper()
	back := filepath.Join(t.TempDir(), "back")
	out := mustPando(t, "export-etcd", dataDir, back)
	again := mustPando(t, "import-etcd", back, "--dry-run")
	if want := digestIn(t, report); digestIn(t, out) != want || digestIn(t, again) != want {
		t.Errorf("the state has changed: imported\n%sexported\n%simported again\n%s", report, out, again)
	}
}

// startExported starts etcd on the data that export-etcd has made of a directory or a snapshot, as member m. The server is filled like
// c, and its history is compared up to the same index.
func startExported(t *testing.T, c *corpus, want observation, m servertest.Member, from string, more ...string) (*corpus, string) {
	t.Helper()
	out := mustPando(t, append([]string{
		"export-etcd", from, m.DataDir, "--name", m.Name, "--initial-advertise-peer-urls", m.PeerURL(),
	}, more...)...)
	startEtcd(t, m)
	awaitVersion(t, m.ClientURL())
	exported := *c
	exported.KeyClient, exported.member = servertest.NewKeyClient(t, m.ClientURL()), m
	exported.newest = uint64(servertest.Atoi(t, want["index"]))
	return &exported, out
}

// errorIndex matches the index in an error, which is that of the server.
var errorIndex = regexp.MustCompile(`"index":\d+`)

// compareExported compares what etcd says with what Pando said before.
func compareExported(t *testing.T, want, got observation) {
	t.Helper()
	for name, text := range want {
		ours, theirs := errorIndex.ReplaceAllString(text, ""), errorIndex.ReplaceAllString(got[name], "")
		if name != "index" && !sameText(name, ours, theirs) {
			x, y := firstDifference(ours, theirs)
			t.Errorf("%s:\nPando %s\netcd  %s", name, x, y)
		}
	}
	if servertest.Atoi(t, got["index"]) < servertest.Atoi(t, want["index"]) {
		t.Errorf("the index went back from %s to %s", want["index"], got["index"])
	}
}

// TestExportEtcd compares etcd, started from what export-etcd has made, with what Pando said before it stopped.
func TestExportEtcd(t *testing.T) {
	servertest.SkipShort(t, "it starts servers of both kinds")
	t.Run("a member", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "pando")
		p := servertest.Launch(t, dir)
		c := &corpus{KeyClient: servertest.NewKeyClient(t, p.Client)}
		fillExpired(t, c)
		fillMixed(t, c)
		want := observe(t, c)
		p.Kill()
		exported, _ := startExported(t, c, want, servertest.NewMembers(t, "m")[0], dir)
		compareExported(t, want, observe(t, exported))
		if n := exported.put(t, "/new", "value", "x").Node; n.ModifiedIndex <= exported.newest {
			t.Errorf("a write after the export has the index %d", n.ModifiedIndex)
		}
	})
	t.Run("a snapshot, to a cluster of three", func(t *testing.T) {
		t.Parallel()
		p := servertest.Launch(t, filepath.Join(t.TempDir(), "pando"))
		c := &corpus{KeyClient: servertest.NewKeyClient(t, p.Client)}
		fillMixed(t, c)
		want := observe(t, c)
		file := filepath.Join(t.TempDir(), "pando.snap")
		mustPando(t, "snapshot", "save", file, "--endpoint", p.Client)
		all := servertest.NewMembers(t, "a", "b", "c")
		for _, m := range all {
			mustPando(t, "export-etcd", file, m.DataDir, "--name", m.Name, "--initial-advertise-peer-urls", m.PeerURL(),
				"--initial-cluster", servertest.InitialCluster(all))
			startEtcd(t, m)
		}
		for _, m := range all {
			awaitVersion(t, m.ClientURL())
		}
		servertest.AwaitReplicated(t, all[0].ClientURL(), all[2].ClientURL())
		exported := *c
		exported.KeyClient = servertest.NewKeyClient(t, all[1].ClientURL())
		exported.newest = uint64(servertest.Atoi(t, want["index"]))
		exported.Must(t, "DELETE", "/replicated?recursive=true", nil)
		compareExported(t, want, observe(t, &exported))
	})
	t.Run("the first day", func(t *testing.T) {
		t.Parallel()
		testFirstDay(t)
	})
}

// testFirstDay moves an etcd with users to Pando, changes keys and users there, and goes back.
func testFirstDay(t *testing.T) {
	c, p := startCorpus(t)
	fillAuth(t, c)
	p.Terminate()
	dir := filepath.Join(t.TempDir(), "pando")
	mustPando(t, "import-etcd", c.member.DataDir, "--data-dir", dir)
	moved := servertest.Launch(t, dir)
	c.KeyClient = servertest.NewKeyClient(t, moved.Client)
	must := func(endpoint string, args ...string) {
		t.Helper()
		if out, err := legacyClient(t, "", endpoint, args...); err != nil {
			t.Fatalf("etcdctl %q: %v: %s", args, err, out)
		}
	}
	root := []string{"-u", "root:secret"}
	must(moved.Client, append(root, "set", "/before", "changed in Pando")...)
	must(moved.Client, append(root, "user", "add", "carol:new")...)
	must(moved.Client, append(root, "user", "grant", "carol", "--roles", "reader")...)
	want := observe(t, c)
	moved.Terminate()

	list := servertest.NewMembers(t, "default", "second")
	exported, out := startExported(t, c, want, list[0], dir)
	if !strings.Contains(out, "etcdctl user passwd 'carol'") || strings.Contains(out, "alice") {
		t.Errorf("the report has not named carol alone:\n%s", out)
	}
	compareExported(t, want, observe(t, exported))
	etcd := list[0].ClientURL()
	for _, password := range []string{"new", "", "$argon2id$"} {
		if out, err := legacyClient(t, "", etcd, "-u", "carol:"+password, "get", "/before"); err == nil {
			t.Errorf("carol logged in with %q: %s", password, out)
		}
	}
	if out, err := legacyClient(t, "again\n", etcd, "-u", "root:secret", "user", "passwd", "carol"); err != nil {
		t.Fatalf("user passwd: %v: %s", err, out)
	}
	must(etcd, "-u", "carol:again", "get", "/before")

	must(etcd, append(root, "member", "add", "second", list[1].PeerURL())...)
	startEtcd(t, list[1], "--initial-cluster", servertest.InitialCluster(list), "--initial-cluster-state", "existing")
	awaitVersion(t, list[1].ClientURL())
	added := *exported
	added.KeyClient = servertest.NewKeyClient(t, list[1].ClientURL())
	servertest.Await(t, "the second member to have the keys", func() bool {
		body, _ := ask(t, &added, "/v2/keys/before", "root", "secret")
		return strings.Contains(body, "changed in Pando")
	})
}

// legacyClient runs the legacy etcdctl with an input.
func legacyClient(t *testing.T, input, endpoint string, args ...string) (string, error) {
	t.Helper()
	args = append([]string{"--no-sync", "--endpoints", endpoint}, args...)
	command := exec.Command(servertest.RequireProgram(t, "etcdctl", "etcd-client"), args...)
	command.Env, command.Stdin = append(os.Environ(), "ETCDCTL_API=2"), strings.NewReader(input)
	out, err := command.CombinedOutput()
	return string(out), err
}

// TestExportEtcdRefused checks that nothing is left behind when an export is refused.
func TestExportEtcdRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pando")
	p := servertest.Launch(t, dir)
	c := &corpus{KeyClient: servertest.NewKeyClient(t, p.Client)}
	fillAuth(t, c)
	running, err := pando(t, "export-etcd", dir, "--dry-run")
	if !errors.Is(err, storage.ErrLocked) || !strings.Contains(err.Error(), "pando snapshot save") {
		t.Errorf("with a running member: got %v, %s", err, running)
	}
	p.Terminate()
	password := filepath.Join(t.TempDir(), "password")
	empty := filepath.Join(t.TempDir(), "empty")
	if err := errors.Join(os.WriteFile(password, []byte("for etcd\nignored"), 0o600), os.WriteFile(empty, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	before := fileStates(t, dir)
	for name, test := range map[string]struct {
		args []string
		err  error
		want string
	}{
		"root is locked out": {[]string{dir, "TO"}, nil, "--root-password-file"},
		"no password":        {[]string{dir, "TO", "--root-password-file", empty}, nil, "password is empty"},
		"no target":          {[]string{dir}, nil, "takes FROM and TO_DIR"},
		"existing target":    {[]string{dir, t.TempDir(), "--root-password-file", password}, etcdv2.ErrTargetExists, "overwrites nothing"},
		"target in source":   {[]string{dir, filepath.Join(dir, "etcd"), "--root-password-file", password}, nil, "must not change"},
		"no data":            {[]string{t.TempDir(), "TO"}, storage.ErrNoData, "holds none"},
		"no snapshot":        {[]string{password, "TO"}, storage.ErrCorrupt, "not a snapshot"},
		"nothing":            {[]string{filepath.Join(dir, "none"), "TO"}, os.ErrNotExist, "none: no such file or directory; FROM is the data"},
		"a wrong cluster":    {[]string{dir, "TO", "--name", "n", "--initial-cluster", "m=http://127.0.0.1:1"}, nil, "--initial-cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			for i, arg := range test.args {
				if arg == "TO" {
					test.args[i] = filepath.Join(parent, "deep", "etcd")
				}
			}
			_, err := pando(t, append([]string{"export-etcd"}, test.args...)...)
			if err == nil || !strings.Contains(err.Error(), test.want) || test.err != nil && !errors.Is(err, test.err) {
				t.Errorf("got %v, want %v with %q", err, test.err, test.want)
			}
			if left, _ := os.ReadDir(parent); len(left) > 0 {
				t.Errorf("%s was left", left[0].Name())
			}
		})
	}
	out := mustPando(t, "export-etcd", dir, filepath.Join(t.TempDir(), "etcd"), "--root-password-file", password)
	if strings.Contains(out, `user "root"`) || strings.Count(out, "etcdctl user passwd") != 2 {
		t.Errorf("got %s", out)
	}
	if fileStates(t, dir) != before {
		t.Error("export-etcd has changed its source")
	}
}
