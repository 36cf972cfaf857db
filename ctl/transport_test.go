package ctl

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pando/members/certs"
	"pando/members/servertest"
)

// secureServer answers GET with the common name in the client's certificate.
func secureServer(t *testing.T, pki *servertest.PKI, pair servertest.KeyPair, mode tls.ClientAuthType) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			name = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		fmt.Fprintf(w, `{"action":"get","node":{"key":"/a","value":%q,"modifiedIndex":1,"createdIndex":1}}`, name)
	}))
	s.TLS = pki.ClientConfig(t, &pair)
	s.TLS.ClientCAs, s.TLS.ClientAuth = s.TLS.RootCAs, mode
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// expectRun runs a command against endpoints and checks its exit code, and a text in its output.
func expectRun(t *testing.T, code int, want string, endpoint string, args ...string) {
	t.Helper()
	stdout, stderr, got := run(t, append([]string{"--no-sync", "--endpoints", endpoint}, args...)...)
	if said := stdout + stderr; got != code || !strings.Contains(said, want) {
		t.Errorf("exit code %d, want %d; %q, want %q in it", got, code, said, want)
	}
}

// TestTLS: the flags and variables of certificates, and the errors about them.
func TestTLS(t *testing.T) {
	pki, other := servertest.NewPKI(t), servertest.NewPKI(t)
	s := secureServer(t, pki, pki.Issue(t, "server"), tls.RequireAndVerifyClientCert)
	ann, eve := pki.Issue(t, "ann"), other.Issue(t, "eve")
	read := func(file string) []byte {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	both := pki.Write(t, "both.pem", append(read(other.CA), read(pki.CA)...))
	text, missing := pki.Write(t, "text.pem", []byte("no certificate")), filepath.Join(pki.Dir, "missing.pem")
	for _, test := range []struct {
		name string
		args []string
		code int
		want string // on stdout of a success, in stderr of a failure
	}{
		{"with all three", []string{"--cert-file", ann.Cert, "--key-file", ann.Key, "--ca-file", pki.CA}, exitOK, "ann\n"},
		{"with a bundle of CAs", []string{"--cert-file", ann.Cert, "--key-file", ann.Key, "--ca-file", both}, exitOK, "ann\n"},
		{"without a certificate", []string{"--ca-file", pki.CA}, exitServer, "give it with --cert-file and --key-file"},
		{"with a stranger's certificate", []string{"--cert-file", eve.Cert, "--key-file", eve.Key, "--ca-file", pki.CA}, exitServer,
			"the server does not accept the certificate in --cert-file"},
		{"with another CA", []string{"--cert-file", ann.Cert, "--key-file", ann.Key, "--ca-file", other.CA}, exitServer,
			"the CA in --ca-file has not signed the certificate of the server"},
		{"with the system's CAs", []string{"--cert-file", ann.Cert, "--key-file", ann.Key}, exitServer,
			"give the CA that has signed the certificate of the server with --ca-file"},
		{"without the key", []string{"--cert-file", ann.Cert, "--ca-file", pki.CA}, exitBadArguments, "must both be present"},
		{"without the certificate of a key", []string{"--key-file", ann.Key}, exitBadArguments, "must both be present"},
		{"with a key of another certificate", []string{"--cert-file", ann.Cert, "--key-file", eve.Key}, exitBadArguments, ann.Cert},
		{"with a missing certificate", []string{"--cert-file", missing, "--key-file", ann.Key}, exitBadArguments, missing},
		{"with a missing key", []string{"--cert-file", ann.Cert, "--key-file", missing}, exitBadArguments, missing},
		{"with a missing CA", []string{"--ca-file", missing}, exitBadArguments, missing},
		{"with a certificate that is none", []string{"--cert-file", text, "--key-file", ann.Key}, exitBadArguments, text},
		{"with a CA that is none", []string{"--ca-file", text}, exitBadArguments, text},
	} {
		t.Run(test.name, func(t *testing.T) {
			expectRun(t, test.code, test.want, s.URL, append(test.args, "get", "/a")...)
			if test.code == exitServer {
				expectRun(t, test.code, s.URL, s.URL, append(test.args, "get", "/a")...)
			}
		})
	}
	t.Run("by variables", func(t *testing.T) {
		t.Setenv("ETCDCTL_CERT_FILE", ann.Cert)
		t.Setenv("ETCDCTL_KEY_FILE", ann.Key)
		t.Setenv("ETCDCTL_CA_FILE", pki.CA)
		expectRun(t, exitOK, "ann\n", s.URL, "get", "/a")
	})
}

// TestTLSAdvice: an error about the certificate of a server, or about http and https, says what to do.
func TestTLSAdvice(t *testing.T) {
	pki := servertest.NewPKI(t)
	request := func(change func(*certs.Request)) certs.Request {
		r := certs.Request{CommonName: "server", Hosts: []string{"127.0.0.1"}, Server: true, ValidFor: time.Hour}
		change(&r)
		return r
	}
	for _, test := range []struct {
		name, want string
		request    certs.Request
	}{
		{"expired", "the server needs a new certificate, unless the clock of this machine is wrong",
			request(func(r *certs.Request) { r.From, r.ValidFor = time.Now().Add(-48*time.Hour), time.Hour })},
		{"for another host", "the server needs a certificate with the name 127.0.0.1",
			request(func(r *certs.Request) { r.Hosts = []string{"pando.example"} })},
		{"for clients", "extended key usage has serverAuth", request(func(r *certs.Request) { r.Server, r.Client = false, true })},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := secureServer(t, pki, pki.IssueAs(t, "bad", test.request), tls.NoClientCert)
			expectRun(t, exitServer, test.want, s.URL, "--ca-file", pki.CA, "get", "/a")
		})
	}
	t.Run("http to https", func(t *testing.T) {
		s := secureServer(t, pki, pki.Issue(t, "server"), tls.NoClientCert)
		plain := strings.Replace(s.URL, "https", "http", 1)
		for _, command := range []string{"get /a", "set /a b", "user list", "member list", "export"} {
			_, stderr, code := run(t, append([]string{"--no-sync", "--endpoints", plain}, strings.Fields(command)...)...)
			if code == exitOK || !strings.Contains(stderr, plain+": the port serves HTTPS: write https:// in the endpoint") {
				t.Errorf("%s: exit code %d, %q", command, code, stderr)
			}
		}
	})
	t.Run("https to http", func(t *testing.T) {
		url, _ := fixed(t, http.StatusOK, "{}")
		expectRun(t, exitServer, "write http:// in the endpoint", strings.Replace(url, "http", "https", 1), "get", "/a")
	})
	t.Run("https to a port that closes", func(t *testing.T) {
		address := closingServer(t, func(c net.Conn) { c.Read(make([]byte, 1<<10)) })
		expectRun(t, exitServer, "if it serves plain HTTP, write http:// in the endpoint", "https://"+address, "get", "/a")
	})
}

