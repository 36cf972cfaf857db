package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func (f *fixture) mode(name string) fs.FileMode {
	f.t.Helper()
	info, err := os.Stat(f.path(name))
	if err != nil {
		f.t.Fatal(err)
	}
	return info.Mode()
}

// watched opens a source and watches its files until the end of the test.
func (f *fixture) watched(o Options) (*Source, *observer.ObservedLogs) {
	f.t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	s, err := Open(o, zap.New(core))
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Watch(ctx)
	}()
	f.t.Cleanup(func() {
		cancel()
		<-done
	})
	return s, logs
}

// served returns the certificate that a server shows.
func served(t *testing.T, client, server *tls.Config) *x509.Certificate {
	t.Helper()
	state, _ := mustConnect(t, client, server)
	return state.PeerCertificates[0]
}

// TestReload replaces each kind of file while handshakes use them.
func TestReload(t *testing.T) {
	f := newFixture(t)
	alice := f.issue("alice", Request{CommonName: "alice", Client: true})
	f.revoke(1)
	o := f.options()
	o.CRL = f.path("list.crl")
	s, _ := f.watched(o)
	var changes atomic.Int32
	s.OnChange(func() { changes.Add(1) })
	server := s.ServerConfig()
	client := f.open(Options{Files: Files{CA: f.path("ca.pem"), Cert: f.path("alice.pem"), Key: f.path("alice-key.pem")}}).ClientConfig()

	t.Run("certificate and key", func(t *testing.T) {
		renewed := f.issue("server", Request{CommonName: "renewed", Hosts: []string{"localhost"}, Server: true, Client: true})
		await(t, "the new certificate", func() bool { return served(t, client, server).Equal(renewed) })
		if got := s.ClientConfig().Certificates[0].Leaf; !got.Equal(renewed) {
			t.Error("clients have the old certificate")
		}
	})
	t.Run("revocation list", func(t *testing.T) {
		_, state := mustConnect(t, client, server)
		f.revoke(2, alice)
		await(t, "the new list", func() bool { return s.CheckConnection(&state) != nil })
		mustRefuse(t, client, server, "revoked")
		f.revoke(3)
		await(t, "the list without alice", func() bool { return s.CheckConnection(&state) == nil })
	})
	t.Run("CA", func(t *testing.T) {
		other := newTestAuthority(t, "other CA")
		f.issueBy(other, "carol", Request{CommonName: "carol", Client: true})
		carol := f.open(Options{Files: Files{CA: f.path("ca.pem"), Cert: f.path("carol.pem"), Key: f.path("carol-key.pem")}}).ClientConfig()
		mustRefuse(t, carol, server, "failed to verify")
		f.write("ca.pem", append(f.read("ca.pem"), other.Pair().Cert...))
		await(t, "the new CA", func() bool { return len(s.current.Load().roots) == 2 })
		mustConnect(t, carol, server)
		mustConnect(t, client, server)
	})
	t.Run("each change is reported once", func(t *testing.T) {
		await(t, "the report of the last change", func() bool { return changes.Load() >= 4 })
		if n := changes.Load(); n > 5 { // certificate and key may be two
			t.Errorf("%d changes", n)
		}
	})
	t.Run("in place, with the same size and time", func(t *testing.T) {
		before, err := os.Stat(f.path("ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		content := f.read("ca.pem")
		half := len(f.authority.Pair().Cert)
		swapped := append(append([]byte{}, content[half:]...), content[:half]...)
		if err := os.WriteFile(f.path("ca.pem"), swapped, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(f.path("ca.pem"), before.ModTime(), before.ModTime()); err != nil {
			t.Fatal(err)
		}
		await(t, "the change", func() bool { return s.current.Load().roots[0].Subject.CommonName == "other CA" })
	})
}

// TestBrokenReload checks that files with an error leave the old ones in use, and are logged and counted once.
func TestBrokenReload(t *testing.T) {
	f := newFixture(t)
	s, logs := f.watched(f.options())
	server, client := s.ServerConfig(), s.ClientConfig()
	old := served(t, client, server)
	good := f.read("server.pem")
	errorsLogged := func() int { return logs.FilterLevelExact(zapcore.ErrorLevel).Len() }
	for i, broken := range []string{"", "hello", string(f.read("ca.pem"))} {
		f.write("server.pem", []byte(broken))
		await(t, "the failure", func() bool { return s.ReloadFailures() == uint64(i+1) && errorsLogged() == i+1 })
		<-time.After(20 * time.Millisecond) // further looks at the same files
		if s.ReloadFailures() != uint64(i+1) || errorsLogged() != i+1 {
			t.Errorf("%d failures, %d lines", s.ReloadFailures(), errorsLogged())
		}
		if !served(t, client, server).Equal(old) {
			t.Error("the old certificate is not in use")
		}
	}
	last := logs.FilterLevelExact(zapcore.ErrorLevel).All()[2]
	want := "--key-file: " + f.path("server-key.pem") + ": the private key does not belong"
	if text := last.ContextMap()["error"]; !strings.Contains(text.(string), want) {
		t.Errorf("logged %v", text)
	}
	f.write("server.pem", good)
	await(t, "a line that the error is gone", func() bool { return logs.FilterMessageSnippet("no error any more").Len() == 1 })
	if err := os.Remove(f.path("server.pem")); err != nil {
		t.Fatal(err)
	}
	await(t, "the failure", func() bool { return s.ReloadFailures() == 4 })
	f.write("server.pem", good)
	renewed := f.issue("server", Request{CommonName: "renewed", Hosts: []string{"localhost"}, Server: true, Client: true})
	await(t, "the new certificate", func() bool { return served(t, client, server).Equal(renewed) })
}

// TestPartlyBrokenReload checks that an error in one file does not keep the others from being used: a certificate that can't be read or
// has expired must not delay a revocation.
func TestPartlyBrokenReload(t *testing.T) {
	f := newFixture(t)
	alice := f.issue("alice", Request{CommonName: "alice", Client: true})
	f.revoke(1)
	o := f.options()
	o.CRL = f.path("list.crl")
	client := f.open(Options{Files: Files{CA: f.path("ca.pem"), Cert: f.path("alice.pem"), Key: f.path("alice-key.pem")}}).ClientConfig()
	revokes := func(t *testing.T, s *Source, number int64) {
		t.Helper()
		server := s.ServerConfig()
		_, state := mustConnect(t, client, server)
		f.revoke(number, alice)
		await(t, "the revocation", func() bool { return s.CheckConnection(&state) != nil })
		mustRefuse(t, client, server, "revoked")
	}
	for i, name := range []string{"server.pem", "server-key.pem", "ca.pem"} {
		t.Run(name, func(t *testing.T) {
			s, _ := f.watched(o)
			content := f.read(name)
			f.write(name, []byte("damaged"))
			await(t, "the failure", func() bool { return s.ReloadFailures() == 1 })
			revokes(t, s, int64(2*i+2))
			f.write(name, content)
			f.revoke(int64(2*i + 3))
		})
	}
	t.Run("expired certificate", func(t *testing.T) {
		s := f.open(o)
		f.revoke(20, alice)
		s.now = func() time.Time { return time.Now().Add(30 * time.Hour) } // after the end of the certificate, and of the list
		s.poll()
		if n := len(s.current.Load().lists[0].list.RevokedCertificateEntries); n != 0 {
			t.Errorf("a list that has expired is in use, with %d entries", n)
		}
		list, err := f.authority.RevocationList(21, 40*time.Hour, alice)
		if err != nil {
			t.Fatal(err)
		}
		f.write("list.crl", list)
		s.poll()
		if n := len(s.current.Load().lists[0].list.RevokedCertificateEntries); n != 1 {
			t.Errorf("%d entries in the list in use", n)
		}
		f.revoke(22)
	})
	t.Run("list", func(t *testing.T) {
		s, _ := f.watched(o)
		f.write("list.crl", []byte("damaged"))
		await(t, "the failure", func() bool { return s.ReloadFailures() == 1 })
		renewed := f.issue("server", Request{CommonName: "renewed", Hosts: []string{"localhost"}, Server: true, Client: true})
		await(t, "the new certificate", func() bool { return s.current.Load().chain[0].Equal(renewed) })
		if len(s.current.Load().lists) != 1 {
			t.Error("the old list is not in use")
		}
	})
}

// TestExpiredWhileRunning checks that a certificate that expires stays in use: other ends decide themselves what they accept.
func TestExpiredWhileRunning(t *testing.T) {
	f := newFixture(t)
	s := f.open(f.options())
	s.now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	before := s.current.Load()
	s.poll()
	s.poll()
	if s.current.Load() != before || s.ReloadFailures() > 1 {
		t.Errorf("%d failures", s.ReloadFailures())
	}
}
