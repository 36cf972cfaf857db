package server

import (
	"net/url"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	zaptest "go.uber.org/zap/zaptest/observer"

	"pando/members/config"
)

// TestWarnExposed checks the one warning about URLs that are open to the network.
func TestWarnExposed(t *testing.T) {
	const local, public = "http://127.0.0.1:2380", "http://0.0.0.0:2380"
	certificates := config.TLS{CertFile: "c", KeyFile: "k"}
	mutual := config.TLS{CertFile: "c", KeyFile: "k", TrustedCAFile: "ca"}
	mixed := mutual
	mixed.AcceptPlaintext = true
	for _, test := range []struct {
		name         string
		client, peer string
		clientTLS    config.TLS
		peerTLS      config.TLS
		auth, guests bool
		want         []string // parts of the warning; none if there is none
	}{
		{name: "loopback", client: "http://localhost:2379", peer: local},
		{name: "loopback of IPv6", client: "http://[::1]:2379", peer: "http://[::1]:2380"},
		{name: "a unix socket", client: "unix:///run/pando.sock", peer: local},
		{name: "all open", client: "http://10.0.0.1:2379", peer: "http://10.0.0.1:2380", want: []string{
			"http://10.0.0.1:2379: " + clientsUnencrypted + ", and " + clientsAnonymous, "http://10.0.0.1:2380: " + peersUnencrypted}},
		{name: "auth without TLS", client: public, peer: local, auth: true, want: []string{public + ": " + clientsUnencrypted}},
		{name: "TLS without auth", client: "https://0.0.0.0:2379", peer: local, clientTLS: certificates,
			want: []string{"https://0.0.0.0:2379: " + clientsAnonymous}},
		{name: "auth with an open role guest", client: "https://0.0.0.0:2379", peer: local, clientTLS: certificates, auth: true, guests: true,
			want: []string{"https://0.0.0.0:2379: " + guestsUnrestricted}},
		{name: "an open role guest and certificates", client: "https://0.0.0.0:2379", peer: local, clientTLS: mutual, auth: true, guests: true},
		{name: "TLS and auth", client: "https://0.0.0.0:2379", peer: local, clientTLS: certificates, auth: true},
		{name: "certificates of clients", client: "https://0.0.0.0:2379", peer: local, clientTLS: mutual},
		{name: "a plain URL beside certificates", client: public, peer: local, clientTLS: mutual,
			want: []string{clientsUnencrypted, clientsAnonymous}},
		{name: "peers with TLS alone", client: "http://127.0.0.1:1", peer: "https://[::]:2380", peerTLS: certificates,
			want: []string{"https://[::]:2380: " + peersAnonymous}},
		{name: "peers with certificates", client: "http://127.0.0.1:1", peer: "https://[::]:2380", peerTLS: mutual},
		{name: "peers with and without TLS", client: "http://127.0.0.1:1", peer: "https://[::]:2380", peerTLS: mixed,
			want: []string{peersUnencrypted}},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := &config.Config{
				ListenClientURLs: []url.URL{parsed(t, test.client)}, ListenPeerURLs: []url.URL{parsed(t, test.peer)},
				ClientTLS: test.clientTLS, PeerTLS: test.peerTLS,
			}
			core, logs := zaptest.New(zapcore.DebugLevel)
			warnExposed(cfg, anonymousAccess(test.auth, test.guests), zap.New(core))
			if logs.Len() > 1 || (logs.Len() == 1) != (len(test.want) > 0) {
				t.Fatalf("the log has %v", logs.All())
			}
			for _, part := range test.want {
				if text := logs.All()[0].Message; !strings.Contains(text, part) || !strings.Contains(text, "docs/security.md") {
					t.Errorf("got %s, want %s in it", text, part)
				}
			}
			if len(test.want) > 0 && test.peer == local && strings.Contains(logs.All()[0].Message, local) {
				t.Errorf("the warning names a local URL: %s", logs.All()[0].Message)
			}
		})
	}
}

func parsed(t *testing.T, text string) url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return *u
}
