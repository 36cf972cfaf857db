package ctl

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pando/members/certs"
	"pando/members/servertest"
)

// mustInit runs tls init and returns its output.
func mustInit(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, code := run(t, append([]string{"tls", "init"}, args...)...)
	if code != exitOK || stderr != "" {
		t.Fatalf("exit code %d, %q, %q", code, stdout, stderr)
	}
	return stdout
}

func TestTLSInit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "certs")
	mustInit(t, dir, "--hosts", "10.0.0.1,pando.example", "--hosts", "::1", "--days", "90")
	for name, mode := range map[string]os.FileMode{
		"": os.ModeDir | 0o700, "ca.pem": 0o644, "ca-key.pem": 0o600, "server.pem": 0o644, "server-key.pem": 0o600, "peer.pem": 0o644,
		"peer-key.pem": 0o600, "client-root.pem": 0o644, "client-root-key.pem": 0o600,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, mode)
		}
	}
	certificate := func(t *testing.T, name string) *x509.Certificate {
		t.Helper()
		return servertest.Certificate(t, filepath.Join(dir, name))
	}
	server := certificate(t, "server.pem")
	for _, host := range []string{"10.0.0.1", "pando.example", "::1", "localhost", "127.0.0.1"} {
		if err := server.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if days := time.Until(server.NotAfter).Hours() / 24; days < 89 || days > 91 {
		t.Errorf("the certificate is valid for %v days", days)
	}
	if name := certificate(t, "client-root.pem").Subject.CommonName; name != "root" {
		t.Errorf("the client is %s", name)
	}
	expectRun(t, exitOK, "nothing is wrong", "", "tls", "check", dir, "--hosts", "10.0.0.1,pando.example")

	t.Run("again", func(t *testing.T) {
		before := certificate(t, "server.pem")
		if said := mustInit(t, dir); said != "" {
			t.Errorf("it printed %q", said)
		}
		said := mustInit(t, dir, "--client", "ann", "--client", "bob")
		if !strings.Contains(said, "Connect as ann") || strings.Contains(said, "Start") {
			t.Errorf("it printed %q", said)
		}
		if !certificate(t, "server.pem").Equal(before) {
			t.Error("the certificate of the server was replaced")
		}
		expectRun(t, exitOK, "nothing is wrong", "", "tls", "check", dir)
	})
	t.Run("renew", func(t *testing.T) {
		ca, server, ann := certificate(t, "ca.pem"), certificate(t, "server.pem"), certificate(t, "client-ann.pem")
		mustInit(t, dir, "--renew")
		now := certificate(t, "server.pem")
		if now.Equal(server) || !slices.Equal(certs.HostsOf(now), certs.HostsOf(server)) {
			t.Errorf("the certificate is for %v", certs.HostsOf(now))
		}
		if !certificate(t, "ca.pem").Equal(ca) || !certificate(t, "client-ann.pem").Equal(ann) {
			t.Error("the CA or the certificate of a client was replaced")
		}
		mustInit(t, dir, "--renew", "--hosts", "10.0.0.9", "--client", "ann")
		if err := certificate(t, "peer.pem").VerifyHostname("10.0.0.9"); err != nil {
			t.Error(err)
		}
		if certificate(t, "client-ann.pem").Equal(ann) {
			t.Error("the certificate of the client was not replaced")
		}
		expectRun(t, exitOK, "nothing is wrong", "", "tls", "check", dir)
	})
}

