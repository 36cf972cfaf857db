package certs

import (
	"strings"
	"testing"
	"time"
)

// TestCheck checks sets of files that could be started, but do not fit.
func TestCheck(t *testing.T) {
	for _, test := range []struct {
		name  string
		make  func(f *fixture, o *Options)
		use   Use
		hosts []string
		want  []string // a part of each problem
	}{
		{"all is well", func(*fixture, *Options) {}, ForPeer, []string{"localhost", "127.0.0.1"}, nil},
		{"other hosts", func(*fixture, *Options) {}, ForServer, []string{"localhost", "10.0.0.1"}, []string{
			"is not for the host 10.0.0.1: it is for localhost, 127.0.0.1"}},
		{"no host", func(f *fixture, o *Options) { f.issue("server", Request{CommonName: "localhost", Server: true}) }, ForServer,
			[]string{"localhost"}, []string{"is for no host: it has no subject alternative names, and clients do not look at the common name"}},
		{"no host, of a client", func(f *fixture, o *Options) { f.issue("server", Request{CommonName: "ann", Client: true}) },
			ForClient, nil, nil},
		{"only for servers", func(f *fixture, o *Options) {
			f.issue("server", Request{CommonName: "s", Hosts: []string{"s"}, Server: true})
		}, ForPeer, nil, []string{
			"is not for clients: its extended key usage lacks clientAuth"}},
		{"only for clients", func(f *fixture, o *Options) {
			f.issue("server", Request{CommonName: "s", Hosts: []string{"s"}, Client: true})
		}, ForServer, nil, []string{
			"is not for servers: its extended key usage lacks serverAuth"}},
		{"for all uses", func(f *fixture, o *Options) { f.issue("server", Request{CommonName: "s", Hosts: []string{"s"}}) },
			ForPeer, nil, nil},
		{"another CA", func(f *fixture, o *Options) { o.CA = f.write("other.pem", newTestAuthority(f.t, "other").Pair().Cert) }, ForPeer, nil,
			[]string{"it is signed by another CA, or an intermediate certificate is missing"}},
		{"revoked", func(f *fixture, o *Options) {
			f.revoke(1, parse(f.t, f.read("server.pem")))
			o.CRL = f.path("list.crl")
		}, ForPeer, nil, []string{"the certificate is revoked"}},
		{"a key that everybody can read", func(f *fixture, o *Options) {
			if err := writeFile(o.Key, f.read("server-key.pem"), 0o644); err != nil {
				f.t.Fatal(err)
			}
		}, ForPeer, nil, []string{"every user of this machine can read the private key; run chmod 600"}},
		{"several", func(f *fixture, o *Options) { o.Key, o.CA = "none", "none" }, ForServer, []string{"h"}, []string{
			"--key-file: none: the file does not exist", "--trusted-ca-file: none: the file does not exist", "is not for the host h"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.issue("server", Request{CommonName: "s", Hosts: []string{"localhost", "127.0.0.1"}, Server: true, Client: true,
				ValidFor: 40 * 24 * time.Hour})
			o := f.options()
			test.make(f, &o)
			problems := Check(o, test.use, test.hosts, time.Now())
			problems = withoutSoon(problems)
			if len(problems) != len(test.want) {
				t.Fatalf("got %v", texts(problems))
			}
			for i, want := range test.want {
				if !strings.Contains(problems[i].Err.Error(), want) {
					t.Errorf("got  %v\nwant %s", problems[i].Err, want)
				}
			}
		})
	}
	t.Run("ends soon", func(t *testing.T) {
		f := newFixture(t)
		problems := Check(f.options(), ForPeer, nil, time.Now())
		if len(problems) != 1 || !strings.Contains(problems[0].Err.Error(), "ends soon, at 20") || problems[0].Severity != Warning {
			t.Errorf("got %v", texts(problems))
		}
	})
}

func withoutSoon(problems []Problem) []Problem {
	var rest []Problem
	for _, p := range problems {
		if !strings.Contains(p.Err.Error(), "ends soon") {
			rest = append(rest, p)
		}
	}
	return rest
}

func texts(problems []Problem) []string {
	var all []string
	for _, p := range problems {
		all = append(all, p.Err.Error())
	}
	return all
}

// TestAuthority issues with a CA that was written and read.
func TestAuthority(t *testing.T) {
	f := newFixture(t)
	if err := f.authority.Pair().Write(f.path("ca.pem"), f.path("ca-key.pem")); err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadAuthority(f.path("ca.pem"), f.path("ca-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	f.issueBy(loaded, "later", Request{CommonName: "later", Hosts: []string{"localhost"}, Server: true, Client: true})
	o := f.options()
	o.Cert, o.Key = f.path("later.pem"), f.path("later-key.pem")
	later := f.open(o)
	mustConnect(t, f.open(f.options()).ClientConfig(), later.ServerConfig())
	for _, wrong := range []struct{ cert, key, want string }{
		{"server.pem", "server-key.pem", "not that of a CA"},
		{"ca.pem", "server-key.pem", "does not belong"},
	} {
		if _, err := LoadAuthority(f.path(wrong.cert), f.path(wrong.key)); err == nil || !strings.Contains(err.Error(), wrong.want) {
			t.Errorf("%s with %s: %v, want %s", wrong.cert, wrong.key, err, wrong.want)
		}
	}
}
