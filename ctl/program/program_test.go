package program

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"pando/raft"
	"pando/stats"
	"pando/storage"
)

func TestRunUsage(t *testing.T) {
	for _, test := range []struct {
		name, args, want string
	}{
		{"unknown flag with a near one", "--data-dr=x", "unknown flag --data-dr; did you mean --data-dir?"},
		{"unknown flag with one dash", "-listen-client-url=x", "unknown flag --listen-client-url; did you mean --listen-client-urls?"},
		{"unknown flag far from all", "--zzzzzzzz", "unknown flag --zzzzzzzz"},
		{"beginning of a flag", "--initial-cluster-t x", "did you mean --initial-cluster-token?"},
		{"flag without value", "--name", "--name needs a value, for example --name=default"},
		{"bad syntax", "---name", `"---name" is not a flag; write --flag=value`},
		{"switch with detached value", "--enable-pprof true", "for example --enable-pprof=true"},
		{"a flag before a verb", "--data-dir=/x snapshot restore f", "--data-dir stands before snapshot, where it has no effect"},
		{"a flag before the client", "--name x ctl ls", "--name stands before ctl"},
		{"nearly a verb", "clt", "did you mean pando ctl?"},
		{"a command about users", "user", `user is a command of the client; did you mean "pando ctl user"?`},
		{"a command of the client", "get /a", `get is a command of the client; did you mean "pando ctl get"?`},
		{"version as a word", "version", "did you mean pando --version?"},
		{"flag without dashes", "data-dir=/x", "did you mean --data-dir=/x?"},
		{"any other word", "frobnicate", "unexpected argument \"frobnicate\"; the server takes only flags"},
		{"wrong value", "--snapshot-count=many", `--snapshot-count: "many" is not a whole number`},
		{"certificate without its key", "--cert-file=x.pem", "--key-file: is missing, and --cert-file is given"},
		{"missing file", "--config-file=no/such.yml", "--config-file: cannot read the configuration: no/such.yml"},
		{"log in a missing directory", "--log-outputs=no/such/dir.log", "--log-outputs: cannot write the log: no/such/dir.log"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, errOut strings.Builder
			err := run(t.Context(), append([]string{"pando"}, strings.Fields(test.args)...), &out, &errOut)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got error %v, want one with %q", err, test.want)
			}
			if out.Len() > 0 || errOut.Len() > 0 {
				t.Errorf("run printed %q and %q; the error belongs to its caller", out.String(), errOut.String())
			}
			if code := report(&errOut, err); code != ExitUsage {
				t.Errorf("exit code %d, want %d", code, ExitUsage)
			}
			if !strings.HasPrefix(errOut.String(), "pando: ") || !strings.Contains(errOut.String(), "pando --help") {
				t.Errorf("reported as %q", errOut.String())
			}
		})
	}
}

func TestReport(t *testing.T) {
	var out strings.Builder
	if code := report(&out, nil); code != 0 || out.Len() > 0 {
		t.Errorf("success: code %d, output %q", code, out.String())
	}
	if code := report(&out, errors.New("disk on fire\ncall somebody")); code != ExitFailure {
		t.Errorf("failure: code %d, want %d", code, ExitFailure)
	}
	if want := "pando: disk on fire\npando: call somebody\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// TestReportCodes reports errors from inside the member, as they come wrapped.
func TestReportCodes(t *testing.T) {
	for _, test := range []struct {
		err  error
		code int
	}{
		{raft.ErrBroken, ExitMember},
		{raft.ErrRemoved, ExitMember},
		{raft.ErrNotSkipped, ExitUsage},
		{&raft.EntryError{Err: errors.New("it can't be decoded")}, ExitData},
		{storage.ErrFailed, ExitFailure},
		{&loggedError{storage.ErrCorrupt}, ExitData},
	} {
		t.Run(test.err.Error(), func(t *testing.T) {
			if code := report(io.Discard, fmt.Errorf("member a: %w", test.err)); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	var out, errOut strings.Builder
	if err := run(t.Context(), []string{"pando", "--version"}, &out, &errOut); err != nil {
		t.Fatal(err)
	}
	got := out.String()
	apis := "API: etcd v2, as of etcd " + stats.APILevel + "; etcd v3, as of etcd " + stats.V3APILevel + "\n"
	if !strings.HasPrefix(got, "pando "+stats.Version) || !strings.Contains(got, apis) || !strings.Contains(got, "Go: go1.") {
		t.Errorf("got %q", got)
	}
	for _, text := range []string{stats.Version, stats.APILevel} {
		if strings.Contains(text, "0.4") {
			t.Errorf("%q contains 0.4, which old clients take for a v1 server", text)
		}
	}
}

func TestStrayArgument(t *testing.T) {
	if err := strayArgument("snapshto", []string{"ctl", "snapshot"}); !strings.Contains(err.Error(), "did you mean pando snapshot?") {
		t.Errorf("got %v", err)
	}
}