func TestTLSInitRefuses(t *testing.T) {
	dir, noKey, noCert := filepath.Join(t.TempDir(), "certs"), filepath.Join(t.TempDir(), "no-key"), filepath.Join(t.TempDir(), "no-cert")
	for _, d := range []string{dir, noKey, noCert} {
		mustInit(t, d, "--hosts", "10.0.0.1")
	}
	for _, file := range []string{filepath.Join(noKey, "ca-key.pem"), filepath.Join(noCert, "ca.pem")} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ args, want string }{
		{"", "takes one directory"},
		{dir + " more", "takes one directory"},
		{dir + " --client root", "client-root.pem is there already: --renew replaces it"},
		{dir + " --hosts 10.0.0.2", "server.pem is there and is not for 10.0.0.2: --renew replaces"},
		{dir + " --client peer", "members accept each other by this name"},
		{dir + " --client a/b", `--client "a/b"`},
		{dir + " --client " + strings.Repeat("a", 65), "1 to 64 characters"},
		{dir + " --days 0", "--days 0: give 1 to 3649"},
		{dir + " --days 3649 --client late", ""},
		{dir + " --hosts http://10.0.0.1", "neither a name nor an IP address"},
		{dir + " --hosts 10.0.0.1:2379", "neither a name nor an IP address"},
		{noKey + " --client ann", "ca-key.pem is not: no certificate can be made without it"},
		{noCert + " --client ann", "its certificate"},
		{filepath.Join(dir, "ca.pem"), "not a directory"},
	} {
		t.Run(test.args, func(t *testing.T) {
			stdout, stderr, code := run(t, append([]string{"tls", "init"}, strings.Fields(test.args)...)...)
			if test.want != "" && (code != exitBadArguments || !strings.Contains(stderr, test.want)) {
				t.Errorf("exit code %d, %q, %q, want %q", code, stdout, stderr, test.want)
			}
		})
	}
	expectRun(t, exitOK, "nothing is wrong", "", "tls", "check", dir)
}

// TestTLSInitCommands runs the printed commands: tls init and the next command make a cluster with TLS.
func TestTLSInitCommands(t *testing.T) {
	servertest.RequireProgram(t, "curl", "curl")
	pando := buildOnce.pando(t)
	dir := t.TempDir()
	shell := func(line string) *exec.Cmd {
		cmd := exec.Command("sh", "-c", "PATH="+filepath.Dir(pando)+":$PATH; "+line)
		cmd.Dir = dir
		return cmd
	}
	printed, err := shell("pando ctl tls init 'my certs' --hosts 127.0.0.1").Output()
	if err != nil {
		t.Fatal(err)
	}
	// Other ports than the standard ones, because tests run beside each other.
	m := servertest.NewMembers(t, "m1")[0]
	portOf := func(url string) string { return url[strings.LastIndex(url, ":"):] }
	text := strings.NewReplacer(":2379", portOf(m.ClientURL()), ":2380", portOf(m.PeerURL()), "\\\n", "").Replace(string(printed))
	var commands []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "  ") {
			commands = append(commands, strings.TrimSpace(line))
		}
	}
	if len(commands) != 3 {
		t.Fatalf("%d commands in %s", len(commands), printed)
	}
	servertest.StartCommand(t, shell("exec "+commands[0]))
	servertest.Await(t, "the first write", func() bool {
		out, err := shell(commands[1]).Output()
		return err == nil && string(out) == "hello\n"
	})
	if out, err := shell(commands[2]).Output(); err != nil || !strings.Contains(string(out), `"value":"hello"`) {
		t.Errorf("curl: %v, %s", err, out)
	}
	t.Run("the members' port refuses clients", func(t *testing.T) {
		toPeers := strings.Replace(commands[2], portOf(m.ClientURL())+"/v2/keys/message", portOf(m.PeerURL())+"/version", 1)
		out, err := shell(toPeers).CombinedOutput()
		if err == nil {
			t.Errorf("it answered %s", out)
		}
	})
}

// checkedFiles are the sets of files of TestTLSCheck.
func checkedFiles(t *testing.T) (pki, other *servertest.PKI, request func(change func(*certs.Request)) servertest.KeyPair) {
	t.Helper()
	pki, other = servertest.NewPKI(t), servertest.NewPKI(t)
	count := 0
	request = func(change func(*certs.Request)) servertest.KeyPair {
		r := certs.Request{CommonName: "m1", Hosts: []string{"10.0.0.1"}, Server: true, Client: true, ValidFor: 90 * 24 * time.Hour}
		change(&r)
		count++
		return pki.IssueAs(t, fmt.Sprintf("c%d", count), r)
	}
	return pki, other, request
}

