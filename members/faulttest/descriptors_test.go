package faulttest

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"pando/members/servertest"
)

// TestDescriptors opens as many idle connections as the server accepts. The log must still be able to open its next
// files.
func TestDescriptors(t *testing.T) {
	servertest.SkipShort(t, "it writes 140 MB")
	sh := servertest.RequireProgram(t, "sh", "dash")
	dataDir := t.TempDir() + "/data"
	p := servertest.StartCommand(t, exec.Command(sh, "-c", "ulimit -n 256 && exec \"$0\" \"$@\"", os.Args[0],
		"--data-dir", dataDir, "--listen-client-urls", "http://127.0.0.1:0", "--advertise-client-urls", "http://127.0.0.1:2379",
		"--listen-peer-urls", "http://127.0.0.1:0", "--listen-metrics-urls", "http://127.0.0.1:0"))
	p.AwaitServing()
	client := servertest.NewKeyClient(t, p.Client)
	client.Must(t, http.MethodPut, "/large", servertest.Form("value", "first")) // its connection is kept
	for _, address := range []string{p.Addr(), servertest.URLHost(p.Peer)} {
		for range 400 {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
	}
	servertest.Await(t, "connections to be refused", func() bool { return strings.Contains(p.Stderr.String(), "connections refused") })
	value := strings.Repeat("x", 1_000_000)
	for range 140 { // 140 MB: the third segment
		client.Must(t, http.MethodPut, "/large", servertest.Form("value", value))
	}
	if n := strings.Count(p.Stderr.String(), "connections refused"); n > 4 { // two sockets, one line in ten seconds each
		t.Errorf("%d lines in the log", n)
	}
	if n := p.Descriptors(); n > 256-64 {
		t.Errorf("%d descriptors are in use", n)
	}
}
