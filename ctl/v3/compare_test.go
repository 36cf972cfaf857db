package v3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"pando/ctl/v3/client"
	"pando/members/servertest"
)

// etcd37 is the directory of the programs of etcd 3.7; empty if there are none.
var etcd37 = os.Getenv("PANDO_ETCD37")

// oracle is a version of etcd that the client and the server are compared with.
type oracle struct {
	version, etcd, etcdctl string
}

// oracles returns the installed etcd, and etcd 3.7 if PANDO_ETCD37 names the directory with etcd, etcdctl and etcdutl.
func oracles(t *testing.T) []oracle {
	t.Helper()
	servertest.SkipShort(t, "every command of etcdctl is a process")
	all := []oracle{{"3.4", servertest.RequireEtcd(t), servertest.RequireProgram(t, "etcdctl", "etcd-client")}}
	if etcd37 != "" {
		all = append(all, oracle{"3.7", filepath.Join(etcd37, "etcd"), filepath.Join(etcd37, "etcdctl")})
	}
	return all
}

// server is a program that serves the API.
type server string

const (
	pando server = "Pando"
	etcd  server = "etcd"
)

// servers returns the servers of tests that need no reference. Those of etcd are only among them if PANDO_ETCD37 is set, to save time.
func servers() []server {
	if etcd37 == "" {
		return []server{pando}
	}
	return []server{pando, etcd}
}

// member is a running server of one member.
type member struct {
	*servertest.Process
	id string // in hexadecimal
}

// start starts a server of one member, and waits until it serves. etcd is that of the oracle.
func (o oracle) start(t *testing.T, kind server) *member {
	t.Helper()
	return o.startMember(t, kind, servertest.NewMembers(t, "default")[0])
}

// startMember starts a server as a member that is the only one of its cluster.
func (o oracle) startMember(t *testing.T, kind server, m servertest.Member) *member {
	t.Helper()
	flags := []string{"--log-level", "error", "--initial-cluster", servertest.InitialCluster([]servertest.Member{m})}
	program := os.Args[0]
	if kind == etcd {
		program, flags = o.etcd, append(flags, "--bcrypt-cost", "4", "--logger", "zap")
		if o.version != "3.4" {
			flags = append(flags, "--unsafe-no-fsync")
		}
	}
	s := &member{Process: m.StartCommand(t, exec.Command(program, m.Flags(flags...)...))}
	cl, err := client.New(client.Config{Endpoints: []string{s.Client}})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), servertest.Timeout)
	defer cancel()
	servertest.Await(t, "the version of the cluster", func() bool {
		var version struct{ Etcdcluster string }
		_, err := servertest.GetJSON(s.Client+"/version", &version)
		return err == nil && version.Etcdcluster != "" && version.Etcdcluster != "not_decided"
	})
	list, err := cl.Cluster.MemberList(ctx, &pb.MemberListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	s.id = fmt.Sprintf("%x", list.Members[0].ID)
	return s
}

// result is what one command did.
type result struct {
	code           int
	stdout, stderr string
}

// runner runs a command line against a server.
type runner func(ctx context.Context, p *member, stdin string, environ, args []string) result

// withTimeLimit returns the arguments of a command with a time limit that a slow disk does not exceed, unless they have one. The default
// is 5 s.
func withTimeLimit(args []string) []string {
	const flag = "--command-timeout="
	if slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, flag) }) {
		return args
	}
	return append([]string{flag + servertest.Timeout.String()}, args...)
}

// ours runs a command in this process.
func ours(ctx context.Context, p *member, stdin string, environ, args []string) result {
	var stdout, stderr lockedBuffer
	environ = append(append(os.Environ(), "ETCDCTL_ENDPOINTS="+strings.TrimPrefix(p.Client, "http://")), environ...)
	code := Main(ctx, append([]string{"etcdctl"}, withTimeLimit(args)...), environ, strings.NewReader(stdin), &stdout, &stderr, Host{})
	return result{code, stdout.String(), stderr.String()}
}

