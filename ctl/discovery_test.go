package ctl

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"pando/members/servertest"
)

// resolveTo makes the resolver of this process answer SRV questions with records, by the name of the question, and every question for
// an address with 127.0.0.1.
func resolveTo(t *testing.T, records map[string]*dnsmessage.SRVResource) {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", socket.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = before
		socket.Close()
	})
	go func() {
		query := make([]byte, 4096)
		for {
			n, from, err := socket.ReadFrom(query)
			if err != nil {
				return
			}
			if answer := resolve(query[:n], records); answer != nil {
				socket.WriteTo(answer, from)
			}
		}
	}()
}

// resolve returns the answer to a question; nil if it is damaged.
func resolve(query []byte, records map[string]*dnsmessage.SRVResource) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.Additionals = true, nil
	header := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, Type: q.Type, TTL: 1}
	record := records[strings.ToLower(q.Name.String())]
	switch {
	case q.Type == dnsmessage.TypeSRV && record != nil:
		m.Answers = []dnsmessage.Resource{{Header: header, Body: record}}
	case q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: netip.MustParseAddr("127.0.0.1").As4()}}}
	case q.Type == dnsmessage.TypeSRV:
		m.RCode = dnsmessage.RCodeNameError
	}
	answer, err := m.Pack()
	if err != nil {
		return nil
	}
	return answer
}

// TestDiscoveryOverTLS: the certificate of an endpoint from DNS must have the name of the domain, as in the legacy client.
func TestDiscoveryOverTLS(t *testing.T) {
	pki := servertest.NewPKI(t)
	start := func(host string) *dnsmessage.SRVResource {
		s := secureServer(t, pki, pki.Issue(t, host, host), tls.NoClientCert)
		u, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		return &dnsmessage.SRVResource{Port: uint16(port), Target: dnsmessage.MustNewName("m1.corp.example.")}
	}
	resolveTo(t, map[string]*dnsmessage.SRVResource{
		"_etcd-client-ssl._tcp.corp.example.": start("corp.example"), "_etcd-client-ssl._tcp.false.example.": start("m1.corp.example"),
	})
	for _, command := range []string{"get /a", "bench list --total 1 --skip-prepare --key-space-size 1"} {
		t.Run(command, func(t *testing.T) {
			args := append([]string{"--no-sync", "--ca-file", pki.CA, "-D", "corp.example"}, strings.Fields(command)...)
			if stdout, stderr, code := run(t, args...); code != exitOK {
				t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
			}
			args[4] = "false.example"
			_, stderr, code := run(t, args...)
			if code == exitOK || !strings.Contains(stderr, "the server needs a certificate with the name false.example") {
				t.Errorf("exit code %d, %q", code, stderr)
			}
		})
	}
}
