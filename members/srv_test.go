package members

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is the content of a name server: SRV records as "target port", and addresses.
type zone struct {
	srv       map[string][]srvRecord
	addresses map[string]string
	broken    string // the name whose answers are server failures
}

type srvRecord struct {
	target string
	port   uint16
}

// nameServer serves the zone on a free port, and returns a resolver that asks only this
// server.
func nameServer(t testing.TB, z zone) *net.Resolver {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = socket.Close()
		<-done
	})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, from, err := socket.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := z.answer(buf[:n]); answer != nil {
				_, _ = socket.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", socket.LocalAddr().String())
	}}
}

func (z zone) answer(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	name := strings.ToLower(q.Name.String())
	m.Response, m.Additionals = true, nil
	header := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, Type: q.Type, TTL: 1}
	switch {
	case z.broken != "" && strings.HasPrefix(name, z.broken):
		m.RCode = dnsmessage.RCodeServerFailure
	case q.Type == dnsmessage.TypeSRV:
		for _, r := range z.srv[name] {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.SRVResource{
				Priority: 1, Weight: 1, Port: r.port, Target: dnsmessage.MustNewName(r.target),
			}})
		}
	case q.Type == dnsmessage.TypeA && z.addresses[name] != "":
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: header,
			Body: &dnsmessage.AResource{A: netip.MustParseAddr(z.addresses[name]).As4()}})
	}
	if len(m.Answers) == 0 && m.RCode == 0 && z.addresses[name] == "" {
		m.RCode = dnsmessage.RCodeNameError
	}
	text, err := m.Pack()
	if err != nil {
		return nil
	}
	return text
}

var grove = zone{
	srv: map[string][]srvRecord{
		"_etcd-server._tcp.grove.example.":      {{"A.grove.example.", 24012}, {"b.grove.example.", 24022}},
		"_etcd-server-blue._tcp.grove.example.": {{"b.grove.example.", 24022}},
		"_etcd-server-ssl._tcp.tls.example.":    {{"c.grove.test.", 24032}},
		"_etcd-server._tcp.mixed.example.":      {{"a.grove.example.", 24012}},
		"_etcd-server-ssl._tcp.mixed.example.":  {{"b.grove.example.", 24022}},
		"_etcd-server._tcp.twins.example.":      {{"a.grove.example.", 24012}, {"also-a.grove.example.", 24012}},
	},
	addresses: map[string]string{
		"a.grove.example.": "10.0.0.1", "also-a.grove.example.": "10.0.0.1", "b.grove.example.": "10.0.0.2",
	},
}

func TestSRV(t *testing.T) {
	resolver := nameServer(t, grove)
	for _, test := range []struct {
		name, domain, service, own string
		self                       string // its peer URL in the cluster
		members                    string
	}{
		{"by name", "grove.example", "", "http://a.grove.example:24012", "http://a.grove.example:24012",
			"http://a.grove.example:24012 http://b.grove.example:24022"},
		{"by address", "grove.example", "", "http://10.0.0.2:24022", "http://b.grove.example:24022",
			"http://a.grove.example:24012 http://b.grove.example:24022"},
		{"by another name", "grove.example", "", "http://also-a.grove.example:24012", "http://a.grove.example:24012",
			"http://a.grove.example:24012 http://b.grove.example:24022"},
		{"service name", "grove.example", "blue", "http://b.grove.example:24022", "http://b.grove.example:24022",
			"http://b.grove.example:24022"},
		{"https", "tls.example", "", "https://c.grove.test:24032", "https://c.grove.test:24032", "https://c.grove.test:24032"},
		{"both", "mixed.example", "", "http://a.grove.example:24012", "http://a.grove.example:24012",
			"http://a.grove.example:24012 https://b.grove.example:24022"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := SRV{Domain: test.domain, ServiceName: test.service, Name: "me", PeerURLs: []string{test.own}, Token: "etcd-cluster",
				Resolver: resolver}
			c, err := s.Cluster(within(t))
			if err != nil {
				t.Fatal(err)
			}
			var urls []string
			for _, m := range c.Members {
				urls = append(urls, m.PeerURLs...)
				if (m.ID == c.Self) != (m.PeerURLs[0] == test.self) {
					t.Errorf("self is %s", c.Self)
				}
				if m.Name != "" {
					t.Errorf("%v has a name that the others can't know", m)
				}
			}
			if got := strings.Join(sortedCopy(urls), " "); got != test.members {
				t.Errorf("got  %s\nwant %s", got, test.members)
			}
		})
	}
	t.Run("the reference's IDs", func(t *testing.T) {
		s := SRV{Domain: "tls.example", PeerURLs: []string{"https://c.grove.test:24032"}, Token: "etcd-cluster", Resolver: resolver}
		c, err := s.Cluster(within(t))
		if err != nil || c.Self.String() != "b99f070f9965a99b" || c.ID.String() != "17d828bbb3e4dbaf" {
			t.Errorf("member %s of cluster %s, %v", c.Self, c.ID, err)
		}
	})
}

func TestSRVRefused(t *testing.T) {
	resolver := nameServer(t, grove)
	broken := grove
	broken.broken = "_etcd-server-ssl."
	failing := nameServer(t, broken)
	for _, test := range []struct {
		name, domain, service, own string
		resolver                   *net.Resolver
		text                       string
	}{
		{"no records", "void.example", "", "http://a:1", resolver,
			"no SRV records found at void.example; give it a record _etcd-server._tcp.void.example for each member"},
		{"no records of the name", "grove.example", "red", "http://a:1", resolver,
			"give it a record _etcd-server-red._tcp.grove.example for each member"},
		{"not this member", "grove.example", "", "http://10.0.0.3:24012", resolver,
			"none of the records of grove.example (http://a.grove.example:24012, http://b.grove.example:24022) matches this member's"},
		{"other port", "grove.example", "", "http://10.0.0.1:24013", resolver, "none of the records"},
		{"other scheme", "grove.example", "", "https://a.grove.example:24012", resolver, "none of the records"},
		{"one member twice", "twins.example", "", "http://10.0.0.1:24012", resolver, "all match this member"},
		{"own URL wrong", "grove.example", "", "a:24012", resolver, "--initial-advertise-peer-urls: "},
		{"name server fails", "grove.example", "", "http://a.grove.example:24012", failing, "check the name servers of this machine"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := SRV{Domain: test.domain, ServiceName: test.service, Name: "me", PeerURLs: []string{test.own}, Resolver: test.resolver}
			_, err := s.Cluster(within(t))
			if err == nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got  %v\nwant %s", err, test.text)
			}
			if noRecords := strings.HasPrefix(test.name, "no records"); errors.Is(err, ErrNoSRV) != noRecords {
				t.Errorf("ErrNoSRV: %v", err)
			}
		})
	}
}