// run runs a command with the etcdctl of the oracle.
func (o oracle) run(ctx context.Context, p *member, stdin string, environ, args []string) result {
	cmd := exec.CommandContext(ctx, o.etcdctl, withTimeLimit(args)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = append(append(os.Environ(), "ETCDCTL_API=3", "ETCDCTL_ENDPOINTS="+strings.TrimPrefix(p.Client, "http://")), environ...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil && ctx.Err() == nil {
		code = -1
	}
	return result{code, stdout.String(), stderr.String()}
}

// scriptLine is one line of a script.
type scriptLine struct {
	text    string
	stdin   string
	environ []string
	args    []string
	only37  bool
	sorted  bool // the order of the parts of the output is that of random IDs
}

// readScript reads a script. A line is the arguments of a command, with quotes. Before them may stand "37:", for a command that
// etcdctl 3.4 does not have or answers otherwise, a "~", for output whose parts may be in any order, variables, and stdin in quotes with
// a |. Labels stand for values of the server.
func readScript(t *testing.T, script string, p *member) []scriptLine {
	t.Helper()
	var lines []scriptLine
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		read := scriptLine{text: line}
		line, read.only37 = strings.CutPrefix(line, "37: ")
		line, read.sorted = strings.CutPrefix(line, "~")
		line = strings.ReplaceAll(line, "<client>", strings.TrimPrefix(p.Client, "http://"))
		line = strings.ReplaceAll(line, "<member>", p.id)
		words, err := splitWords(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for len(words) > 0 && variableWord.MatchString(words[0]) {
			read.environ = append(read.environ, words[0])
			words = words[1:]
		}
		if len(words) > 1 && words[1] == "|" {
			read.stdin, words = words[0], words[2:]
		}
		read.args = words
		lines = append(lines, read)
	}
	return lines
}

var variableWord = regexp.MustCompile(`^ETCDCTL_[A-Z_0-9]+=`)

// play runs a script against a new server and returns the result of each line.
func play(t *testing.T, o oracle, kind server, run runner, script string) []result {
	p := o.start(t, kind)
	leases := map[string]string{}
	var results []result
	for _, line := range readScript(t, script, p) {
		if line.only37 && o.version != "3.7" {
			continue
		}
		for i := range line.args {
			for label, id := range leases {
				line.args[i] = strings.ReplaceAll(line.args[i], label, id)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), servertest.Timeout)
		got := run(ctx, p, line.stdin, line.environ, line.args)
		cancel()
		if found := grantedLease.FindStringSubmatch(got.stdout); found != nil {
			leases["<lease>"] = found[1]
		}
		if line.sorted {
			parts := strings.FieldsFunc(got.stdout, func(r rune) bool { return strings.ContainsRune(",\n\"", r) })
			slices.Sort(parts)
			got.stdout = strings.Join(parts, "\n")
		}
		got.stdout, got.stderr = normal(got.stdout, p), firstLine(normal(got.stderr, p))
		results = append(results, got)
	}
	return results
}

var grantedLease = regexp.MustCompile(`^lease ([0-9a-f]{16}) granted`)

// firstLine returns the first line that is no line of a log.
func firstLine(text string) string {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, `{"level":`) && !strings.HasPrefix(line, "stty: ") && strings.TrimSpace(line) != "" {
			return line
		}
	}
	return ""
}

