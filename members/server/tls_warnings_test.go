package server

import (
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	zaptest "go.uber.org/zap/zaptest/observer"

	"pando/members/certs"
	"pando/members/config"
	"pando/members/servertest"
)

// TestWarnCertificates checks the warnings about certificates that others will not accept.
func TestWarnCertificates(t *testing.T) {
	ca, otherCA := servertest.NewPKI(t), servertest.NewPKI(t)
	const year = 365 * 24 * time.Hour
	request := certs.Request{CommonName: "m1", Hosts: []string{"m1.example"}, Server: true, Client: true, ValidFor: year}
	good := ca.IssueAs(t, "good", request)
	short := request
	short.ValidFor = time.Hour
	ending := ca.IssueAs(t, "ending", short)
	client := request
	client.Server = false
	clientOnly := ca.IssueAs(t, "client", client)
	open := ca.IssueAs(t, "open", request)
	if err := os.Chmod(open.Key, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		flags map[string]string
		want  []string // parts of the warnings, in their order
	}{
		{"no TLS", nil, nil},
		{"all is well", map[string]string{
			"cert-file": good.Cert, "key-file": good.Key, "peer-cert-file": good.Cert, "peer-key-file": good.Key, "peer-trusted-ca-file": ca.CA,
		}, nil},
		{"another CA of clients", map[string]string{"cert-file": good.Cert, "key-file": good.Key, "trusted-ca-file": otherCA.CA}, nil},
		{"another host", map[string]string{
			"cert-file": good.Cert, "key-file": good.Key, "advertise-client-urls": "https://m2.example:2379,http://m3.example:1",
		}, []string{"--cert-file: " + good.Cert + ": the certificate of CN=m1,O=Pando is not for the host m2.example"}},
		{"a certificate of a client", map[string]string{"cert-file": clientOnly.Cert, "key-file": clientOnly.Key}, []string{"lacks serverAuth"}},
		{"a peer URL without TLS", map[string]string{
			"peer-cert-file": good.Cert, "peer-key-file": good.Key, "initial-advertise-peer-urls": "http://m2.example:2380",
		}, nil},
		{"another peer host", map[string]string{
			"peer-cert-file": good.Cert, "peer-key-file": good.Key, "initial-advertise-peer-urls": "https://m2.example:2380",
		}, []string{"--peer-cert-file: " + good.Cert + ": the certificate of CN=m1,O=Pando is not for the host m2.example"}},
		// openSources has logged it, and no connection fails.
		{"a key that every user can read", map[string]string{"peer-cert-file": open.Cert, "peer-key-file": open.Key}, nil},
		{"the end is near", map[string]string{"peer-cert-file": ending.Cert, "peer-key-file": ending.Key}, []string{"ends soon"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			flags := map[string]string{
				"data-dir":           t.TempDir(),
				"listen-client-urls": "https://127.0.0.1:2379", "advertise-client-urls": "https://m1.example:2379", "auto-tls": "true",
				"listen-peer-urls": "https://127.0.0.1:2380", "initial-advertise-peer-urls": "https://m1.example:2380", "peer-auto-tls": "true",
			}
			for name, value := range test.flags {
				flags[name] = value
			}
			cfg, _, err := config.Load(flags, nil)
			if err != nil {
				t.Fatal(err)
			}
			certificates, err := openSources(cfg, zap.NewNop())
			if err != nil {
				t.Fatal(err)
			}
			core, logs := zaptest.New(zapcore.WarnLevel)
			warnCertificates(cfg, certificates, zap.New(core))
			all := logs.All()
			if len(all) != len(test.want) {
				t.Fatalf("warnings %v, want %d", all, len(test.want))
			}
			for i, part := range test.want {
				if text, _ := all[i].ContextMap()["error"].(string); !strings.Contains(text, part) {
					t.Errorf("warning %q, want %q in it", text, part)
				}
			}
		})
	}
}
