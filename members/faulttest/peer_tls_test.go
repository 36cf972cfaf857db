package faulttest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// secureCluster is three members with TLS between them, and a fourth that may join.
type secureCluster struct {
	*cluster
	ca    *servertest.PKI
	files []peerFiles
	late  servertest.Member
}

// launchSecureCluster starts the first three members.
func launchSecureCluster(t *testing.T, flags ...string) *secureCluster {
	t.Helper()
	all, ca := servertest.NewMembers(t, "a", "b", "c", "late"), servertest.NewPKI(t)
	files := newPeerFiles(t, ca, all)
	for i := range all {
		all[i].PeerScheme, all[i].More = "https", append(files[i].flags(), flags...)
	}
	c := &cluster{t: t, members: all[:3]}
	c.spawn = func(s servertest.Member) *servertest.Process {
		return s.StartPando(t, "--initial-cluster", servertest.InitialCluster(c.members))
	}
	c.start()
	servertest.AwaitCluster(t, c.running)
	return &secureCluster{c, ca, files, all[3]}
}

// join adds a member and starts it. It does not wait until the member serves.
func (c *secureCluster) join(s servertest.Member) *servertest.Process {
	c.t.Helper()
	mustRequest(c.t, http.MethodPost, c.running[0].Client+"/v2/members", `{"peerURLs":["`+s.PeerURL()+`"]}`, http.StatusCreated)
	all := append(c.members[:3:3], s)
	return s.StartPando(c.t, "--initial-cluster", servertest.InitialCluster(all), "--initial-cluster-state", "existing")
}

// TestPeerTLS adds a member to a cluster with TLS between its members.
func TestPeerTLS(t *testing.T) {
	t.Parallel()
	c := launchSecureCluster(t)
	p := c.join(c.late)
	p.AwaitServing()
	servertest.AwaitPublished(t, p.Client, 4)
	servertest.AwaitReplicated(t, c.running[0].Client, p.Client)
	servertest.AwaitReplicated(t, p.Client, c.running[1].Client)
}

// TestCertificateOfOtherHost adds a member whose certificate is valid for another host than that of its peer URL. The others must refuse
// it, and say why. It gets the data when it has the right certificate.
func TestCertificateOfOtherHost(t *testing.T) {
	t.Parallel()
	c := launchSecureCluster(t)
	files := c.files[3]
	files.certify(c.ca, "other.example")
	p := c.join(c.late)
	text := "has the peer host 127.0.0.1, and the client certificate is valid for other.example"
	servertest.Await(t, "the refusal at both ends", func() bool {
		return strings.Contains(p.Stderr.String(), text) && strings.Contains(c.running[0].Stderr.String(), text)
	})
	files.certify(c.ca, "127.0.0.1")
	p.AwaitServing()
	servertest.AwaitReplicated(t, p.Client, c.running[1].Client)
}

// TestRevokedMember revokes the certificate of a running member. The others must close its streams and go on without it, until it has a
// new certificate.
func TestRevokedMember(t *testing.T) {
	t.Parallel()
	list := filepath.Join(t.TempDir(), "crl")
	all, ca := servertest.NewMembers(t, "a", "b", "c"), servertest.NewPKI(t)
	revoke := func(number int64, certificates ...*x509.Certificate) {
		t.Helper()
		content, err := ca.Authority.RevocationList(number, time.Hour, certificates...)
		if err != nil {
			t.Fatal(err)
		}
		replaceFile(t, list, content)
	}
	revoke(1)
	files := newPeerFiles(t, ca, all)
	for i := range all {
		all[i].PeerScheme, all[i].More = "https", append(files[i].flags(), "--peer-crl-file", list)
	}
	c := &cluster{t: t, members: all}
	c.spawn = func(s servertest.Member) *servertest.Process {
		return s.StartPando(t, "--initial-cluster", servertest.InitialCluster(all))
	}
	c.start()
	servertest.AwaitCluster(t, c.running)
	out := (c.leader(-1) + 1) % 3
	revoke(2, servertest.Certificate(t, files[out].cert()))
	servertest.Await(t, "the revoked member to lose its leader", func() bool {
		state := c.running[out].RaftState()
		return state.State != "" && state.LeaderInfo.Leader == ""
	})
	servertest.AwaitReplicated(t, c.running[(out+1)%3].Client, c.running[(out+2)%3].Client)
	files[out].certify(ca, "127.0.0.1")
	servertest.AwaitReplicated(t, c.running[(out+1)%3].Client, c.running[out].Client)
}

