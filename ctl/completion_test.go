package ctl

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pando/members/servertest"

	"github.com/urfave/cli/v2"
)

// shells run a completion script with the words of a command line, of which the last is at the cursor, and print the candidates, one
// on each line. A shell may print candidates that don't begin with the last word.
var shells = map[string]func(file string, words []string) *exec.Cmd{
	"bash": func(file string, words []string) *exec.Cmd {
		return exec.Command("bash", append([]string{"-c", `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1))
			set -- $(complete -p "$1"); while [[ $1 != -F ]]; do shift; done; $2; printf '%s\n' "${COMPREPLY[@]}"`, "-", file}, words...)...)
	},
	"zsh": func(file string, words []string) *exec.Cmd {
		return exec.Command("zsh", append([]string{"-f", "-c",
			`compdef() { target=$1; }; compadd() { shift; print -l -- "$@"; }; _files() { print -- files; }
			source "$1"; shift; words=("$@"); CURRENT=$#words; PREFIX=$words[CURRENT]; $target`, "-", file}, words...)...)
	},
	"fish": func(file string, words []string) *exec.Cmd {
		return exec.Command("fish", "--no-config", "-c", `source $argv[1]; complete -C $argv[2]`, file, strings.Join(words, " "))
	},
}

// around returns the commands and flags of a program that the client is a part of.
func around() ([]*cli.Command, []cli.Flag) {
	return []*cli.Command{
			{Name: "ctl", Usage: "the client"},
			{Name: "snapshot", Usage: "backups", Subcommands: []*cli.Command{{Name: "save", Flags: []cli.Flag{&cli.BoolFlag{Name: "local",
				Usage: "x"}}}}},
		}, []cli.Flag{
			&cli.GenericFlag{Name: "name", Usage: "x", Value: text("")}, &cli.GenericFlag{Name: "pprof", Usage: "x", Value: onOff{}},
			&cli.StringFlag{Name: "secret", Usage: "x", Hidden: true}, &cli.StringFlag{Name: "ignored"},
		}
}

// clientV3 returns the command line of a client for the v3 API.
func clientV3(string) *cli.App {
	return &cli.App{Commands: []*cli.Command{{Name: "lease", Usage: "leases", Subcommands: []*cli.Command{
		{Name: "grant", Usage: "x", Flags: []cli.Flag{&cli.StringFlag{Name: "ttl", Usage: "x"}}},
	}}}}
}

// v3Line begins a line that is typed while the variable has this value.
const v3Line = "ETCDCTL_API=3 "

// text is a flag with a value, onOff a flag without.
type (
	text  string
	onOff struct{ text }
)

func (text) Set(string) error  { return nil }
func (text) String() string    { return "" }
func (onOff) IsBoolFlag() bool { return true }

// TestCompletionInstructions follows the instructions of the help, in each shell, with the program.
func TestCompletionInstructions(t *testing.T) {
	pando := buildOnce.pando(t)
	for shell, test := range map[string]struct {
		args          []string // run a command line
		before, after string
		want          string
	}{
		"bash": {[]string{"--noprofile", "--norc", "-c"}, "", "complete -p pando", "-F _pando_client pando"},
		"zsh":  {[]string{"-f", "-c"}, "autoload -Uz compinit; compinit -u -D", "print $_comps[pando]", "_pando_client"},
		"fish": {[]string{"--no-config", "-c"}, "", "complete -C 'pando '", "snapshot\t"},
	} {
		t.Run(shell, func(t *testing.T) {
			servertest.RequireProgram(t, shell, shell)
			help, err := exec.Command(pando, "ctl", "completion", shell, "--help").Output()
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(string(help), "\n")
			at := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, "for this shell") })
			if at < 1 {
				t.Fatalf("the help is %s", help)
			}
			script := test.before + "\n" + lines[at-1] + "\n" + test.after
			cmd := exec.Command(shell, append(test.args, script)...)
			cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "PATH="+filepath.Dir(pando)+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), test.want) {
				t.Errorf("%s\nprinted %q, %v, want %q in it", script, out, err, test.want)
			}
		})
	}
}

