package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"pando/members/servertest"
)

// TestPackageInstalled installs the package in a minimal Debian, types the session of README.md, upgrades, removes and purges.
func TestPackageInstalled(t *testing.T) {
	servertest.SkipShort(t, "it builds two packages and installs them")
	t.Parallel()
	root := newDebianRoot(t)
	dist := t.TempDir()
	old, latest := buildDeb(t, dist, "0.1.9"), buildDeb(t, dist, "0.2.0")

	for _, step := range []struct {
		name  string
		check func(t *testing.T, root *debianRoot, deb string)
		deb   string
	}{
		{"install", checkInstall, old},
		{"start, and the session of README.md", checkInstalledSession, ""},
		{"upgrade", checkPackageUpgrade, latest},
		{"scripts where systemd runs", checkScriptsWithSystemd, latest},
		{"remove", checkRemove, ""},
		{"purge", checkPurge, latest},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.check(t, root, step.deb) }) {
			return // the next step depends on this one
		}
	}
}

// buildDeb builds the package of one version for this machine and returns its path.
func buildDeb(t *testing.T, dist, version string) string {
	t.Helper()
	build := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), "VERSION="+version, "ARCHITECTURES="+runtime.GOARCH)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	program := filepath.Join(dist, "build", "linux-"+runtime.GOARCH, "pando")
	if _, err := os.Stat(program); err != nil { // both versions have the same program
		build("docs/deploy/build.sh", "binary", "linux", runtime.GOARCH, program)
	}
	build("go", "run", "./docs/deploy/package", "build", dist, "deb")
	return filepath.Join(dist, "pando_"+version+"_"+runtime.GOARCH+".deb")
}

// installDeb copies a package to the root and installs it there.
func (r *debianRoot) installDeb(t *testing.T, deb string, options ...string) string {
	t.Helper()
	text, err := os.ReadFile(deb)
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, "/tmp/pando.deb", string(text))
	return r.run(t, append(append([]string{"dpkg"}, options...), "--install", "/tmp/pando.deb")...)
}

func checkInstall(t *testing.T, root *debianRoot, deb string) {
	out := root.installDeb(t, deb)
	if !strings.Contains(out, "Pando is installed and not started") {
		t.Errorf("dpkg printed\n%s", out)
	}
	if got := root.run(t, "stat", "-c", "%U:%G %a", "/var/lib/pando"); got != "pando:pando 700\n" {
		t.Errorf("/var/lib/pando is %s", got)
	}
	if got := root.run(t, "getent", "passwd", "pando"); !strings.Contains(got, ":/var/lib/pando:/usr/sbin/nologin") {
		t.Errorf("the user is %s", got)
	}
	for _, command := range [][]string{{"pando", "--version"}, {"pandoctl", "--version"}, {"/usr/lib/pando/bin/etcdctl", "--version"}} {
		if got := root.run(t, command...); !strings.Contains(got, "3.4.23") {
			t.Errorf("%q printed %s", command, got)
		}
	}
	if got := root.run(t, "dpkg", "--verify", "pando"); got != "" {
		t.Errorf("dpkg finds changed files: %s", got)
	}
	if root.has("/etc/systemd/system/multi-user.target.wants/pando.service") {
		t.Error("the service is enabled")
	}
}

// checkInstalledSession starts the service as systemd would, and types the session of README.md.
func checkInstalledSession(t *testing.T, root *debianRoot, _ string) {
	u := readUnit(t, filepath.Join(root.dir, "usr/lib/systemd/system/pando.service"))
	m := servertest.NewMembers(t, "default")[0]
	environment := append(servertest.Lines(t, filepath.Join(root.dir, u.last("EnvironmentFile"))),
		// The ports of the session are not free on each machine.
		"ETCD_LISTEN_CLIENT_URLS="+m.ClientURL(), "ETCD_ADVERTISE_CLIENT_URLS=http://127.0.0.1:2379", "ETCD_LISTEN_PEER_URLS="+m.PeerURL())
	args := append([]string{"--userspec", u.last("User") + ":" + u.last("User"), root.dir, "env", "-i"}, environment...)
	p := servertest.StartCommand(t, exec.Command("chroot", append(args, strings.Fields(u.last("ExecStart"))...)...))
	p.AwaitServing()
	typeSession(t, "README.md", p)
	p.Signal(syscall.SIGTERM)
	if code := p.AwaitExit(); code != 0 {
		t.Errorf("the service ended with %d", code)
	}
	if !root.has("/var/lib/pando/state.db") && !root.has("/var/lib/pando/wal") {
		t.Error("/var/lib/pando has no data")
	}
}