// TestPeerAutoTLS starts members with self-signed certificates.
func TestPeerAutoTLS(t *testing.T) {
	t.Parallel()
	all := servertest.NewMembers(t, "a", "b", "c")
	for i := range all {
		all[i].PeerScheme, all[i].More = "https", []string{"--peer-auto-tls"}
	}
	running := servertest.LaunchCluster(t, all)
	servertest.AwaitReplicated(t, running[0].Client, running[2].Client)
	if text := running[1].Get("/metrics"); !strings.Contains(text, "\npando_peer_plaintext_streams 0\n") {
		t.Error("streams are not encrypted")
	}
}

// TestHostilePeerPort sends invalid bytes to a peer port with TLS. The member must close the connections, count them, and go on.
func TestHostilePeerPort(t *testing.T) {
	t.Parallel()
	c := launchSecureCluster(t, "--enable-pprof")
	p := c.running[0]
	before := highestFootprint(p)
	stranger := servertest.NewPKI(t).Issue(t, "stranger")
	config := c.ca.ClientConfig(t, &stranger)
	connections := map[string]func(t *testing.T){}
	for name, send := range map[string]func(conn net.Conn) (string, error){
		"a plain request": func(conn net.Conn) (string, error) { return exchangeBytes(conn, servertest.GetRequest("/members")) },
		"garbage":         func(conn net.Conn) (string, error) { return exchangeBytes(conn, "\x00\xff\x00\xff\r\n\r\n") },
		"a broken handshake": func(conn net.Conn) (string, error) {
			return exchangeBytes(conn, "\x16\x03\x01\x40\x00"+strings.Repeat("x", 1<<14))
		},
		"a handshake that does not end": func(conn net.Conn) (string, error) { return exchangeBytes(conn, "\x16\x03\x01\x02\x00\x01") },
		"nothing":                       func(conn net.Conn) (string, error) { return exchangeBytes(conn, "") },
		"a certificate of another CA": func(conn net.Conn) (string, error) {
			return exchangeBytes(tls.Client(conn, serverNamed(config, "127.0.0.1")), servertest.GetRequest("/members"))
		},
	} {
		connections[name] = func(t *testing.T) {
			t.Parallel()
			conn, err := net.DialTimeout("tcp", c.members[0].Peer, servertest.Timeout)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(servertest.Timeout)); err != nil {
				t.Fatal(err)
			}
			answer, err := send(conn)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection stays open")
			}
			if name == "a plain request" != strings.HasPrefix(answer, servertest.Status400) {
				t.Errorf("the answer is %q, %v", answer, err)
			}
		}
	}
	t.Run("connections", func(t *testing.T) {
		for name, connect := range connections {
			t.Run(name, connect)
		}
	})
	servertest.Await(t, "the failed handshakes to be counted", func() bool {
		_, rest, _ := strings.Cut(p.Get("/metrics"), "\npando_tls_handshake_failures_total{listener=\"peer\"} ")
		count, _, _ := strings.Cut(rest, "\n")
		return servertest.Atoi(t, count) >= int64(len(connections))
	})
	servertest.AwaitReplicated(t, c.running[1].Client, p.Client)
	p.AwaitFootprint(t, before)
}

// highestFootprint measures for two seconds and returns the largest numbers: the members may still open streams to each other.
func highestFootprint(p *servertest.Process) servertest.Footprint {
	var highest servertest.Footprint
	for range 20 {
		now := p.Footprint()
		highest.Goroutines, highest.Descriptors = max(highest.Goroutines, now.Goroutines), max(highest.Descriptors, now.Descriptors)
		<-time.After(100 * time.Millisecond)
	}
	return highest
}

// serverNamed returns the configuration with the name of the server.
func serverNamed(config *tls.Config, name string) *tls.Config {
	config = config.Clone()
	config.ServerName = name
	return config
}

