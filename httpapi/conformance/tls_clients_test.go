package conformance

import (
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"

	etcdclient "go.etcd.io/etcd/client/v2"

	"pando/members/servertest"
)

// These tests run widely used clients with certificates.

// TestTLSClientEtcdctl plays the steps of TestClientEtcdctl over TLS.
func TestTLSClientEtcdctl(t *testing.T) {
	servertest.RequireProgram(t, "etcdctl", "etcd-client")
	s := startSecure(t)
	t.Setenv("ETCDCTL_CA_FILE", s.pki.CA)
	t.Setenv("ETCDCTL_CERT_FILE", s.alice.Cert)
	t.Setenv("ETCDCTL_KEY_FILE", s.alice.Key)
	p := *s.Process
	p.Client = s.secure
	playSteps(t, &p, etcdctlSteps[2:]) // the list of members has both URLs
	playSteps(t, &p, []clientStep{
		{`etcdctl cluster-health`, `member [0-9a-f]+ is healthy: got healthy result from http\S+\ncluster is healthy`},
		{`env -u ETCDCTL_CERT_FILE -u ETCDCTL_KEY_FILE etcdctl get /s`, `FAIL .*certificate.*`},
		{`env -u ETCDCTL_CA_FILE etcdctl get /s`, `FAIL .*unknown authority.*`},
	})
}

func TestTLSClientCurl(t *testing.T) {
	servertest.SkipShort(t, "TestClientCurl does the same without TLS")
	servertest.RequireProgram(t, "curl", "curl")
	s := startSecure(t)
	p := *s.Process
	p.Client = s.secure
	for _, version := range []string{"--http1.1", "--http2"} {
		t.Run(version, func(t *testing.T) {
			t.Setenv("C", "curl -sS "+version+" --cacert "+s.pki.CA+" --cert "+s.alice.Cert+" --key "+s.alice.Key)
			playSteps(t, &p, []clientStep{
				{`$C $P/v2/keys/a -XPUT -d value=one`, `\{"action":"set",.*"value":"one".*`},
				{`$C $P/v2/keys/a -w '%{http_version}'`, `\{"action":"get".*\}\n` + strings.TrimPrefix(version, "--http")},
				{`$C -o /dev/null -w '%{http_code} %{content_type}' $P/v2/keys/none`, `404 application/json`},
				{`$C "$P/v2/keys/a?wait=true&waitIndex=2"`, `\{"action":"set","node":\{"key":"/a".*`},
				{
					`(sleep 1; $C $P/v2/keys/w -XPUT -d value=seen >/dev/null) & $C --max-time 50 "$P/v2/keys/w?wait=true"`,
					`\{"action":"set","node":\{"key":"/w","value":"seen".*`,
				},
				{`$C --max-time 2 "$P/v2/keys/a?wait=true&stream=true&waitIndex=2"`, `FAIL .*timed out.*\{"action":"set".*`},
				{
					`head -c 1048570 /dev/zero | tr '\0' x | sed 's/^/value=/' | $C -o /dev/null ` +
						`-w '%{http_code}' $P/v2/keys/big -XPUT --data-binary @-`,
					`20[01]`,
				},
				{`$C $P/v2/keys/big | wc -c`, `\d{7}`},
			})
		})
	}
	t.Run("without a certificate", func(t *testing.T) {
		playSteps(t, &p, []clientStep{{`curl -sS --cacert ` + s.pki.CA + ` $P/version`, `FAIL curl: .*`}})
	})
	t.Run("without TLS", func(t *testing.T) {
		playSteps(t, &p, []clientStep{{
			`curl -sS -i $(echo $P | sed s/https/http/)/version`,
			`HTTP/1.1 400 Bad Request\r\n.*\r\n\r\nThis port serves HTTPS, and the request is plain HTTP: use https:// in the URL\.`,
		}})
	})
	t.Run("TLS to the plain port", func(t *testing.T) {
		playSteps(t, s.Process, []clientStep{{`curl -sSk $(echo $P | sed s/http/https/)/version`, `FAIL curl: \(35\) .*`}})
	})
}

// TestTLSClientGo calls every method of KeysAPI over TLS.
func TestTLSClientGo(t *testing.T) {
	s := startSecure(t)
	client, err := etcdclient.New(etcdclient.Config{
		Endpoints: []string{s.secure}, HeaderTimeoutPerRequest: servertest.Timeout,
		Transport: &http.Transport{TLSClientConfig: s.config(t)},
	})
	if err != nil {
		t.Fatal(err)
	}
	keys, must, ctx := etcdclient.NewKeysAPI(client), mustNode(t), t.Context()
	first := must(keys.Set(ctx, "/a", "one", nil))
	goClientSets(t, keys)
	watcher := keys.Watcher("/a", &etcdclient.WatcherOptions{AfterIndex: first.Node.ModifiedIndex - 1})
	for range 3 {
		must(watcher.Next(ctx))
	}
}

// TestTLSTranscripts plays the golden transcripts over TLS.
func TestTLSTranscripts(t *testing.T) {
	servertest.SkipShort(t, "TestTranscripts plays the same without TLS")
	if *servertest.Update {
		t.Skip("-update records the reference only")
	}
	pki := servertest.NewPKI(t)
	flags := pki.ServerFlags(pki.Issue(t, "server"), "")
	client := pki.ClientConfig(t, nil)
	client.ServerName = "localhost"
	for _, script := range loadTranscripts(t, transcriptDir) {
		t.Run(script.name, func(t *testing.T) {
			t.Parallel()
			secure := servertest.FreeAddr(t)
			server := servertest.StartSingle(t, func(m servertest.Member, t testing.TB, more ...string) *servertest.Process {
				more = append(more, "--listen-client-urls", m.ClientURL()+",https://"+secure)
				return startComparedPando(m, t, append(more, flags...)...)
			})
			playTranscriptOver(t, script, server, expectPando, func(addr string) (net.Conn, error) {
				if addr != server.Addr() {
					return dialWire(addr) // that of peers
				}
				return tls.DialWithDialer(&net.Dialer{Timeout: transcriptTimeout}, "tcp", secure, client)
			})
		})
	}
}
