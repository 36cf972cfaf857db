package ctl

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pando/members/servertest"
)

// fillOdd writes keys and values that are hard to quote.
func fillOdd(t *testing.T, s *server) {
	t.Helper()
	fill(t, s)
	var all strings.Builder
	for c := range 0x80 {
		all.WriteByte(byte(c))
	}
	for key, value := range map[string]string{
		"/odd/every byte": all.String(), "/odd/it's $(date) `date` \"x\" \\ %s": "it's $HOME `id` %d \\n", "/odd/new\nline": "\n\n",
		"/odd/-n": "-n", "/odd/100%": "100%", "/odd/?a=b#c": "&", "/odd/large": strings.Repeat("0123456789'\x00", 20_000),
		"/odd/digits": "\x001\x0109", "/odd/spaces": "  two  ", "/odd/ends\\": "\\",
	} {
		s.mustWithInput(t, value, "set", key)
	}
	s.must(t, "mkdir", "--ttl", "2", "/gone")
	s.must(t, "set", "/gone/below", "x")
	s.must(t, "set", "--ttl", "2", "/gone soon", "x")
}

// runScript runs a script of export with a shell and the legacy etcdctl.
func runScript(t *testing.T, shell, script string, s *server) (output string, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "all.sh")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(servertest.RequireProgram(t, shell, shell), file)
	etcdctl := servertest.RequireProgram(t, "etcdctl", "etcd-client")
	command.Env = append(os.Environ(), "ETCDCTL="+etcdctl+" --no-sync --endpoints "+s.Client)
	out, err := command.CombinedOutput()
	return string(out), err
}

// firstDifference returns the first line in which two texts differ.
func firstDifference(got, want string) string {
	x, y := strings.Split(got, "\n"), strings.Split(want, "\n")
	i := 0
	for i < len(x)-1 && i < len(y)-1 && x[i] == y[i] {
		i++
	}
	return fmt.Sprintf("line %d: got %.200s, want %.200s", i, x[i], y[i])
}

// TestExportBack exports from Pando, and loads the export into etcd: as a script, with two shells and the legacy etcdctl, and as JSON
// lines.
func TestExportBack(t *testing.T) {
	servertest.SkipShort(t, "it starts etcd")
	from := startPando(t)
	fillOdd(t, from)
	script := from.must(t, "export", "--format", "etcdctl", "/", "/_hidden")
	servertest.Await(t, "the short TTLs to end", func() bool {
		_, _, code := from.runWithInput(t, "", "get", "/gone/below")
		_, _, later := from.runWithInput(t, "", "get", "/gone soon")
		return code != exitOK && later != exitOK
	})
	want := summary(t, from.must(t, "export", "/", "/_hidden"))
	lines := from.must(t, "export", "/", "/_hidden")
	to := startReference(t)
	for _, load := range []struct {
		name string
		with func() (string, error)
	}{
		{"script with bash", func() (string, error) { return runScript(t, "bash", script, to) }},
		{"script with bash, again", func() (string, error) { return runScript(t, "bash", script, to) }},
		{"script with dash", func() (string, error) { return runScript(t, "dash", script, to) }},
		{"JSON lines", func() (string, error) { return to.mustWithInput(t, lines, "import"), nil }},
	} {
		t.Run(load.name, func(t *testing.T) {
			if out, err := load.with(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got := summary(t, to.must(t, "export", "/", "/_hidden")); got != want {
				t.Error(firstDifference(got, want))
			}
			if !strings.Contains(load.name, "bash") || strings.Contains(load.name, "again") {
				for _, key := range []string{"/odd", "/d", "/nothing", "/short", "/_hidden"} {
					to.must(t, "rm", "--recursive", key)
				}
			}
		})
	}
	t.Run("a script stops at an error", func(t *testing.T) {
		to.must(t, "rm", "--recursive", "/plain")
		to.must(t, "mkdir", "/plain")
		if out, err := runScript(t, "dash", script, to); err == nil || !strings.Contains(out, "Not a file") {
			t.Errorf("got %v: %s", err, out)
		}
	})
	t.Run("a name with a zero byte", func(t *testing.T) {
		from.must(t, "set", "/zero\x00byte", "x")
		stdout, stderr, code := from.runWithInput(t, "", "export", "--format", "etcdctl")
		if code != exitServer || !strings.Contains(stderr, "byte 0 in their names") || !strings.Contains(stdout, `# left out`) {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
	t.Run("an unknown format", func(t *testing.T) {
		_, stderr, code := from.runWithInput(t, "", "export", "--format", "yaml")
		if code != exitBadArguments || !strings.Contains(stderr, "must be json or etcdctl") {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
}
