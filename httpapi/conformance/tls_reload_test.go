package conformance

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"pando/members/certs"
	"pando/members/servertest"
)

// TestTLSReload replaces the certificate of a server while a connection and a watch are open.
func TestTLSReload(t *testing.T) {
	t.Parallel()
	s := startSecure(t)
	old, watch := s.dial(t), s.dial(t)
	in := bufio.NewReader(old)
	get := func() {
		t.Helper()
		if _, err := io.WriteString(old, "HEAD /v2/keys/ HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if status := readHead(t, in); !strings.HasPrefix(status, servertest.Status200) {
			t.Fatal(status)
		}
	}
	get()
	if _, err := io.WriteString(watch, servertest.GetRequest("/v2/keys/a?wait=true")); err != nil {
		t.Fatal(err)
	}
	shown := func() string { return s.dial(t).ConnectionState().PeerCertificates[0].Subject.CommonName }
	if name := shown(); name != "server" {
		t.Fatal(name)
	}
	renewed := s.pki.Issue(t, "renewed")
	replace(t, renewed.Cert, s.server.Cert)
	replace(t, renewed.Key, s.server.Key)
	servertest.Await(t, "the new certificate", func() bool { return shown() == "renewed" })
	get()
	if metrics := s.Get("/metrics"); !strings.Contains(metrics, `subject="CN=renewed,O=Pando"} `) || strings.Contains(metrics, "CN=server") {
		t.Error("the metrics have another certificate")
	}
	t.Run("a broken file", func(t *testing.T) {
		if err := os.WriteFile(s.server.Cert, []byte("broken"), 0o600); err != nil {
			t.Fatal(err)
		}
		servertest.Await(t, "the failure", func() bool {
			return strings.Contains(s.Get("/metrics"), "\npando_tls_reload_failures_total{side=\"client\"} 1\n")
		})
		if name := shown(); name != "renewed" {
			t.Error(name)
		}
		want := "the old ones stay in use error=\"--cert-file: " + s.server.Cert + ": the file has no certificate"
		if log := s.Stderr.String(); strings.Count(log, want) != 1 {
			t.Errorf("not once in the log: %s", want)
		}
	})
	get()
	s.keys(t).Must(t, "PUT", "/a", servertest.Form("value", "seen"))
	readHead(t, bufio.NewReader(watch)) // the event follows in the same connection
}

