package httpapi

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/members/certs"
	"pando/members/servertest"
	"pando/stats"
)

// serverCertificate returns a Source with a certificate for 127.0.0.1, and a client that trusts it.
func serverCertificate(t *testing.T) (*certs.Source, *http.Client) {
	t.Helper()
	pair, err := certs.SelfSigned(certs.Request{CommonName: "server", Hosts: []string{"127.0.0.1"}, Server: true, ValidFor: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	files := certs.Files{Cert: filepath.Join(t.TempDir(), "cert"), Key: filepath.Join(t.TempDir(), "key")}
	if err := pair.Write(files.Cert, files.Key); err != nil {
		t.Fatal(err)
	}
	source, err := certs.Open(certs.Options{Files: files}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(files.Cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	return source, &http.Client{Transport: transport, Timeout: servertest.Timeout}
}

// startPlaintext serves on a TLS listener that accepts connections without TLS, too. The handler responds whether a connection uses TLS.
func startPlaintext(t *testing.T) (listener net.Listener, client *http.Client) {
	t.Helper()
	source, client := serverCertificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	metrics := stats.NewMetrics(stats.Build{})
	group := newSecureGroup("peer", source, peerProtocols, metrics, zap.NewNop())
	listener = group.Listen(newAdmission("peer", 100, metrics, zap.NewNop()).Listen(l, group.config, nil), true)
	server := &http.Server{
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.TLS != nil) }),
		ErrorLog: log.New(io.Discard, "", 0),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close() // nothing is lost
		if err := <-served; err != http.ErrServerClosed && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return listener, client
}

// TestPlaintext connects with and without TLS, and with bytes that are neither.
func TestPlaintext(t *testing.T) {
	listener, client := startPlaintext(t)
	address := listener.Addr().String()
	for url, want := range map[string]string{"http://" + address: "false", "https://" + address: "true"} {
		response, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || string(body) != want {
			t.Errorf("%s: TLS %s, %v", url, body, err)
		}
	}
	for name, sent := range map[string]string{
		"no HTTP":     "\x00\x01\x02\r\n\r\n",
		"no TLS":      "\x16\x03\x01\x00\x05hello there\r\n\r\n",
		"one byte":    "\x16",
		"nothing":     "",
		"half a line": "GET /",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, sent); err != nil {
				t.Fatal(err)
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if answer := readToEnd(t, conn); strings.Contains(answer, "200 OK") {
				t.Errorf("the answer is %q", answer)
			}
		})
	}
}

// readToEnd reads from a connection until the other end closes it, with or without an error. It fails the test if that does not happen.
func readToEnd(t *testing.T, conn net.Conn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(servertest.Timeout)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection stays open after %q", answer)
	}
	return string(answer)
}

// TestPlaintextCloses closes the listener while a connection has sent nothing.
func TestPlaintextCloses(t *testing.T) {
	listener, _ := startPlaintext(t)
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := listener.Close(); err != nil {
		t.Error(err)
	}
	if answer := readToEnd(t, conn); answer != "" {
		t.Errorf("the answer is %q", answer)
	}
}
