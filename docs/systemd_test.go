package docs

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pando/ctl/program"
	"pando/members/config"
	"pando/members/servertest"
)

// unitFile is the unit of the pages.
var unitFile = filepath.Join("docs", "deploy", "pando.service")

// unit has the values of each setting of a unit file.
type unit map[string][]string

func readUnit(t *testing.T, file string) unit {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	u := unit{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			u[name] = append(u[name], value)
		}
	}
	return u
}

// last returns the value that counts if a setting occurs several times.
func (u unit) last(name string) string {
	if values := u[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

// TestUnit compares the unit with the program.
func TestUnit(t *testing.T) {
	u := readUnit(t, unitFile)
	for name, want := range map[string]string{
		"Type": "notify", "ExecReload": "/bin/kill -HUP $MAINPID", "Restart": "on-failure", "WatchdogSec": "",
		"WorkingDirectory": "/var/lib/" + u.last("StateDirectory"),
	} {
		if got := u.last(name); got != want {
			t.Errorf("%s=%s, want %q", name, got, want)
		}
	}
	codes := strings.Fields(u.last("RestartPreventExitStatus"))
	for _, code := range []int{program.ExitUsage, program.ExitTaken, program.ExitData, program.ExitMember} {
		if !slices.Contains(codes, strconv.Itoa(code)) {
			t.Errorf("systemd starts the server again after exit code %d", code)
		}
	}
	if len(codes) != 4 {
		t.Errorf("RestartPreventExitStatus=%v", codes)
	}
	t.Run("systemd takes it", func(t *testing.T) {
		analyze := servertest.RequireProgram(t, "systemd-analyze", "systemd")
		text, err := os.ReadFile(unitFile)
		if err != nil {
			t.Fatal(err)
		}
		// The program and its environment file are not installed here.
		runnable := strings.NewReplacer(u.last("ExecStart"), "/bin/sh", u.last("EnvironmentFile"), "-/nonexistent").Replace(string(text))
		file := filepath.Join(t.TempDir(), "pando.service")
		if err := os.WriteFile(file, []byte(runnable), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(analyze, "verify", "--man=no", file).CombinedOutput()
		if err != nil || strings.Contains(string(out), "pando.service:") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("its exposure is at most 2.0", func(t *testing.T) {
		analyze := servertest.RequireProgram(t, "systemd-analyze", "systemd")
		out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", "--threshold=20", unitFile).CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// notifySocket receives what a service reports to systemd.
type notifySocket struct {
	*net.UnixConn
	path string
}

func listenNotify(t *testing.T) notifySocket {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return notifySocket{c, path}
}

// await waits for a message that fits the pattern, and returns it with those before it.
func (n notifySocket) await(t *testing.T, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	_ = n.SetReadDeadline(time.Now().Add(time.Minute))
	var got []string
	for b := make([]byte, 4096); ; {
		size, err := n.Read(b)
		if err != nil {
			t.Fatalf("no message fits %s: %v, %q", pattern, err, got)
		}
		if got = append(got, string(b[:size])); re.MatchString(got[len(got)-1]) {
			return got
		}
	}
}

// awaitUnless waits for a message that fits the pattern, unless one of those before does.
func (n notifySocket) awaitUnless(t *testing.T, before []string, pattern string) {
	t.Helper()
	if !slices.ContainsFunc(before, regexp.MustCompile(pattern).MatchString) {
		n.await(t, pattern)
	}
}

// start starts Pando as systemd starts a service that reports to n.
func (n notifySocket) start(t *testing.T, m servertest.Member, flags []string, environment ...string) *servertest.Process {
	t.Helper()
	p := servertest.StartCommand(t, exec.Command(os.Args[0], flags...), append(environment, "NOTIFY_SOCKET="+n.path)...)
	p.Client = m.ClientURL()
	return p
}

// TestNotify follows services that systemd starts, reloads and stops.
func TestNotify(t *testing.T) {
	t.Run("a member", notifyMember)
	t.Run("a member without a quorum", notifyWithoutQuorum)
	t.Run("a proxy", notifyProxy)
	t.Run("a wrong setting", notifyWrongSetting)
}

// notifyMember checks what a member reports from its start to its stop.
func notifyMember(t *testing.T) {
	t.Parallel()
	n := listenNotify(t)
	m := servertest.NewMembers(t, "m1")[0]
	logFile := filepath.Join(t.TempDir(), "pando.log")
	p := n.start(t, m, m.Flags("--log-outputs", logFile))
	before := n.await(t, `^READY=1$`)
	if !slices.ContainsFunc(before, func(s string) bool { return strings.HasPrefix(s, "STATUS=starting") }) {
		t.Errorf("before READY=1 it sent %q", before)
	}
	servertest.Await(t, "the member to be ready", func() bool { return p.Get("/readyz") == "ok\n" })
	n.awaitUnless(t, before, `^STATUS=leader, members 1, term [0-9]+, index [0-9]+$`)
	if err := os.Rename(logFile, logFile+".1"); err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGHUP)
	n.await(t, `^RELOADING=1\nMONOTONIC_USEC=[0-9]+$`)
	n.await(t, `^READY=1$`)
	if _, err := os.Stat(logFile); err != nil {
		t.Errorf("the reload is complete, and the log file was not opened again: %v", err)
	}
	p.Terminate()
	n.await(t, `^STOPPING=1\n`)
}

// notifyWithoutQuorum checks that a member without a quorum is ready for systemd, and not for clients.
func notifyWithoutQuorum(t *testing.T) {
	t.Parallel()
	n := listenNotify(t)
	m := servertest.NewMembers(t, "m1", "m2", "m3")[0]
	cluster := "m1=" + m.PeerURL() + ",m2=http://127.0.0.1:1,m3=http://127.0.0.1:2"
	flags := append(m.Flags(), "--initial-cluster", cluster)
	p := n.start(t, m, flags)
	before := n.await(t, `^READY=1$`)
	n.awaitUnless(t, before, `^STATUS=no leader, waits for a quorum, members`)
	if got := p.Get("/livez"); got != "ok\n" {
		t.Errorf("/livez said %q", got)
	}
	if got := p.Get("/readyz"); !strings.Contains(got, "[-]linearizable_read failed: there is no leader") {
		t.Errorf("/readyz said %q", got)
	}
}

// notifyProxy checks what a proxy reports.
func notifyProxy(t *testing.T) {
	t.Parallel()
	all := servertest.NewMembers(t, "m1", "front")
	all[0].StartPando(t)
	n := listenNotify(t)
	p := n.start(t, all[1], all[1].Flags("--proxy", "on", "--initial-cluster", servertest.InitialCluster(all[:1])))
	n.await(t, `^READY=1$`)
	n.await(t, `^STATUS=serves as a proxy$`)
	if got := p.Get("/livez"); got != "ok\n" {
		t.Errorf("/livez said %q", got)
	}
	servertest.Await(t, "the proxy to be ready", func() bool { return p.Get("/readyz") == "ok\n" })
	p.Terminate()
	n.await(t, `^STOPPING=1\n`)
}

// notifyWrongSetting checks that a server that does not start reports nothing.
func notifyWrongSetting(t *testing.T) {
	t.Parallel()
	n := listenNotify(t)
	if code := n.start(t, servertest.Member{}, []string{"--no-such-flag"}).AwaitExit(); code != program.ExitUsage {
		t.Errorf("exit code %d", code)
	}
	_ = n.SetReadDeadline(time.Now())
	if size, err := n.Read(make([]byte, 4096)); err == nil {
		t.Errorf("it sent %d bytes", size)
	}
}

// TestDebianUnit starts Pando as Debian's unit starts etcd: with its environment, its environment file and its command line.
func TestDebianUnit(t *testing.T) {
	servertest.RequireProgram(t, "etcd", "etcd-server")
	u := readUnit(t, "/usr/lib/systemd/system/etcd.service")
	if u.last("Type") != "notify" || u.last("ExecStart") != "/usr/bin/etcd $DAEMON_ARGS" {
		t.Fatalf("the unit has changed: %v", u)
	}
	n, m, host := listenNotify(t), servertest.NewMembers(t, "debian")[0], "debian"
	settings := map[string]string{}
	set := func(line string) {
		name, value, _ := strings.Cut(line, "=")
		settings[name] = strings.Trim(value, `"`)
	}
	for _, line := range u["Environment"] {
		set(strings.ReplaceAll(line, "%H", host))
	}
	file := strings.TrimPrefix(strings.ReplaceAll(u.last("EnvironmentFile"), "%p", "etcd"), "-")
	for _, line := range servertest.Lines(t, file) {
		set(line)
	}
	if settings["ETCD_NAME"] != host || settings["ETCD_DATA_DIR"] == "" {
		t.Fatalf("the unit has changed: %v", settings)
	}
	// What an operator writes into the environment file, with addresses that are free here.
	settings["ETCD_DATA_DIR"] = m.DataDir
	settings["ETCD_LISTEN_CLIENT_URLS"], settings["ETCD_ADVERTISE_CLIENT_URLS"] = m.ClientURL(), m.ClientURL()
	settings["ETCD_LISTEN_PEER_URLS"], settings["ETCD_INITIAL_ADVERTISE_PEER_URLS"] = m.PeerURL(), m.PeerURL()
	settings["ETCD_INITIAL_CLUSTER"] = host + "=" + m.PeerURL()
	var env []string
	for name, value := range settings {
		env = append(env, name+"="+value)
	}
	p := n.start(t, m, strings.Fields(settings["DAEMON_ARGS"]), env...)
	n.await(t, `^READY=1$`)
	if got := p.Get("/v2/members"); !strings.Contains(got, `"name":"debian"`) {
		t.Errorf("/v2/members said %s", got)
	}
	if limit := u.last("LimitNOFILE"); limit == "" {
		t.Error("the unit has changed: it has no limit of open files")
	}
	p.Terminate()
	n.await(t, `^STOPPING=1\n`)
	if _, _, err := config.Load(nil, env); err != nil {
		t.Error(err)
	}
}