// replacements are the values that differ between two runs.
var replacements = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`\b\d{17,20}\b`), "<number>"},
	{regexp.MustCompile(`\b[0-9a-f]{13,16}\b`), "<id>"},
	{regexp.MustCompile(` {2,}`), " "}, // the IDs of members have 16 digits or fewer
	{regexp.MustCompile(`─+`), "─"},
	{regexp.MustCompile(`(took = |took |"took":"|"Took" : )[0-9.]+[a-zµ]+`), "$1<time>"},
	{regexp.MustCompile(`(remaining\(|"ttl":|"TTL" : )\d{2,}`), "$1<ttl>"},
	{regexp.MustCompile(`("?(?:raft\w*[iI]ndex|Raft\w*Index|hash|Hash|dbSize\w*|DBSize\w*)"? ?: ?)\d+`), "$1<n>"},
	{regexp.MustCompile(`\d+ kB, \d+ kB, \d+%`), "<size>"},
	{regexp.MustCompile(`\d+, \d+, (, , false)`), "<index>, <index>, $1"},
	{regexp.MustCompile(`(<client>, )\d+`), "$1<hash>"},
	{regexp.MustCompile(` on [0-9.:\[\]a-f]+:53`), " on <dns>"},
	{regexp.MustCompile(`@[0-9a-f]{8,}`), "@<id>"},
}

// normal returns text without the values that differ between two servers of one version.
func normal(text string, p *member) string {
	text = strings.ReplaceAll(text, strings.TrimPrefix(p.Client, "http://"), "<client>")
	text = strings.ReplaceAll(text, strings.TrimPrefix(p.Peer, "http://"), "<peer>")
	for _, r := range replacements {
		text = r.pattern.ReplaceAllString(text, r.by)
	}
	return text
}

// pair is a client and a server that are compared with etcdctl and etcd.
type pair struct {
	client string
	run    runner
	server server
}

// pairs returns what is compared with etcdctl and etcd: this client with Pando, which finds a difference of either. If PANDO_ETCD37 is
// set, it returns also the pairs that tell which of both differs.
func (o oracle) pairs() []pair {
	all := []pair{{"pando ctl", ours, pando}}
	if etcd37 != "" {
		all = append(all, pair{"pando ctl", ours, etcd}, pair{"etcdctl", o.run, pando})
	}
	return all
}

// TestSameAsEtcdctl types scripts into clients. Each client has a server of its own that has seen the same commands, so that the revisions
// are equal, too.
func TestSameAsEtcdctl(t *testing.T) {
	t.Parallel()
	for _, o := range oracles(t) {
		for name, script := range scripts {
			t.Run(o.version+" "+name, func(t *testing.T) {
				t.Parallel()
				pairs := o.pairs()
				got, want := make([][]result, len(pairs)), []result(nil)
				var group sync.WaitGroup
				group.Go(func() { want = play(t, o, etcd, o.run, script) })
				for i, p := range pairs {
					group.Go(func() { got[i] = play(t, o, p.server, p.run, script) })
				}
				group.Wait()
				differing := map[string]bool{}
				for i, p := range pairs {
					t.Run(p.client+" to "+string(p.server), func(t *testing.T) { o.compare(t, p, script, got[i], want, differing) })
				}
				for _, line := range readScript(t, script, &member{Process: &servertest.Process{}}) {
					if because := explanation(o.version, line.text); because != "" && !differing[line.text] && len(pairs) > 1 {
						t.Errorf("%s\nno result differs, but a difference is explained: %s", line.text, because)
					}
				}
			})
		}
	}
}

// compare compares the results of the lines of a script. It adds the lines whose differences are explained to differing.
func (o oracle) compare(t *testing.T, p pair, script string, got, want []result, differing map[string]bool) {
	i := 0
	for _, line := range readScript(t, script, &member{Process: &servertest.Process{}}) {
		if line.only37 && o.version != "3.7" {
			continue
		}
		if i >= len(got) || i >= len(want) {
			t.Fatal("a script has stopped early")
		}
		switch {
		case got[i] == want[i]:
		case p.server == pando && explanation(o.version, line.text) != "":
			differing[line.text] = true
		default:
			t.Errorf("%s\ngot  %d %q\n     %q\nwant %d %q\n     %q", line.text, got[i].code, got[i].stdout, got[i].stderr,
				want[i].code, want[i].stdout, want[i].stderr)
		}
		i++
	}
}

// lockedBuffer is a buffer that commands write while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