// checkPackageUpgrade changes the environment file, and upgrades to a package in which it has changed, too.
func checkPackageUpgrade(t *testing.T, root *debianRoot, deb string) {
	const changed = "ETCD_DATA_DIR=/var/lib/pando\nETCD_NAME=m1\n"
	root.write(t, "/etc/default/pando", changed)
	root.installDeb(t, deb, "--force-confold")
	if got := root.read(t, "/etc/default/pando"); got != changed {
		t.Errorf("/etc/default/pando is now\n%s", got)
	}
	if got := root.run(t, "dpkg-query", "--show", "pando"); got != "pando\t0.2.0\n" {
		t.Errorf("the package is %s", got)
	}
	if !root.has("/var/lib/pando/wal") {
		t.Error("the data is gone")
	}
}

// fakeSystemctl records its arguments. The service is active as long as /tmp/active exists.
const fakeSystemctl = `#!/bin/sh
echo "$@" >>/tmp/systemctl
case "$*" in *is-active*) test -e /tmp/active ;; esac
`

var (
	restarts = regexp.MustCompile(`(?m)\brestart (-- )?pando\.service$`)
	enables  = regexp.MustCompile(`(?m)\b(enable|start|preset)\b`)
	stops    = regexp.MustCompile(`(?m)\bstop (-- )?pando\.service$`)
)

// checkScriptsWithSystemd checks what the scripts do where systemd runs, which it does not in the root.
func checkScriptsWithSystemd(t *testing.T, root *debianRoot, deb string) {
	if err := os.MkdirAll(filepath.Join(root.dir, "run/systemd/system"), 0o755); err != nil {
		t.Fatal(err)
	}
	root.write(t, "/usr/bin/systemctl", fakeSystemctl)
	if err := os.Chmod(filepath.Join(root.dir, "usr/bin/systemctl"), 0o755); err != nil {
		t.Fatal(err)
	}
	called := func(action func()) string {
		t.Helper()
		root.write(t, "/tmp/systemctl", "")
		action()
		return root.read(t, "/tmp/systemctl")
	}
	root.write(t, "/tmp/active", "")
	upgrade := called(func() { root.installDeb(t, deb, "--force-confold") })
	if !strings.Contains(upgrade, "daemon-reload") || !restarts.MatchString(upgrade) || enables.MatchString(upgrade) ||
		stops.MatchString(upgrade) {
		t.Errorf("an upgrade of an active service calls systemctl with\n%s", upgrade)
	}
	removal := called(func() { root.run(t, "dpkg", "--remove", "pando") })
	if !stops.MatchString(removal) {
		t.Errorf("a removal calls systemctl with\n%s", removal)
	}
	if err := os.Remove(filepath.Join(root.dir, "tmp/active")); err != nil {
		t.Fatal(err)
	}
	first := called(func() { root.installDeb(t, deb, "--force-confold") })
	if !strings.Contains(first, "daemon-reload") || restarts.MatchString(first) || enables.MatchString(first) {
		t.Errorf("an installation calls systemctl with\n%s", first)
	}
	if err := os.RemoveAll(filepath.Join(root.dir, "run/systemd")); err != nil {
		t.Fatal(err)
	}
}

func checkRemove(t *testing.T, root *debianRoot, _ string) {
	root.run(t, "dpkg", "--remove", "pando")
	for path, want := range map[string]bool{
		"/usr/bin/pando": false, "/usr/bin/pandoctl": false, "/usr/share/man/man1/pando.1.gz": false, "/usr/lib/pando": false,
		"/etc/default/pando": true, "/etc/pando/pando.yml": true, "/var/lib/pando/wal": true,
	} {
		if root.has(path) != want {
			t.Errorf("after a removal %s exists: %v", path, !want)
		}
	}
}

// checkPurge purges twice: with data, which is kept, and without.
func checkPurge(t *testing.T, root *debianRoot, deb string) {
	if err := os.MkdirAll(filepath.Join(root.dir, "var/log/pando"), 0o755); err != nil {
		t.Fatal(err)
	}
	out := root.run(t, "dpkg", "--purge", "pando")
	if !strings.Contains(out, "The data in /var/lib/pando is kept") || !root.has("/var/lib/pando/wal") {
		t.Errorf("the data is gone, or nothing says that it is kept:\n%s", out)
	}
	for _, path := range []string{"/etc/default/pando", "/etc/pando", "/var/log/pando"} {
		if root.has(path) {
			t.Errorf("after a purge %s exists", path)
		}
	}
	if err := os.RemoveAll(filepath.Join(root.dir, "var/lib/pando")); err != nil {
		t.Fatal(err)
	}
	root.installDeb(t, deb)
	root.run(t, "dpkg", "--purge", "pando")
	if root.has("/var/lib/pando") {
		t.Error("after a purge an empty /var/lib/pando exists")
	}
}
