package ctl

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pando/ctl/client"
	"pando/members/servertest"
)

// A transcript is a file of exchanges, each a command line and its result:
//
//	$ set /message hello          the command; words are quoted as in a shell, VAR=value before it sets a variable
//	< "typed\n"                   its stdin, as a Go string; none: empty
//	> hello                       a line of stdout
//	! Error:  ...                 a line of stderr
//	= 4                           the exit code, unless it is 0
//
// "$~" begins a command whose lines of stdout may be in any order; "$^" a command that is interrupted when its output has ended.
// Values that differ between two servers are written as <url> <peer> <member> <time>, <+3> for the third index after the
// beginning of the transcript, and <help> for a help text. In a cluster of several members they are <url1> and so on, of which
// the first is the leader, and <added> is the member that was added last.

// exchange is one command of a transcript.
type exchange struct {
	comments  []string
	mark      string // "", "~" or "^"
	line      string
	stdin     string
	result    string // the lines with > ! and =
	unordered bool
}

var programs = map[string]func(t *testing.T) *exec.Cmd{
	"ours": func(t *testing.T) *exec.Cmd {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self)
		cmd.Env = []string{asClientVar + "=1", "GORACE=atexit_sleep_ms=0"} // a program with the race detector ends a second late
		return cmd
	},
	"reference": func(t *testing.T) *exec.Cmd {
		cmd := exec.Command(servertest.RequireProgram(t, "etcdctl", "etcd-client"))
		cmd.Env = []string{"ETCDCTL_API=2"}
		return cmd
	},
}

func TestTranscripts(t *testing.T) {
	replayTranscripts(t, "../testdata/ctl/*.txt", 450,
		func(t *testing.T) []*server { return []*server{startPando(t)} },
		func(t *testing.T) []*server { return []*server{startReference(t)} })
}

// TestClusterTranscripts changes the members of clusters of three.
func TestClusterTranscripts(t *testing.T) {
	replayTranscripts(t, "../testdata/ctl/cluster/*.txt", 15, startPandoCluster, startReferenceCluster)
}

// replayTranscripts replays the transcripts of a pattern in three ways. With -record, it records them first.
func replayTranscripts(t *testing.T, pattern string, least int, pando, etcd func(*testing.T) []*server) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	if *record {
		cluster := etcd(t)
		for _, file := range files {
			recordFile(t, file, cluster)
		}
	}
	count := 0
	for _, file := range files {
		count += len(readTranscript(t, file))
	}
	if count < least {
		t.Errorf("%d exchanges, want at least %d", count, least)
	}
	if testing.Short() {
		t.Skip("every exchange is a process: the long run replays them")
	}
	for _, way := range []struct {
		name, program string
		start         func(*testing.T) []*server
	}{
		{"our client against Pando", "ours", pando},
		{"our client against etcd", "ours", etcd},
		{"etcdctl against Pando", "reference", pando},
	} {
		t.Run(way.name, func(t *testing.T) {
			cluster := way.start(t)
			for _, file := range files {
				t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
					replayFile(t, file, cluster, way.program)
				})
			}
		})
	}
}

func replayFile(t *testing.T, file string, cluster []*server, program string) {
	play := newPlay(t, cluster)
	for _, x := range readTranscript(t, file) {
		if got := play.run(t, programs[program](t), x); got != x.result {
			t.Errorf("$ %s\ngot:\n%swant:\n%s", x.line, got, x.result)
		}
	}
}

func recordFile(t *testing.T, file string, cluster []*server) {
	t.Helper()
	exchanges := readTranscript(t, file)
	play := newPlay(t, cluster)
	var b strings.Builder
	for _, x := range exchanges {
		for _, c := range x.comments {
			b.WriteString(c + "\n")
		}
		fmt.Fprintf(&b, "$%s %s\n", x.mark, x.line)
		if x.stdin != "" {
			fmt.Fprintf(&b, "< %q\n", x.stdin)
		}
		b.WriteString(play.run(t, programs["reference"](t), x))
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readTranscript(t *testing.T, file string) []*exchange {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []*exchange
	var comments []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "$"):
			mark, command, _ := strings.Cut(line[1:], " ")
			all = append(all, &exchange{comments: comments, mark: mark, line: command, unordered: mark == "~"})
			comments = nil
		case line == "" || line[0] == '#':
			comments = append(comments, line)
		case strings.HasPrefix(line, "< "):
			if all[len(all)-1].stdin, err = strconv.Unquote(line[2:]); err != nil {
				t.Fatalf("%s: %q: %v", file, line, err)
			}
		default:
			all[len(all)-1].result += line + "\n"
		}
	}
	return all
}

// play runs the exchanges of one transcript against an emptied server.
type play struct {
	endpoint string
	base     uint64
	labels   []label
}

