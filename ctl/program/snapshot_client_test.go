package program

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pando/ctl"
	"pando/members/servertest"
)

// runCtl runs a command of the client within the test, as the program does.
func runCtl(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errOut strings.Builder
	code = ctl.Main(t.Context(), append([]string{"pando ctl"}, args...), strings.NewReader(""), &out, &errOut, clientHost())
	return out.String(), errOut.String(), code
}

// TestClientSnapshot: "pando ctl snapshot" has the commands of "pando snapshot", and the client's global options and exit codes.
func TestClientSnapshot(t *testing.T) {
	source := servertest.Launch(t, filepath.Join(t.TempDir(), "source"))
	servertest.NewKeyClient(t, source.Client).Must(t, "PUT", "/_hidden/a", servertest.Form("value", "v"))
	dir := t.TempDir()
	file := filepath.Join(dir, "x.snap")
	stdout, stderr, code := runCtl(t, "--endpoints", source.Client, "snapshot", "save", file)
	if code != 0 || !strings.HasPrefix(stdout, "saved "+file+": 2 keys at index ") || !strings.HasSuffix(stdout, " from "+source.Client+"\n") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	if stdout, stderr, code = runCtl(t, "-o", "json", "snapshot", "status", file); code != 0 || !strings.HasPrefix(stdout, `{"hash":`) {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	t.Run("diff", func(t *testing.T) { diffSnapshot(t, source.Client, "file:"+file) })
	restored := filepath.Join(dir, "data")
	if stdout, stderr, code = runCtl(t, "snapshot", "restore", file, "--data-dir", restored); code != 0 ||
		!strings.HasPrefix(stdout, "restored 2 keys") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	for _, test := range []struct {
		args, want string
		code       int
	}{
		{"--endpoints http://127.0.0.1:1 snapshot save " + file, "is a member running there?", 4},
		{"--endpoints , snapshot save " + file, "names no endpoint", 1},
		{"--endpoints http://127.0.0.1:1 snapshot save " + file + " --endpoint " + source.Client, "", 0},
		{"snapshot save", "takes one file", 1},
		{"snapshot save a b", "takes one file", 1},
		{"snapshot save a --nope", "unknown flag --nope", 1},
		{"-o json snapshot save x", "it takes -o simple", 1},
		{"snapshot restore " + file + " --data-dir " + restored, "choose another --data-dir", 1},
		{"snapshot stauts", "Did you mean 'status'?", 3},
		{"backup", "--data-dir", 1},
		{"backup --data-dir x", "--backup-dir", 1},
	} {
		t.Run(test.args, func(t *testing.T) {
			stdout, stderr, code := runCtl(t, strings.Fields(test.args)...)
			if code != test.code || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, want %d; %q, %q", code, test.code, stdout, stderr)
			}
		})
	}
	t.Run("help", func(t *testing.T) {
		for _, args := range []string{"snapshot", "help snapshot save", "snapshot save --help", "snapshot restore x --help", "help backup"} {
			if stdout, stderr, code := runCtl(t, strings.Fields(args)...); code != 0 || !strings.Contains(stdout, "xamples:") &&
				!strings.Contains(stdout, "EXAMPLES:") {
				t.Errorf("%s: exit code %d, %q, %q", args, code, stdout, stderr)
			}
		}
	})
}

// TestClientSnapshotGlobals: save uses the client's --username and its password prompt, unless save has its own --username.
func TestClientSnapshotGlobals(t *testing.T) {
	var user string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, password, _ := r.BasicAuth()
		user = name + ":" + password
		w.WriteHeader(http.StatusServiceUnavailable)
		w.Write([]byte(`{"message":"busy"}`))
	}))
	defer s.Close()
	for args, want := range map[string]string{
		"--username ann:secret snapshot save x":                      "ann:secret",
		"--username ann snapshot save x":                             "ann:",
		"--username ann:secret snapshot save x --username eve:x":     "eve:x",
		"--username ann:secret --timeout 1s snapshot save x":         "ann:secret",
		"--username ann:secret snapshot save x --timeout 1s --local": "ann:secret",
	} {
		t.Run(args, func(t *testing.T) {
			t.Chdir(t.TempDir())
			_, stderr, code := runCtl(t, append([]string{"--endpoints", s.URL}, strings.Fields(args)...)...)
			if code != 4 || user != want || !strings.Contains(stderr, "busy") {
				t.Errorf("exit code %d, user %q, want %q; %q", code, user, want, stderr)
			}
			if left, _ := os.ReadDir("."); len(left) > 0 {
				t.Errorf("%s was left", left[0].Name())
			}
		})
	}
}