// TestNoPlainTextAfterTLS: a server with TLS can't make the client send a password without TLS.
func TestNoPlainTextAfterTLS(t *testing.T) {
	pki := servertest.NewPKI(t)
	pair := pki.Issue(t, "server")
	var asked atomic.Int64
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer plain.Close()
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v2/members":
			fmt.Fprintf(w, `{"members":[{"id":"1","name":"m","clientURLs":[%q]}]}`, plain.URL)
		case "/v2/keys/redirected":
			http.Redirect(w, r, plain.URL+"/v2/keys/a", http.StatusTemporaryRedirect)
		default:
			fmt.Fprint(w, `{"action":"get","node":{"key":"/a","value":"secure","modifiedIndex":1,"createdIndex":1}}`)
		}
	}))
	secure.TLS = pki.ClientConfig(t, &pair)
	secure.StartTLS()
	defer secure.Close()
	t.Run("published URL", func(t *testing.T) {
		stdout, stderr, code := run(t, "--endpoints", secure.URL, "--ca-file", pki.CA, "-u", "ann:pw", "get", "/a")
		if code != exitOK || stdout != "secure\n" {
			t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
		}
	})
	t.Run("endpoint status", func(t *testing.T) {
		expectRun(t, exitNotAllHealthy, "it publishes no URL with TLS", secure.URL, "--no-sync=false", "--ca-file", pki.CA, "-u", "ann:pw",
			"endpoint", "status")
	})
	t.Run("redirect", func(t *testing.T) {
		expectRun(t, exitServer, "redirects to "+plain.URL, secure.URL, "--ca-file", pki.CA, "-u", "ann:pw", "get", "/redirected")
	})
	if n := asked.Load(); n > 0 {
		t.Errorf("%d requests without TLS", n)
	}
}

// TestEndpointWithUser: the password in an endpoint is in no message.
func TestEndpointWithUser(t *testing.T) {
	for _, command := range []string{"get /a", "cluster-health", "endpoint status", "bench put --total 1"} {
		_, stderr, code := run(t, append([]string{"--endpoints", "http://ann:s3cret@127.0.0.1:1"}, strings.Fields(command)...)...)
		if code == exitOK || strings.Contains(stderr, "s3cret") || !strings.Contains(stderr, "--username") {
			t.Errorf("%s: exit code %d, %q", command, code, stderr)
		}
	}
}