// exchangeBytes sends bytes, and returns what arrives until the other end closes the connection.
func exchangeBytes(conn net.Conn, text string) (string, error) {
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// TestDiscoveryOverTLS finds the members of a cluster at an https discovery URL whose CA is that of the members.
func TestDiscoveryOverTLS(t *testing.T) {
	t.Parallel()
	all, ca := servertest.NewMembers(t, "a", "b"), servertest.NewPKI(t)
	pair := ca.Issue(t, "discovery")
	service := servertest.Launch(t, t.TempDir(), append(ca.ServerFlags(pair, ""), "--listen-client-urls", "https://127.0.0.1:0",
		"--advertise-client-urls", "https://127.0.0.1:1")...)
	answer, err := ca.HTTPClient(t, nil).Do(newPut(t, service.Client+"/v2/keys/discovery/tls/_config/size?value=2"))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	files := newPeerFiles(t, ca, all)
	var running []*servertest.Process
	for i := range all {
		all[i].PeerScheme, all[i].More = "https", files[i].flags()
		running = append(running, all[i].StartPando(t, "--discovery", service.Client+"/v2/keys/discovery/tls"))
	}
	servertest.AwaitCluster(t, running)
}

func newPut(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPut, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestProxyOverTLS sends requests over TLS through a proxy. The members and the proxy require a certificate of every client. The proxy
// uses its own for the client URLs and the peer URLs of the members.
func TestProxyOverTLS(t *testing.T) {
	t.Parallel()
	all, ca := servertest.NewMembers(t, "a", "b"), servertest.NewPKI(t)
	pair := ca.Issue(t, "root") // the name of a user
	files := newPeerFiles(t, ca, all)
	var running []*servertest.Process
	for i, s := range all {
		all[i].PeerScheme = "https"
		all[i].More = append(append(files[i].flags(), ca.ServerFlags(pair, ca.CA)...),
			"--listen-client-urls", "https://"+s.Client, "--advertise-client-urls", "https://"+s.Client)
	}
	for _, s := range all {
		running = append(running, s.StartPando(t, "--initial-cluster", servertest.InitialCluster(all)))
	}
	for _, p := range running {
		p.AwaitServing()
	}
	front := servertest.StartCommand(t, exec.Command(os.Args[0], append([]string{
		"--name", "front", "--data-dir", filepath.Join(t.TempDir(), "front"), "--listen-client-urls", "https://127.0.0.1:0",
		"--initial-cluster", servertest.InitialCluster(all), "--proxy", "on", "--proxy-refresh-interval", "200",
		"--peer-cert-file", pair.Cert, "--peer-key-file", pair.Key, "--peer-trusted-ca-file", ca.CA,
	}, ca.ServerFlags(pair, ca.CA)...)...))
	front.AwaitServing()
	visitor := ca.Issue(t, "visitor")
	client := &servertest.KeyClient{Base: front.Client, HTTP: ca.HTTPClient(t, &visitor)}
	servertest.Await(t, "the proxy to find the members", func() bool {
		answer, err := client.HTTP.Get(front.Client + "/v2/config/local/proxy")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		return err == nil && strings.Count(string(text), "https://") == len(all)
	})
	for i := range 20 {
		client.Must(t, http.MethodPut, "/own", servertest.Form("value", servertest.Itoa(i)))
		if got := client.Must(t, http.MethodGet, "/own", nil); got.Node.Value != servertest.Itoa(i) {
			t.Fatalf("wrote %d, read %s", i, got.Node.Value)
		}
	}
	t.Run("the certificate of the proxy names no user", func(t *testing.T) {
		checkUserAtProxy(t, client, &servertest.KeyClient{Base: running[0].Client, HTTP: ca.HTTPClient(t, &pair)})
	})
}

// checkUserAtProxy enables auth and revokes all rights of guests. direct connects to a member with a certificate of root, and so is root
// there. proxy connects through a proxy that has the same certificate: it must be a guest, unless it sends a password.
func checkUserAtProxy(t *testing.T, proxy, direct *servertest.KeyClient) {
	put := func(path, body string) {
		t.Helper()
		r, err := http.NewRequest(http.MethodPut, direct.Base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := direct.HTTP.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if text, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode >= http.StatusBadRequest {
			t.Fatalf("%s: %s %s %v", path, answer.Status, text, err)
		}
	}
	put("/v2/auth/users/root", `{"user":"root","password":"secret"}`)
	put("/v2/auth/enable", "")
	put("/v2/auth/roles/guest", `{"role":"guest","revoke":{"kv":{"read":["/*"],"write":["/*"]}}}`)
	direct.Must(t, http.MethodPut, "/own", servertest.Form("value", "root"))
	answer, err := proxy.Do(http.MethodPut, "/own", servertest.Form("value", "guest"))
	if err != nil || answer.Status != http.StatusUnauthorized {
		t.Errorf("without a password: %+v, %v", answer, err)
	}
	withPassword := *proxy
	withPassword.Base = strings.Replace(proxy.Base, "https://", "https://root:secret@", 1)
	withPassword.Must(t, http.MethodPut, "/own", servertest.Form("value", "root"))
}
