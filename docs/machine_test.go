package docs

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// machine is a computer of a page: a root directory, a shell, and the services etcd and pando. Commands of the page run in the shell.
// The addresses and the absolute paths of the page are replaced by those of the test, and the other way round in their output.
type machine struct {
	t        *testing.T
	ip       string // as the page has it
	root     string
	member   servertest.Member // its addresses in the test
	second   servertest.Member // those of a rehearsal
	all      []*machine
	shell    *servertest.Process
	stdin    io.Writer
	commands int
	services map[string]*servertest.Process
}

// machineDirs are the absolute paths that pages use.
var machineDirs = []string{"/var/lib/", "/etc/default/", "/etc/etcd", "/etc/pando", "/tmp/"}

// newMachines returns a machine for each address.
func newMachines(t *testing.T, ips ...string) (all []*machine) {
	t.Helper()
	servertest.RequireProgram(t, "bash", "bash")
	dir := t.TempDir()
	for i, ip := range ips {
		members := servertest.NewMembers(t, fmt.Sprintf("m%d", i+1), "rehearsal")
		m := &machine{
			t: t, ip: ip, root: filepath.Join(dir, ip), member: members[0], second: members[1],
			services: map[string]*servertest.Process{},
		}
		for _, d := range append(machineDirs, "/var/lib/etcd", "/bin") {
			if err := os.MkdirAll(filepath.Join(m.root, d), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(os.Args[0], filepath.Join(m.root, "bin", "pando")); err != nil {
			t.Fatal(err)
		}
		m.openShell()
		all = append(all, m)
	}
	for _, m := range all {
		m.all = all
	}
	return all
}

// openShell starts the shell. Everything that it starts finds the test binary as pando.
func (m *machine) openShell() {
	m.t.Helper()
	cmd := exec.Command("bash", "--noprofile", "--norc")
	cmd.Dir = filepath.Join(m.root, "tmp")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	m.stdin = stdin
	m.shell = servertest.StartCommand(m.t, cmd, "PATH="+filepath.Join(m.root, "bin")+":"+os.Getenv("PATH"), "HOME="+cmd.Dir, "http_proxy=")
	m.run("exec 2>&1")
	m.t.Cleanup(func() {
		_, _ = fmt.Fprintln(stdin, "kill $(jobs -p); exit") // servers in the background
		_ = stdin.Close()
		select {
		case <-m.shell.Exited:
		case <-time.After(10 * time.Second): // a command of a test that failed still runs
		}
	})
}

// file returns the path of a file of the machine.
func (m *machine) file(path string) string { return filepath.Join(m.root, path) }

// write writes a file of the machine.
func (m *machine) write(path, content string) {
	m.t.Helper()
	if err := os.WriteFile(m.file(path), []byte(content), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// here replaces what is of the page by what is of the test.
func (m *machine) here(text string) string {
	_, port, _ := net.SplitHostPort(m.member.Client)
	pairs := []string{
		"127.0.0.1:2379", m.member.Client, "127.0.0.1:2380", m.member.Peer, "sport = :2379", "sport = :" + port,
		"127.0.0.1:12379", m.second.Client, "127.0.0.1:12380", m.second.Peer,
	}
	for _, other := range m.all {
		pairs = append(pairs, other.ip+":2379", other.member.Client, other.ip+":2380", other.member.Peer)
	}
	for _, dir := range machineDirs {
		pairs = append(pairs, dir, m.root+dir)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// there replaces what is of the test by what is of the page.
func (m *machine) there(text string) string {
	var pairs []string
	for _, other := range m.all {
		pairs = append(pairs, other.root, "", other.member.Client, other.ip+":2379", other.member.Peer, other.ip+":2380")
	}
	pairs = append(pairs, m.second.Client, "127.0.0.1:12379", m.second.Peer, "127.0.0.1:12380")
	return strings.NewReplacer(pairs...).Replace(text)
}

// run runs a command of the test in the shell. It returns the output and the exit code.
func (m *machine) run(command string) (string, int) {
	m.t.Helper()
	m.commands++
	end := fmt.Sprintf("\n--- end of command %d: ", m.commands)
	before := len(m.shell.Stdout.String())
	_, err := fmt.Fprintf(m.stdin, "{ %s\n} </dev/null\nprintf '\\n%%s%%d\\n' '%s' $?\n", command, end[1:])
	if err != nil {
		m.t.Fatalf("%s: %v", command, err)
	}
	var output, code string
	servertest.Await(m.t, "the end of "+command, func() bool {
		var ended bool
		output, code, ended = strings.Cut(m.shell.Stdout.String()[before:], end)
		return ended && strings.HasSuffix(code, "\n")
	})
	return output, int(servertest.Atoi(m.t, code))
}

// The commands that a test can't run as they are: it has no systemd, no users, and no ssh.
var (
	systemctlCommand = regexp.MustCompile(`^systemctl (start|stop|disable|enable) (etcd|pando)$`)
	chownCommand     = regexp.MustCompile(`^chown -R (?:pando:pando|etcd:etcd) (/\S+)$`)
	scpCommand       = regexp.MustCompile(`^scp -rp? (\d[\d.]+):(/\S+) (/\S+)$`)
)

// typeCommand runs a command of the page.
func (m *machine) typeCommand(command string) (string, int) {
	m.t.Helper()
	if match := systemctlCommand.FindStringSubmatch(command); match != nil {
		m.systemctl(match[1], match[2])
		return "", 0
	}
	if match := chownCommand.FindStringSubmatch(command); match != nil {
		command = "test -d " + match[1] // it is an error if the directory is not there
	}
	if match := scpCommand.FindStringSubmatch(command); match != nil {
		for _, other := range m.all {
			if other.ip == match[1] {
				return m.run("cp -a " + other.file(match[2]) + " " + m.file(match[3]))
			}
		}
	}
	output, code := m.run(m.here(command))
	return m.there(output), code
}

// systemctl does what the units of the packages do.
func (m *machine) systemctl(verb, unit string) {
	m.t.Helper()
	switch verb {
	case "start":
		program, environment := os.Args[0], servertest.Lines(m.t, m.file("/etc/default/"+unit))
		if unit == "etcd" {
			program = servertest.RequireEtcd(m.t)
		}
		p := servertest.StartCommand(m.t, exec.Command(program), environment...)
		p.Client = m.member.ClientURL()
		m.services[unit] = p
	case "stop":
		m.services[unit].Terminate()
	}
}

// sessionPattern turns the output on a page into a pattern. A line "..." stands for any lines, and "..." in a line for any text.
func sessionPattern(want string) *regexp.Regexp {
	var pattern strings.Builder
	for line := range strings.Lines(want) {
		if strings.TrimSpace(line) == "..." {
			pattern.WriteString(`(?:.*\n)*`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), `\.\.\.`, `.*`))
	}
	return regexp.MustCompile(`^` + pattern.String() + `$`)
}

// machineNoise is what differs from one run to the next.
var machineNoise = []struct {
	pattern *regexp.Regexp
	form    string
}{
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "{digest}"},
	{regexp.MustCompile(`\b[0-9a-f]{15,16}\b`), "{id}"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d[T ][\d:.]+Z?`), "{time}"},
	{regexp.MustCompile(`(index +|term |, index |source |etcd is |waited for )\d+`), "$1{n}"},
	{regexp.MustCompile(`\(\d+ entries\)`), "({n} entries)"},
	{regexp.MustCompile(`(history +)\d+ events`), "$1{n} events"},
}

func machineForm(text string) string {
	for _, n := range machineNoise {
		text = n.pattern.ReplaceAllString(text, n.form)
	}
	if text = strings.TrimRight(text, "\n"); text == "" {
		return ""
	}
	return text + "\n"
}
