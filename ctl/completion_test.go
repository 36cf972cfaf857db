package ctl

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shells run a completion script in file with the words of a command line, the last of them at the cursor, and print what
// could follow, one a line. A shell may print more than what begins with the last word.
var shells = map[string]func(file string, words []string) *exec.Cmd{
	"bash": func(file string, words []string) *exec.Cmd {
		return exec.Command("bash", append([]string{"-c", `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1))
			set -- $(complete -p "$1"); while [[ $1 != -F ]]; do shift; done; $2; printf '%s\n' "${COMPREPLY[@]}"`, "-", file}, words...)...)
	},
	"zsh": func(file string, words []string) *exec.Cmd {
		return exec.Command("zsh", append([]string{"-f", "-c", `compdef() { target=$1; }; compadd() { shift; print -l -- "$@"; }; _files() { print -- files; }
			source "$1"; shift; words=("$@"); CURRENT=$#words; PREFIX=$words[CURRENT]; $target`, "-", file}, words...)...)
	},
	"fish": func(file string, words []string) *exec.Cmd {
		return exec.Command("fish", "--no-config", "-c", `source $argv[1]; complete -C $argv[2]`, file, strings.Join(words, " "))
	},
}

func TestCompletion(t *testing.T) {
	for shell, command := range shells {
		t.Run(shell, func(t *testing.T) {
			if _, err := exec.LookPath(shell); err != nil {
				t.Skipf("%s is not installed", shell)
			}
			for _, test := range []struct {
				program, line string
				want, not     string
			}{
				{"etcdctl", "etcdctl ", "set", "list"},
				{"etcdctl", "etcdctl exp", "export", ""},
				{"etcdctl", "etcdctl member ", "list add remove update", "set"},
				{"etcdctl", "etcdctl --endpoints get member ", "list", "set"},
				{"etcdctl", "etcdctl --debug endpoint s", "status", "set"},
				{"etcdctl", "etcdctl ls --r", "--recursive", "--endpoints"},
				{"etcdctl", "etcdctl --end", "--endpoints", "--recursive"},
				{"etcdctl", "etcdctl bench put --con", "--conns", "--recursive"},
				{"pando ctl", "pando c", "ctl", "set"},
				{"pando ctl", "pando ctl completion ", "bash zsh fish", "set"},
				{"pando ctl", "pando ctl tree --d", "--depth", "--ttl"},
			} {
				t.Run(test.line, func(t *testing.T) {
					var script, errOut lockedBuffer
					if code := Main(t.Context(), []string{test.program, "completion", shell}, strings.NewReader(""), &script, &errOut, Host{}); code != exitOK {
						t.Fatal(errOut.String())
					}
					file := filepath.Join(t.TempDir(), "script")
					if err := os.WriteFile(file, []byte(script.String()), 0o600); err != nil {
						t.Fatal(err)
					}
					words := strings.Split(test.line, " ")
					run := command(file, words)
					run.Env = append(os.Environ(), "HOME="+t.TempDir())
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
