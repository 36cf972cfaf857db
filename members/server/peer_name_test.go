package server

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/members/certs"
	"pando/members/config"
	"pando/members/servertest"
)

// TestPeerServerName checks which host must be in the certificates of members.
func TestPeerServerName(t *testing.T) {
	ca := servertest.NewPKI(t)
	pair := ca.IssueAs(t, "peer", certs.Request{
		CommonName: "peer", Hosts: []string{"m1.example"}, Server: true, Client: true, ValidFor: time.Hour,
	})
	for _, test := range []struct {
		name    string
		flags   map[string]string
		server  string // the name in all certificates; "" if it is the host of each URL
		anyHost bool   // a client certificate may be for another host
	}{
		{"without records", nil, "", false},
		{"records and the CAs of the system", map[string]string{"discovery-srv": "grove.example"}, "grove.example", true},
		{"records and an own CA", map[string]string{"discovery-srv": "grove.example", "peer-trusted-ca-file": ca.CA}, "", false},
		{"no check of hosts", map[string]string{"experimental-peer-skip-client-san-verification": "true"}, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			flags := map[string]string{"peer-cert-file": pair.Cert, "peer-key-file": pair.Key}
			for name, value := range test.flags {
				flags[name] = value
			}
			cfg, _, err := config.Load(flags, nil)
			if err != nil {
				t.Fatal(err)
			}
			sources, err := openSources(cfg, zap.NewNop())
			if err != nil {
				t.Fatal(err)
			}
			if got := peerTLSConfig(cfg, sources.peer)().ServerName; got != test.server {
				t.Errorf("the certificates must have %q, want %q", got, test.server)
			}
			if got := peerTLS(cfg, sources.peer).AnyHost; got != test.anyHost {
				t.Errorf("any host is accepted: %v, want %v", got, test.anyHost)
			}
		})
	}
}
