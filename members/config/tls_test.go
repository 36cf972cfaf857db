package config

import (
	"crypto/tls"
	"reflect"
	"strings"
	"testing"
)

const secure = "listen-client-urls=https://127.0.0.1:1 advertise-client-urls=https://a:1 "

// TestWrongTLS compares the errors for wrong settings of TLS that are found before any file is read.
func TestWrongTLS(t *testing.T) {
	for _, test := range []struct{ flags, want string }{
		{secure, "--listen-client-urls: https://127.0.0.1:1 needs a certificate; give --cert-file and --key-file, or --auto-tls"},
		{"listen-metrics-urls=https://127.0.0.1:1", "--listen-metrics-urls: https://127.0.0.1:1 needs a certificate; give --cert-file"},
		{"listen-client-urls=unixs:///s" + advertise, "--listen-client-urls: unixs:///s needs a certificate; "},
		{"listen-peer-urls=https://127.0.0.1:1",
			"--listen-peer-urls: https://127.0.0.1:1 needs a certificate; give --peer-cert-file and --peer-key-file, or --peer-auto-tls"},
		{secure + "cert-file=c", "--key-file: is missing, and --cert-file is given; give both"},
		{secure + "key-file=k", "--cert-file: is missing, and --key-file is given; give both"},
		{"peer-key-file=k", "--peer-cert-file: is missing, and --peer-key-file is given; give both"},
		{"client-crl-file=r", "--client-crl-file: needs --trusted-ca-file; give the file with the CA"},
		{"peer-crl-file=r", "--peer-crl-file: needs --peer-trusted-ca-file; "},
		{"peer-cert-allowed-cn=a peer-cert-allowed-hostname=b", "--peer-cert-allowed-hostname: is given beside --peer-cert-allowed-cn; "},
		{"tls-min-version=TLS1.3 tls-max-version=TLS1.2", "--tls-max-version: is older than --tls-min-version; "},
		{"tls-min-version=TLS1.1", `--tls-min-version: "TLS1.1" is too old to be safe; use TLS1.2 or TLS1.3`},
		{"tls-max-version=SSL3", `--tls-max-version: "SSL3" is not a version of TLS; use TLS1.2 or TLS1.3`},
		{"cipher-suites=nonsense", `--cipher-suites: "nonsense" is not a cipher suite; use names such as TLS_`},
		{"cipher-suites=ECDHE-RSA-AES128-GCM-SHA256", `"ECDHE-RSA-AES128-GCM-SHA256" is not a cipher suite; `},
		{"cipher-suites=ecdhe_rsa_with_aes_128_gcm_sha256", "did you mean TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256?"},
		{"client-cert-auth=maybe", `--client-cert-auth: "maybe" is neither true nor false`},
	} {
		t.Run(test.flags, func(t *testing.T) {
			_, _, err := Load(assignments(test.flags), nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// TestTLSWarnings compares the warnings of settings that are accepted.
func TestTLSWarnings(t *testing.T) {
	const (
		pair  = secure + "cert-file=c key-file=k "
		peers = "listen-peer-urls=https://127.0.0.1:1 initial-advertise-peer-urls=https://a:1 " +
			"initial-cluster=default=https://a:1 peer-auto-tls=true "
	)
	for _, test := range []struct {
		name, flags string
		want        []string
	}{
		{"all is well", pair + "trusted-ca-file=ca client-crl-file=r client-cert-allowed-hostname=h tls-min-version=TLS1.3", nil},
		{"no https URL", "cert-file=c key-file=k", []string{"the settings of TLS (--cert-file and others) have no effect: --listen-client-urls"}},
		{"https for metrics alone", "listen-metrics-urls=https://127.0.0.1:1 cert-file=c key-file=k", nil},
		{"both kinds of certificates", pair + "auto-tls=true", []string{"--auto-tls has no effect: --cert-file is given"}},
		{"all CAs", pair + "client-cert-auth=true", []string{"--client-cert-auth without --trusted-ca-file accepts certificates of every CA"}},
		{"names without certificates", pair + "client-cert-allowed-hostname=h", []string{
			"--client-cert-allowed-hostname does not restrict who may connect: without --trusted-ca-file"}},
		{"plain text to a TLS port", "listen-client-urls=https://127.0.0.1:1 advertise-client-urls=http://a:1 auto-tls=true", []string{
			"--advertise-client-urls has an http URL, but --listen-client-urls has none"}},
		{"a proxy, which advertises nothing", "proxy=on listen-client-urls=https://127.0.0.1:1 auto-tls=true", nil},
		{"both kinds of URLs", "listen-client-urls=https://127.0.0.1:1,http://127.0.0.1:2 advertise-client-urls=http://a:2 auto-tls=true", nil},
		{"weak suites", pair + "cipher-suites=TLS_RSA_WITH_AES_128_CBC_SHA", []string{
			"--cipher-suites has suites with known weaknesses: TLS_RSA_WITH_AES_128_CBC_SHA"}},
		{"self-signed certificates that members refuse", peers + "peer-client-cert-auth=true",
			[]string{"--peer-client-cert-auth refuses the self-signed certificates of --peer-auto-tls"}},
		{"self-signed certificates of another CA", peers + "peer-trusted-ca-file=ca",
			[]string{"--peer-trusted-ca-file refuses the self-signed certificates of --peer-auto-tls"}},
		{"a peer that only dials https", "peer-cert-file=c peer-key-file=k initial-cluster=default=http://localhost:2380,b=https://b:1", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, warnings, err := Load(assignments(test.flags), nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(warnings) != len(test.want) {
				t.Fatalf("warnings %q", warnings)
			}
			for i, want := range test.want {
				if !strings.Contains(warnings[i], want) {
					t.Errorf("got  %s\nwant %s", warnings[i], want)
				}
			}
		})
	}
}

// TestTLSForms gives the settings of TLS in the forms that the reference reads.
func TestTLSForms(t *testing.T) {
	const urls = "listen-client-urls: https://127.0.0.1:1\nadvertise-client-urls: https://a:1\n" +
		"listen-peer-urls: https://127.0.0.1:2\ninitial-advertise-peer-urls: https://a:2\n"
	client := TLS{CertFile: "c", KeyFile: "k", TrustedCAFile: "ca", CRLFile: "r", ClientCertAuth: true, AllowedHostname: []string{"h"}}
	peer := TLS{CertFile: "pc", KeyFile: "pk", TrustedCAFile: "pca", CRLFile: "pr", ClientCertAuth: true, AllowedCN: []string{"a", "b"}}
	for _, test := range []struct {
		name, file  string
		environment []string
	}{
		{"the sections of a file", urls + `
client-transport-security:
  cert-file: c
  key-file: k
  trusted-ca-file: ca
  crl-file: r
  client-cert-auth: true
  allowed-hostname: h
peer-transport-security:
  cert-file: pc
  key-file: pk
  trusted-ca-file: pca
  crl-file: pr
  client-cert-auth: true
  allowed-cn: a,b
`, nil},
		{"old names in the sections", urls + `
client-transport-security: {cert-file: c, key-file: k, ca-file: ca, client-crl-file: r, client-cert-auth: true,
  client-cert-allowed-hostname: h}
peer-transport-security: {peer-cert-file: pc, peer-key-file: pk, peer-ca-file: pca, peer-crl-file: pr, peer-client-cert-auth: true,
  peer-cert-allowed-cn: [a, b]}
`, nil},
		{"the environment", urls, []string{
			"ETCD_CERT_FILE=c", "PANDO_KEY_FILE=k", "ETCD_TRUSTED_CA_FILE=ca", "ETCD_CLIENT_CRL_FILE=r", "ETCD_CLIENT_CERT_AUTH=true",
			"ETCD_CLIENT_CERT_ALLOWED_HOSTNAME=h", "ETCD_PEER_CERT_FILE=pc", "ETCD_PEER_KEY_FILE=pk", "ETCD_PEER_CA_FILE=pca",
			"ETCD_PEER_CRL_FILE=pr", "ETCD_PEER_CLIENT_CERT_AUTH=true", "PANDO_PEER_CERT_ALLOWED_CN=a, b",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg, warnings, err := Load(map[string]string{"config-file": writeConfigFile(t, test.file)}, test.environment)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("%v, warnings %q", err, warnings)
			}
			if !reflect.DeepEqual(cfg.ClientTLS, client) || !reflect.DeepEqual(cfg.PeerTLS, peer) {
				t.Errorf("got %+v and %+v", cfg.ClientTLS, cfg.PeerTLS)
			}
		})
	}
	t.Run("versions and suites", func(t *testing.T) {
		cfg, _, err := Load(assignments("tls-min-version=tls1.2 tls-max-version=TLSv1.3 "+
			"cipher-suites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,"+
			"TLS_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"), nil)
		if err != nil {
			t.Fatal(err)
		}
		want := []uint16{
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		}
		if cfg.TLSMinVersion != tls.VersionTLS12 || cfg.TLSMaxVersion != tls.VersionTLS13 || !reflect.DeepEqual(cfg.CipherSuites, want) {
			t.Errorf("got %x %x %x", cfg.TLSMinVersion, cfg.TLSMaxVersion, cfg.CipherSuites)
		}
	})
}

// TestUnixSockets reads URLs of unix sockets.
func TestUnixSockets(t *testing.T) {
	for _, test := range []struct{ url, path string }{
		{"unix:///run/pando.sock", "/run/pando.sock"},
		{"unix://localhost:2379", "localhost:2379"},
		{"unix://run/pando.sock", "run/pando.sock"},
	} {
		t.Run(test.url, func(t *testing.T) {
			cfg, _, err := Load(assignments("listen-client-urls="+test.url+advertise), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := SocketPath(cfg.ListenClientURLs[0]); got != test.path || cfg.ListenClientURLs[0].String() != test.url {
				t.Errorf("got %q, %v", got, cfg.ListenClientURLs)
			}
		})
	}
	for _, test := range []struct{ flags, want string }{
		{"listen-client-urls=unix://" + advertise, `"unix://" has no path of a file; write it as unix:///run/pando.sock`},
		{"listen-peer-urls=unix:///s", "is a unix socket, which other members can't reach; "},
		{"advertise-client-urls=unix:///s", "is a unix socket, which exists on this machine alone; "},
		{"listen-client-urls=unix:///a/" + advertise, "has no path of a file"},
		{"listen-client-urls=unix:///a?b" + advertise, "has more than a path"},
		{"listen-client-urls=unix:///" + strings.Repeat("a", 107) + advertise,
			"is too long for a unix socket; choose a path of at most 107 bytes"},
		{"listen-client-urls=unix:///s listen-metrics-urls=unix:///s" + advertise, "/s is in --listen-client-urls too"},
		{"listen-client-urls=unix:///s", "add --advertise-client-urls=http://localhost:2379"},
	} {
		t.Run(test.want, func(t *testing.T) {
			if _, _, err := Load(assignments(test.flags), nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
