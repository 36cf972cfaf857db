package docs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pando/docs/openapi/check"
	"pando/members/config"
	"pando/members/servertest"
)

// TestDocsSessions types what the pages show in their ```console blocks, in the order of the page and against a fresh
// server, and compares the answers. A block that says "second" is a second terminal: its command waits until the
// commands of the next block have been typed.
func TestDocsSessions(t *testing.T) {
	for _, page := range []string{"README.md", "docs/api.md", "docs/two-protocols.md"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			typeSession(t, page, servertest.Launch(t, t.TempDir(), "--advertise-client-urls", config.DefaultClientURL))
		})
	}
}

// typeSession types all commands of a page against a fresh server.
func typeSession(t *testing.T, page string, server *servertest.Process) {
	t.Helper()
	commands := readSession(t, page)
	if len(commands) < 10 {
		t.Fatalf("only %d commands found", len(commands))
	}
	requirePrograms(t, commands)
	s := newSession(t, page, server)
	for _, c := range commands {
		s.typeCommand(t, c)
	}
	s.endSecond(t)
}

// TestDocsForSlowReaders types the lesson on a time to live, and reads on only when the time is over: nothing may hang.
func TestDocsForSlowReaders(t *testing.T) {
	commands := readSession(t, "README.md")
	lesson := slices.IndexFunc(commands, func(c sessionCommand) bool { return strings.Contains(c.text, "ttl==5") })
	if lesson < 0 {
		t.Fatal("no command sets a TTL of five seconds")
	}
	requirePrograms(t, commands[:lesson+2])
	s := newSession(t, "README.md", servertest.Launch(t, t.TempDir()))
	for _, c := range commands[:lesson+1] {
		s.typeCommand(t, c)
	}
	servertest.Await(t, "the end of the TTL", func() bool { return strings.Contains(s.process.Get("/v2/keys/message"), "Key not found") })
	s.typeCommand(t, commands[lesson+1])
}

// sessionCommand is a command with the answer that the page shows.
type sessionCommand struct {
	line    int
	block   int
	section string // the heading of the second or third order above it
	text    string
	want    string
	kind    string // the words after console
}

// readSession reads the console blocks of a page.
func readSession(t *testing.T, page string) (commands []sessionCommand) {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	block, fenced, inside, kind, section := 0, false, false, "", ""
	for i, line := range strings.Split(string(content), "\n") {
		info, fence := strings.CutPrefix(line, "```")
		text, command := strings.CutPrefix(line, "$ ")
		switch {
		case fence:
			fenced = !fenced
			kind, inside = strings.CutPrefix(info, "console")
			inside = inside && fenced
			block++
		case !fenced && (strings.HasPrefix(line, "## ") || strings.HasPrefix(line, "### ")):
			section = strings.TrimLeft(line, "# ")
		case inside && command:
			commands = append(commands, sessionCommand{
				line: i + 1, block: block, section: section, text: text, kind: strings.TrimSpace(kind),
			})
		case inside && len(commands) > 0:
			last := &commands[len(commands)-1]
			if strings.HasSuffix(last.text, "\\") {
				last.text += "\n" + line
			} else {
				last.want += line + "\n"
			}
		}
	}
	return commands
}

// requirePrograms skips the test where a program that the session uses is not installed.
func requirePrograms(t *testing.T, commands []sessionCommand) {
	t.Helper()
	for name, debianPackage := range map[string]string{"curl": "curl", "http": "httpie", "etcdctl": "etcd-client"} {
		for _, c := range commands {
			if strings.HasPrefix(c.text, name+" ") || strings.Contains(c.text, " "+name+" ") {
				servertest.RequireProgram(t, name, debianPackage)
			}
		}
	}
}

// session is one reader of a page at work.
type session struct {
	page    string
	process *servertest.Process
	client  string          // the client URL that the commands use
	waiting *sessionCommand // in the second terminal
	answer  chan string     // of that
}