// TestUnixSocket: the commands over a unix socket, without and with TLS.
func TestUnixSocket(t *testing.T) {
	pki := servertest.NewPKI(t)
	server := pki.Issue(t, "server")
	socket, secure := filepath.Join(t.TempDir(), "p.sock"), filepath.Join(t.TempDir(), "s.sock")
	serve := func(path string, wrap func(net.Listener) net.Listener) {
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/health" {
				fmt.Fprintf(w, `{"health":"%v"}`, r.Host == "localhost")
				return
			}
			if r.URL.Path == "/v2/members" {
				fmt.Fprintf(w, `{"members":[{"id":"1","name":"m","clientURLs":["unix://%s"]}]}`, path)
				return
			}
			fmt.Fprintf(w, `{"action":"get","node":{"key":"/a","value":%q,"modifiedIndex":1,"createdIndex":1}}`, r.Host+r.URL.Path)
		})}
		go s.Serve(wrap(l))
		t.Cleanup(func() { s.Close() })
	}
	serve(socket, func(l net.Listener) net.Listener { return l })
	serve(secure, func(l net.Listener) net.Listener { return tls.NewListener(l, pki.ClientConfig(t, &server)) })
	expectRun(t, exitOK, "localhost/v2/keys/a\n", "unix://"+socket, "get", "/a")
	expectRun(t, exitOK, "curl --unix-socket "+socket+" -X GET http://localhost/v2/keys/a", "unix://"+socket, "--debug", "get", "/a")
	expectRun(t, exitOK, "cluster is healthy", "unix://"+socket, "cluster-health")
	expectRun(t, exitOK, "localhost/v2/keys/a\n", "unixs://"+secure, "--ca-file", pki.CA, "get", "/a")
	expectRun(t, exitServer, "connect: no such file or directory", "unix://"+socket+"x", "get", "/a")
	expectRun(t, exitOK, "0 failed", "unix://"+socket, "bench", "list", "--skip-prepare", "--total", "1", "--key-space-size", "1")
	if t.Failed() {
		return
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(dir, socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("relative", func(t *testing.T) { expectRun(t, exitOK, "localhost/v2/keys/a\n", "unix://"+relative, "get", "/a") })
}

// TestCommandsOverTLS: every command works against servers with TLS that require client certificates.
func TestCommandsOverTLS(t *testing.T) {
	pki := servertest.NewPKI(t)
	server, ann := pki.Issue(t, "server"), pki.Issue(t, "ann")
	flags := slices.Concat(pki.ServerFlags(server, pki.CA), []string{"--log-level", "error"})
	t.Setenv("ETCDCTL_CERT_FILE", ann.Cert)
	t.Setenv("ETCDCTL_KEY_FILE", ann.Key)
	t.Setenv("ETCDCTL_CA_FILE", pki.CA)
	client := pki.HTTPClient(t, &ann)
	for name, launch := range map[string]servertest.Launcher{
		"Pando": func(m servertest.Member, t testing.TB, flags ...string) *servertest.Process {
			return launchPando(m, t, flags...)
		},
		"etcd": func(m servertest.Member, t testing.TB, flags ...string) *servertest.Process {
			return launchReference(m, t, flags...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := servertest.NewMembers(t, "default")[0]
			url := strings.Replace(m.ClientURL(), "http", "https", 1)
			launch(m, t, slices.Concat(flags, []string{"--initial-cluster", servertest.InitialCluster([]servertest.Member{m}),
				"--listen-client-urls", url, "--advertise-client-urls", url})...)
			servertest.Await(t, "a healthy server", func() bool {
				response, err := client.Get(url + "/health")
				if err == nil {
					response.Body.Close()
				}
				return err == nil && response.StatusCode == http.StatusOK
			})
			runCommandsOverTLS(t, url)
		})
	}
}

func runCommandsOverTLS(t *testing.T, url string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "export")
	if err := os.WriteFile(file, []byte(`{"key":"/imported","value":"v"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ command, want string }{
		{"set /a 1", "1\n"}, {"get /a", "1\n"}, {"get --quorum /a", "1\n"}, {"mk --in-order /q x", "x\n"}, {"ls /", "/a"}, {"mkdir /d", ""},
		{"watch --after-index 1 --recursive /a", "[set] /a"}, {"member list", "clientURLs=" + url}, {"cluster-health", "cluster is healthy"},
		{"export", `"/a"`}, {"import " + file, ""}, {"import --from " + url, ""}, {"tree", "a"},
		{"endpoint status", url}, {"endpoint health", "true"}, {"lock l -- true", ""}, {"elect e v -- true", ""},
		{"user add ann:pw", "User ann created"}, {"user list", "ann"}, {"user remove ann", "User ann removed"}, {"role list", "root"},
		{"bench put --total 200 --conns 4", "200"}, {"bench get --total 200 --conns 4 --key-space-size 10", "200"},
		{"bench watch --watchers 10 --total 10", "100"}, {"bench mixed --total 200 --key-space-size 10 --target-leader", "200"},
		{"bench put --total 100 --conns 2 --rounds 1 --compare " + url, "A/B"},
	} {
		t.Run(test.command, func(t *testing.T) {
			stdout, stderr, code := run(t, append([]string{"--endpoints", url, "--timeout", "20s"},
				strings.Fields(test.command)...)...)
			if code != exitOK || !strings.Contains(stdout, test.want) {
				t.Errorf("exit code %d, %q, %q, want %q", code, stdout, stderr, test.want)
			}
		})
	}
}