// replace moves a file over another.
func replace(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// TestTLSBadFiles starts servers with files that are wrong. Each start fails with the flag, the file and the reason.
func TestTLSBadFiles(t *testing.T) {
	pki := servertest.NewPKI(t)
	good, other := pki.Issue(t, "good"), pki.Issue(t, "other")
	ended := pki.IssueAs(t, "ended", certs.Request{CommonName: "ended", From: time.Now().Add(-2 * time.Hour), ValidFor: time.Hour})
	secret, err := os.ReadFile(good.Key)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Split(string(secret), "\n")[1] // of the key
	half := pki.Write(t, "half-key.pem", secret[:len(secret)/2])
	for _, test := range []struct {
		name, flags, want string
	}{
		{"no file", "--cert-file=/no/such.pem --key-file=" + good.Key, "--cert-file: /no/such.pem: the file does not exist"},
		{"another key", "--cert-file=" + good.Cert + " --key-file=" + other.Key,
			"--key-file: " + other.Key + ": the private key does not belong"},
		{"half a key", "--cert-file=" + good.Cert + " --key-file=" + half, "--key-file: " + half + ": "},
		{"expired", "--cert-file=" + ended.Cert + " --key-file=" + ended.Key,
			"--cert-file: " + ended.Cert + ": the certificate of CN=ended,O=Pando has expired"},
		{"no CA", "--auto-tls --trusted-ca-file=" + good.Cert,
			"--trusted-ca-file: " + good.Cert + ": the certificate of CN=good,O=Pando is not that of a CA"},
		{"no list", "--auto-tls --trusted-ca-file=" + pki.CA + " --client-crl-file=" + good.Cert,
			"--client-crl-file: " + good.Cert + ": the file has no"},
	} {
		t.Run(test.name, func(t *testing.T) {
			flags := append([]string{
				"--listen-client-urls=https://127.0.0.1:0", "--advertise-client-urls=https://127.0.0.1:1", "--listen-peer-urls=http://127.0.0.1:0",
				"--data-dir=" + t.TempDir(),
			}, strings.Fields(test.flags)...)
			p := servertest.StartCommand(t, exec.Command(os.Args[0], flags...))
			code := p.AwaitExit()
			text := p.Stderr.String() + p.Stdout.String()
			if code == 0 || !strings.Contains(text, test.want) {
				t.Errorf("code %d, printed %s\nwant %s", code, text, test.want)
			}
			if strings.Contains(text, line) {
				t.Error("the private key is printed")
			}
		})
	}
}

// TestAutoTLS serves with self-signed certificates, which stay the same over a restart.
func TestAutoTLS(t *testing.T) {
	servertest.RequireProgram(t, "curl", "curl")
	m := servertest.NewMembers(t, "default")[0]
	secure := servertest.FreeAddr(t)
	run := func() {
		p := m.StartPando(t, "--auto-tls", "--peer-auto-tls",
			"--listen-client-urls", "https://"+secure, "--advertise-client-urls", "https://"+secure,
			"--listen-peer-urls", "https://"+m.Peer, "--initial-advertise-peer-urls", "https://"+m.Peer)
		p.AwaitServing()
		playSteps(t, p, []clientStep{
			{`curl -sS --cacert ` + m.DataDir + `/tls/client/cert.pem $P/health`, `\{"health":"true"\}`},
			{`curl -sS --cacert ` + m.DataDir + `/tls/peer/cert.pem https://` + m.Peer + `/version`, `\{"etcdserver.*`},
		})
		p.Terminate()
	}
	run()
	first, err := os.ReadFile(m.DataDir + "/tls/client/cert.pem")
	if err != nil {
		t.Fatal(err)
	}
	run()
	if second, err := os.ReadFile(m.DataDir + "/tls/client/cert.pem"); err != nil || string(second) != string(first) {
		t.Errorf("the certificate has changed, or %v", err)
	}
}

// TestUnixSockets serves clients and metrics on unix sockets.
func TestUnixSockets(t *testing.T) {
	servertest.RequireProgram(t, "curl", "curl")
	dir := t.TempDir()
	pki := servertest.NewPKI(t)
	start := func(data string) *servertest.Process {
		return servertest.Start(t, data, append([]string{
			"--listen-client-urls", "unix://" + dir + "/c.sock,unixs://" + dir + "/s.sock", "--listen-metrics-urls", "unix://" + dir + "/m.sock",
		}, pki.ServerFlags(pki.Issue(t, "server"), "")...)...)
	}
	data := t.TempDir()
	p := start(data)
	p.AwaitServing()
	t.Setenv("D", dir)
	t.Setenv("CA", pki.CA)
	steps := []clientStep{
		{`curl -sS --unix-socket $D/c.sock http://localhost/v2/keys/a -XPUT -d value=one`, `\{"action":"set",.*"value":"one".*`},
		{`curl -sS --unix-socket $D/s.sock --cacert $CA https://localhost/v2/keys/a`, `\{"action":"get",.*"value":"one".*`},
		{
			`(sleep 1; curl -sS --unix-socket $D/c.sock http://x/v2/keys/w -XPUT -d value=seen >/dev/null) & ` +
				`curl -sS --max-time 50 --unix-socket $D/c.sock "http://x/v2/keys/w?wait=true"`,
			`\{"action":"set","node":\{"key":"/w","value":"seen".*`,
		},
		{`curl -sS --unix-socket $D/m.sock http://localhost/health`, `\{"health":"true"\}`},
		{`curl -sS --unix-socket $D/m.sock http://localhost/v2/keys/a`, `404 page not found`},
	}
	playSteps(t, p, steps)
	t.Run("a second server", func(t *testing.T) {
		second := start(t.TempDir())
		if code := second.AwaitExit(); code == 0 || !strings.Contains(second.Stderr.String(), "another server is running there") {
			t.Errorf("code %d, printed %s", code, second.Stderr)
		}
		playSteps(t, p, steps[:1])
	})
	t.Run("after a crash", func(t *testing.T) {
		p.Kill()
		if _, err := os.Lstat(dir + "/c.sock"); err != nil {
			t.Fatal("the crash has left no socket")
		}
		p = start(data)
		p.AwaitServing()
		playSteps(t, p, steps)
	})
	t.Run("a stop removes the sockets", func(t *testing.T) {
		p.Terminate()
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%v, %v", left, err)
		}
	})
	t.Run("a file that is no socket", func(t *testing.T) {
		if err := os.WriteFile(dir+"/c.sock", []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		p := start(t.TempDir())
		want := fmt.Sprintf("--listen-client-urls unix://%s/c.sock: the file exists and is not a socket; choose another path", dir)
		if code := p.AwaitExit(); code == 0 || !strings.Contains(p.Stderr.String(), want) {
			t.Errorf("code %d, printed %s, want %s", code, p.Stderr, want)
		}
		if content, err := os.ReadFile(dir + "/c.sock"); err != nil || string(content) != "mine" {
			t.Errorf("the file has changed, or %v", err)
		}
	})
}