// newSession makes a session whose requests and answers are compared with the description of the API.
func newSession(t *testing.T, page string, process *servertest.Process) *session {
	t.Helper()
	relay, err := check.Pando(t).Relay(process.Addr(), func(err error) { t.Errorf("%s: %v", page, err) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(relay.Close)
	return &session{page: page, process: process, client: relay.URL()}
}

// typeCommand runs one command and compares its answer.
func (s *session) typeCommand(t *testing.T, c sessionCommand) {
	t.Helper()
	if s.waiting != nil && c.block > s.waiting.block+2 { // a fence opens a block and another closes it
		s.endSecond(t)
	}
	if c.kind != "second" {
		got := s.run(t, c.text)
		if strings.Contains(c.text, shortWatch) && sessionForm(got) != sessionForm(c.want) { // the machine may be busy
			got = s.run(t, strings.Replace(c.text, shortWatch, "timeout 30 etcdctl ", 1))
		}
		s.compare(t, &c, got)
		return
	}
	s.endSecond(t)
	s.waiting, s.answer = &c, make(chan string, 1)
	go func() { s.answer <- s.run(t, c.text) }()
	servertest.Await(t, "the second terminal to watch", func() bool { return object(t, s.process, "/v2/stats/store")["watchers"] == 1.0 })
}

// endSecond waits for the command of the second terminal.
func (s *session) endSecond(t *testing.T) {
	t.Helper()
	if s.waiting == nil {
		return
	}
	s.compare(t, s.waiting, <-s.answer)
	s.waiting = nil
}

// shortWatch begins the command of a watch that ends after three seconds.
const shortWatch = "timeout 3 etcdctl "

// run gives what a command prints, with the addresses that the pages use.
func (s *session) run(t *testing.T, text string) string {
	const client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
	v3 := "etcdctl --command-timeout 30s --endpoints " + s.process.Client + " "
	there := strings.NewReplacer(
		client, s.client, peer, s.process.Peer,
		"ETCDCTL_API=3 etcdctl ", "ETCDCTL_API=3 "+v3,
		shortWatch, "timeout 3 "+v3, "timeout 30 etcdctl ", "timeout 30 "+v3,
		"lease grant 5 ", "lease grant 10 ",
		"http PUT", "http --ignore-stdin --body --pretty=format PUT",
		"etcdctl ", "etcdctl --no-sync --timeout 30s --total-timeout 30s --endpoints "+s.client+" ")
	back := strings.NewReplacer(s.client, client, s.process.Client, client, s.process.Peer, peer)
	ctx, cancel := context.WithTimeout(context.Background(), servertest.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", strings.Replace(there.Replace(text), "curl ", "curl -sS ", 1))
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.Env = append(servertest.Environment(), "http_proxy=", "HTTP_PROXY=")
	if err := cmd.Run(); err != nil && ctx.Err() != nil {
		t.Errorf("%s: %v", text, err)
	}
	return back.Replace(output.String())
}

func (s *session) compare(t *testing.T, c *sessionCommand, got string) {
	t.Helper()
	if got, want := sessionForm(got), sessionForm(c.want); got != want {
		t.Errorf("%s:%d: $ %s\nprints\n%s\nwhere the page shows\n%s", s.page, c.line, c.text, got, want)
	}
}

// sessionNoise is what differs from one run to the next.
var sessionNoise = []struct {
	pattern *regexp.Regexp
	form    string
}{
	{regexp.MustCompile(`\r`), ""},
	{regexp.MustCompile(`(?m)^Date: .*\n`), ""},
	{regexp.MustCompile(`"20\d\d-[^"]+Z"`), `"{time}"`},
	{regexp.MustCompile(`("ttl": ?)\d+`), "${1}{seconds}"},
	{regexp.MustCompile(`("uptime": ?)"[^"]+"`), `${1}"{duration}"`},
	{regexp.MustCompile(`(X-Raft-Index|X-Raft-Term|Content-Length): \d+`), "$1: {number}"},
	{regexp.MustCompile(`("pando": ?)"[^"]+"`), `${1}"{version}"`},
}

func sessionForm(text string) string {
	for _, n := range sessionNoise {
		text = n.pattern.ReplaceAllString(text, n.form)
	}
	return strings.TrimSpace(text)
}

// object reads a JSON object from the server.
func object(t *testing.T, p *servertest.Process, path string) map[string]any {
	t.Helper()
	var object map[string]any
	if _, err := servertest.GetJSON(p.Client+path, &object); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", path, err))
	}
	return object
}