func newPlay(t *testing.T, cluster []*server) *play {
	t.Helper()
	s, labels := labelled(t, cluster)
	cl := testClient(t, s.Client)
	root, err := cl.Get(t.Context(), "/", client.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range root.Node.Nodes {
		if _, err := cl.Delete(t.Context(), n.Key, client.DeleteOptions{Dir: n.Dir, Recursive: n.Dir}); err != nil {
			t.Fatal(err)
		}
	}
	return &play{endpoint: s.Client, base: s.index(), labels: labels}
}

// timeLimits are global flags with time limits that a slow disk does not exceed. The defaults are 2 s and 5 s. A command of a transcript
// may set others.
var timeLimits = []string{"--timeout", "30s", "--total-timeout", servertest.Timeout.String()}

// run runs one command and returns its result in the form of the transcript.
func (p *play) run(t *testing.T, cmd *exec.Cmd, x *exchange) string {
	t.Helper()
	words := splitWords(t, p.concrete(x.line))
	cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"), "ETCDCTL_ENDPOINTS="+p.endpoint)
	for len(words) > 0 && envWord.MatchString(words[0]) {
		cmd.Env = append(cmd.Env, words[0])
		words = words[1:]
	}
	cmd.Args = append(append(cmd.Args, timeLimits...), words...)
	cmd.Stdin = strings.NewReader(x.stdin)
	var stdout, stderr lockedBuffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	timer := time.AfterFunc(servertest.Timeout, func() { cmd.Process.Kill() })
	defer timer.Stop()
	if x.mark == "^" {
		interruptWhenQuiet(t, cmd, strings.Count(x.result, "\n"), &stdout, &stderr)
	}
	code := 0
	defer func() {
		if d := time.Since(began); d > 2*time.Second {
			t.Logf("%v: $ %s", d, x.line)
		}
	}()
	if exit, ok := errors.AsType[*exec.ExitError](cmd.Wait()); ok {
		code = exit.ExitCode()
	}
	return p.result(x, stdout.String(), stderr.String(), code)
}

// interruptWhenQuiet interrupts a command that has printed nothing for a while: a short one if it has printed as many lines as the
// transcript has, and a longer one if the machine may be too busy for it.
func interruptWhenQuiet(t *testing.T, cmd *exec.Cmd, lines int, stdout, stderr *lockedBuffer) {
	t.Helper()
	limit := func() time.Duration {
		switch said := stdout.String() + stderr.String(); {
		case said == "" && lines == 0:
			return 3 * time.Second
		case said == "":
			return 10 * time.Second
		case strings.Count(said, "\n") < lines:
			return 2 * time.Second
		}
		return 400 * time.Millisecond
	}
	said, quietSince := 0, time.Now()
	servertest.Await(t, "the command to be quiet", func() bool {
		if n := stdout.Len() + stderr.Len(); n != said {
			said, quietSince = n, time.Now()
		}
		return time.Since(quietSince) > limit()
	})
	cmd.Process.Signal(os.Interrupt)
}

func (p *play) result(x *exchange, stdout, stderr string, code int) string {
	if at := strings.Index(stdout, "NAME:\n"); at >= 0 {
		stdout = stdout[:at] + "<help>\n"
	}
	p.noteAdded(stdout)
	lines := p.normal(">", stdout)
	if x.unordered {
		slices.Sort(lines)
	}
	lines = append(lines, p.normal("!", noEcho.ReplaceAllString(stderr, ""))...)
	if code != 0 {
		lines = append(lines, fmt.Sprintf("= %d\n", code))
	}
	return strings.Join(lines, "")
}

var (
	envWord   = regexp.MustCompile(`^ETCDCTL_[A-Z_]+=`)
	indexWord = regexp.MustCompile(`<\+(\d+)>`)
	leftWord  = regexp.MustCompile(`("ttl":|TTL: )9\d\b`)
	timeWord  = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)
	resolver  = regexp.MustCompile(` on [0-9.:\[\]a-f]+:53`)
	noEcho    = regexp.MustCompile(`(?m)^stty: .*\n`) // the legacy client calls stty before it reads a password from a pipe
	// numbers are the places of an index; the last is the name of an in-order key.
	numbers = regexp.MustCompile(`(Index: |Index":|"index":|waitIndex=|prevIndex=|MODIFIED_INDEX=|\[| != )(\d+)\b|(/)(\d{20})\b`)
)

// normal returns the lines of text, each after a sign, with labels for the values that differ between two servers.
func (p *play) normal(sign, text string) []string {
	for _, l := range p.labels {
		text = strings.ReplaceAll(text, l.value, l.name)
	}
	text = sortInitialCluster(text)
	text = leftWord.ReplaceAllString(text, "${1}100") // of the 100 seconds that transcripts give; some may have passed
	text = timeWord.ReplaceAllString(text, "<time>")
	text = resolver.ReplaceAllString(text, " on <dns>")
	text = numbers.ReplaceAllStringFunc(text, func(found string) string {
		digits := found[strings.LastIndexFunc(found, func(r rune) bool { return r < '0' || r > '9' })+1:]
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || n <= p.base || n > p.base+1000 {
			return found
		}
		return fmt.Sprintf("%s<+%d>", strings.TrimSuffix(found, digits), n-p.base)
	})
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, "\n") {
			line += "<no newline>\n"
		}
		lines = append(lines, sign+" "+line)
	}
	return lines
}

// concrete replaces the labels in a command line by the values of this server.
func (p *play) concrete(line string) string {
	for _, l := range p.labels {
		line = strings.ReplaceAll(line, l.name, l.value)
	}
	return indexWord.ReplaceAllStringFunc(line, func(s string) string {
		n, _ := strconv.ParseUint(s[2:len(s)-1], 10, 64)
		return strconv.FormatUint(p.base+n, 10)
	})
}

// splitWords splits a line as a shell does: blanks separate, '...' is literal, "..." is a Go string.
func splitWords(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		var word strings.Builder
		for line != "" && line[0] != ' ' {
			switch line[0] {
			case '\'':
				end := strings.IndexByte(line[1:], '\'')
				word.WriteString(line[1 : end+1])
				line = line[end+2:]
			case '"':
				quoted, err := strconv.QuotedPrefix(line)
				if err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				text, _ := strconv.Unquote(quoted)
				word.WriteString(text)
				line = line[len(quoted):]
			default:
				word.WriteByte(line[0])
				line = line[1:]
			}
		}
		words = append(words, word.String())
	}
	return words
}
