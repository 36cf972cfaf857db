package conformance

import (
	"os"
	"os/exec"
	"testing"

	"pando/members/servertest"
)

// TestTLSProxyCertificates starts a proxy in front of a member that requires certificates of clients and has plain peer URLs. As in the
// reference the proxy connects to the client URLs with its files for clients.
func TestTLSProxyCertificates(t *testing.T) {
	pki := servertest.NewPKI(t)
	server, proxy := pki.Issue(t, "server"), pki.Issue(t, "proxy")
	m := servertest.NewMembers(t, "default")[0]
	secure := "https://" + m.Client
	member := m.StartPando(t, append([]string{
		"--listen-client-urls", secure, "--advertise-client-urls", secure,
	}, pki.ServerFlags(server, pki.CA)...)...)
	member.AwaitServing()
	for name, flags := range map[string][]string{
		"files for clients": pki.ServerFlags(proxy, pki.CA),
		"files for peers":   {"--peer-cert-file", proxy.Cert, "--peer-key-file", proxy.Key, "--peer-trusted-ca-file", pki.CA},
	} {
		t.Run(name, func(t *testing.T) {
			p := servertest.StartCommand(t, exec.Command(os.Args[0], append([]string{
				"--proxy", "on", "--data-dir", t.TempDir(), "--listen-client-urls", "http://127.0.0.1:0", "--initial-cluster", "default=" + m.PeerURL(),
			}, flags...)...))
			p.AwaitServing()
			client := servertest.NewKeyClient(t, p.Client)
			servertest.Await(t, "the proxy to find the member", func() bool {
				_, err := client.Do("GET", "/", nil)
				return err == nil
			})
			client.Must(t, "PUT", "/a", servertest.Form("value", name))
			if got := client.Must(t, "GET", "/a", nil); got.Node.Value != name {
				t.Errorf("got %+v", got.Node)
			}
		})
	}
}