func TestTLSCheck(t *testing.T) {
	pki, other, request := checkedFiles(t)
	good := request(func(*certs.Request) {})
	expired := request(func(r *certs.Request) { r.From, r.ValidFor = time.Now().Add(-48*time.Hour), time.Hour })
	ending := request(func(r *certs.Request) { r.ValidFor = 24 * time.Hour })
	forServer := request(func(r *certs.Request) { r.Client = false })
	forClient := request(func(r *certs.Request) { r.Server = false })
	list, err := pki.Authority.RevocationList(1, time.Hour, servertest.Certificate(t, good.Cert))
	if err != nil {
		t.Fatal(err)
	}
	crl := pki.Write(t, "crl.pem", list)
	text := pki.Write(t, "text.pem", []byte("no certificate"))
	member := func(pair servertest.KeyPair) string { return "--cert-file " + pair.Cert + " --key-file " + pair.Key }
	for _, test := range []struct{ name, args, want string }{
		{"all is right", member(good) + " --trusted-ca-file " + pki.CA + " --hosts 10.0.0.1", ""},
		{"a peer", "--for peer " + member(good) + " --trusted-ca-file " + pki.CA, ""},
		{"both sides of a server", member(good) + " --peer-cert-file " + good.Cert + " --peer-key-file " + good.Key, ""},
		{"a client", "--for client " + member(forClient) + " --ca-file " + pki.CA, ""},
		{"expired", member(expired), "error: --cert-file " + expired.Cert + ": the certificate of"},
		{"ends soon", member(ending), "ends soon"},
		{"another key", "--cert-file " + good.Cert + " --key-file " + expired.Key, "error: --key-file " + expired.Key},
		{"another CA", member(good) + " --trusted-ca-file " + other.CA, "signed by another CA"},
		{"another host", member(good) + " --hosts 10.0.0.1,10.0.0.2", "is not for the host 10.0.0.2"},
		{"not for clients", "--peer-cert-file " + forServer.Cert + " --peer-key-file " + forServer.Key, "lacks clientAuth"},
		{"not for servers", member(forClient), "lacks serverAuth"},
		{"revoked", member(good) + " --trusted-ca-file " + pki.CA + " --client-crl-file " + crl, "revoked"},
		{"CRL of another CA", member(good) + " --trusted-ca-file " + other.CA + " --client-crl-file " + crl, "error: --client-crl-file " + crl},
		{"no certificate", "--cert-file " + text + " --key-file " + good.Key, "error: --cert-file " + text},
		{"no key", "--cert-file " + good.Cert, "error: --key-file: is not given"},
		{"a missing file", "--cert-file none.pem --key-file " + good.Key, "error: --cert-file none.pem: the file does not exist"},
		{"a file, with the key and the CA beside it", good.Cert, ""},
		{"a file that is expired", expired.Cert, "error: certificate " + expired.Cert},
		{"a directory", pki.Dir, "error: certificate " + expired.Cert},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, code := run(t, append([]string{"tls", "check"}, strings.Fields(test.args)...)...)
			wantCode := exitOK
			if test.want != "" {
				wantCode = exitProblem
			}
			if code != wantCode || stderr != "" || !strings.Contains(stdout, test.want) {
				t.Errorf("exit code %d, want %d; %q, %q, want %q", code, wantCode, stdout, stderr, test.want)
			}
			var report tlsReport
			stdout, _, code = run(t, append([]string{"-o", "json", "tls", "check"}, strings.Fields(test.args)...)...)
			if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != wantCode || report.OK != (code == exitOK) {
				t.Errorf("exit code %d, %v: %s", code, err, stdout)
			}
		})
	}
}

// TestTLSCheckUsage: mistakes in the command line, and the files of the global options.
func TestTLSCheckUsage(t *testing.T) {
	pki := servertest.NewPKI(t)
	ann := pki.Issue(t, "ann")
	empty := t.TempDir()
	for _, test := range []struct{ args, want string }{
		{"tls check", "needs a directory, a file, or the flags of a server"},
		{"tls check --for nobody " + ann.Cert, "it takes server, client or peer"},
		{"tls check no-such-file", "no such file"},
		{"tls check " + empty, "holds no certificate"},
		{"-o extended tls check " + ann.Cert, "it takes -o simple or json"},
	} {
		t.Run(test.args, func(t *testing.T) {
			if stdout, stderr, code := run(t, strings.Fields(test.args)...); code != exitBadArguments || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, %q, %q, want %q", code, stdout, stderr, test.want)
			}
		})
	}
	t.Run("global options", func(t *testing.T) {
		stdout, _, _ := run(t, "-o", "json", "--cert-file", ann.Cert, "--key-file", ann.Key, "--ca-file", pki.CA, "tls", "check")
		var report tlsReport
		err := json.Unmarshal([]byte(stdout), &report)
		if err != nil || len(report.Certificates) != 2 || report.Certificates[0].Use != useClient {
			t.Errorf("%v, %s", err, stdout)
		}
	})
}