// completionCases are lines that are typed into shells, with words that must and must not be offered.
var completionCases = []struct {
	program, line string
	want, not     string
}{
	{"etcdctl", "etcdctl ", "set", "list"},
	{"etcdctl", "etcdctl exp", "export", ""},
	{"etcdctl", "etcdctl help lo", "lock", ""},
	{"etcdctl", "etcdctl help member ", "list", "set"},
	{"pando ctl", "pando ctl help ", "lock", "help"},
	{"etcdctl", "etcdctl member ", "list add remove update", "set"},
	{"etcdctl", "etcdctl --endpoints get member ", "list", "set"},
	{"etcdctl", "etcdctl user ", "add get list remove grant revoke passwd", "set"},
	{"etcdctl", "etcdctl -u root role grant --p", "--path", "--endpoints"},
	{"etcdctl", "etcdctl auth ", "enable disable", "set"},
	{"pando ctl", "pando ctl tls ", "init check", "set"},
	{"pando ctl", "pando ctl tls check --h", "--hosts", "--ttl"},
	{"etcdctl", "etcdctl --debug endpoint s", "status", "set"},
	{"etcdctl", "etcdctl ls --r", "--recursive", "--endpoints"},
	{"etcdctl", "etcdctl --end", "--endpoints", "--recursive"},
	{"etcdctl", "etcdctl bench put --con", "--conns", "--recursive"},
	{"pando ctl", "pando c", "ctl", "set"},
	{"pando ctl", "pando ", "ctl snapshot", "set"},
	{"pando ctl", "pando snapshot ", "save", "ctl"},
	{"pando ctl", "pando --name ctl ", "snapshot", "set"},
	{"pando ctl", "pando --pprof snapshot ", "save", "ctl"},
	{"pando ctl", "pando --", "--name --pprof", "--secret"},
	{"pando ctl", "pando --", "--name", "--ignored"},
	{"pando ctl", "pando snapshot save --", "--local", "--name"},
	{"pando ctl", "pando ctl completion ", "bash zsh fish", "set"},
	{"pando ctl", "pando ctl tree --d", "--depth", "--ttl"},
	{"pando ctl", v3Line + "pando ctl ", "lease", "set"},
	{"pando ctl", v3Line + "pando ctl lease ", "grant", "lease"},
	{"pando ctl", v3Line + "pando ctl lease grant --", "--ttl", "--depth"},
	{"pando ctl", v3Line + "pando ", "ctl snapshot", "set"},
	{"pando ctl", "pando ctl lease ", "set", "grant"},
}

func TestCompletion(t *testing.T) {
	for shell, command := range shells {
		t.Run(shell, func(t *testing.T) {
			servertest.RequireProgram(t, shell, shell)
			for _, test := range completionCases {
				t.Run(test.line, func(t *testing.T) {
					var script, errOut lockedBuffer
					if code := Main(t.Context(), []string{test.program, "completion", shell}, strings.NewReader(""), &script, &errOut,
						Host{Program: around, V3: clientV3}); code != exitOK {
						t.Fatal(errOut.String())
					}
					file := filepath.Join(t.TempDir(), "script")
					if err := os.WriteFile(file, []byte(script.String()), 0o600); err != nil {
						t.Fatal(err)
					}
					line, ofV3 := strings.CutPrefix(test.line, v3Line)
					run := command(file, strings.Split(line, " "))
					run.Env = append(os.Environ(), "HOME="+t.TempDir())
					if ofV3 {
						run.Env = append(run.Env, strings.TrimSpace(v3Line))
					}
					out, err := run.CombinedOutput()
					if err != nil {
						t.Fatalf("%v: %s", err, out)
					}
					var got []string
					for line := range strings.Lines(string(out)) {
						word, _, _ := strings.Cut(strings.TrimSpace(line), "\t") // fish: what it does
						got = append(got, word)
					}
					for _, want := range strings.Fields(test.want) {
						if !slices.Contains(got, want) {
							t.Errorf("%q is not among %q", want, got)
						}
					}
					if test.not != "" && slices.Contains(got, test.not) {
						t.Errorf("%q is among %q", test.not, got)
					}
				})
			}
		})
	}
}