// TestSaveOverTLS: save needs a certificate and, with auth enabled, the user root: by a certificate, or by a password.
func TestSaveOverTLS(t *testing.T) {
	pki := servertest.NewPKI(t)
	server, ann, root := pki.Issue(t, "server"), pki.Issue(t, "ann"), pki.Issue(t, "root")
	m := servertest.NewMembers(t, "default")[0]
	url := strings.Replace(m.ClientURL(), "http", "https", 1)
	m.StartPando(t, append(pki.ServerFlags(server, pki.CA), "--initial-cluster", servertest.InitialCluster([]servertest.Member{m}),
		"--listen-client-urls", url, "--advertise-client-urls", url)...)
	client := pki.HTTPClient(t, &root)
	servertest.Await(t, "a healthy server", func() bool {
		response, err := client.Get(url + "/health")
		if err == nil {
			response.Body.Close()
		}
		return err == nil && response.StatusCode == http.StatusOK
	})
	files := func(pair servertest.KeyPair) []string {
		return []string{"--cert-file", pair.Cert, "--key-file", pair.Key, "--ca-file", pki.CA, "--endpoints", url}
	}
	for _, args := range []string{"user add root:s3cret", "user add ann:ann-pw", "auth enable"} {
		if stdout, stderr, code := runCtl(t, append(files(root), strings.Fields(args)...)...); code != 0 {
			t.Fatalf("%s: exit code %d, %q, %q", args, code, stdout, stderr)
		}
	}
	file := filepath.Join(t.TempDir(), "x.snap")
	save := []string{"snapshot", "save", file}
	for _, test := range []struct {
		name  string
		args  []string // of pando
		typed string   // stdin
		code  int
		want  string
	}{
		{"certificate of root", append(save, files(root)...), "", 0, "saved"},
		{"certificate of another user", append(save, files(ann)...), "", ExitFailure, "only root may save a snapshot"},
		{"password of root", append(append(save, files(ann)...), "--username", "root:s3cret"), "", 0, "saved"},
		{"typed password", append(append(save, files(ann)...), "--username", "root"), "s3cret\n", 0, "saved"},
		{"wrong password", append(append(save, files(ann)...), "--username", "root"), "wrong\n", ExitFailure, "only root may save a snapshot"},
		{"command of the client", append(append([]string{"ctl"}, files(root)...), save...), "", 0, "saved"},
		{"command of the client, another user", append(append([]string{"ctl"}, files(ann)...), save...), "", 4, "only root may save"},
		{"command of the client, typed password", append(append([]string{"ctl", "-u", "root"}, files(ann)...), save...), "s3cret\n", 0, "saved"},
		{"no certificate", append(save, "--endpoint", url, "--ca-file", pki.CA), "", ExitFailure, "give it with --cert-file and --key-file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], test.args...)
			cmd.Stdin = strings.NewReader(test.typed)
			p := servertest.StartCommand(t, cmd)
			code := p.AwaitExit()
			if said := p.Stdout.String() + p.Stderr.String(); code != test.code || !strings.Contains(said, test.want) ||
				strings.Contains(said, "s3cret") {
				t.Errorf("exit code %d, want %d; %q, want %q", code, test.code, said, test.want)
			}
		})
	}
	t.Run("variables", func(t *testing.T) {
		t.Setenv("ETCDCTL_CERT_FILE", ann.Cert)
		t.Setenv("ETCDCTL_KEY_FILE", ann.Key)
		t.Setenv("ETCDCTL_CA_FILE", pki.CA)
		t.Setenv("ETCDCTL_USERNAME", "root:s3cret")
		mustPando(t, append(save, "--endpoint", url)...)
	})
}

// diffSnapshot compares a snapshot that holds /_hidden/a with its server, before and after a change.
func diffSnapshot(t *testing.T, url, file string) {
	diff := func(want string, wantCode int, args ...string) {
		t.Helper()
		args = append([]string{"--no-sync", "--endpoints", url, "diff", "--hidden", "--ttl", "--indexes"}, args...)
		if stdout, stderr, code := runCtl(t, args...); code != wantCode || stdout+stderr != want {
			t.Errorf("%q: exit code %d, %q, %q", args, code, stdout, stderr)
		}
	}
	diff("", 0, file, "/")
	diff("", 0, file+":/_hidden", "/_hidden")
	diff("", 0, file, file)
	diff("--- "+file+":/_hidden/a\n+++ "+file+":/_hidden\n~ /_hidden/a key \"v\" -> directory\n+ /_hidden/a \"v\"\n", 1,
		"-N", file+":/_hidden/a", file+":/_hidden")
	servertest.NewKeyClient(t, url).Must(t, "PUT", "/bytes?raw=true", nil)
	diff("--- "+file+"\n+++ /\n+ /bytes \"\"\n", 1, file, "/")
	servertest.NewKeyClient(t, url).Must(t, "DELETE", "/bytes", nil)
}
