package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"pando/httpapi"
)

func TestShares(t *testing.T) {
	for _, limit := range []int{1, 16, 64, 256, 1024, 4096, 20_000, 1 << 20, unlimited} {
		member, proxy := memberShares(limit), proxyShares(limit)
		if limit >= 64 {
			files := limit - member.clients - member.peers - member.metrics - 3*httpapi.RefusingDescriptors
			if least := min(keptForFiles, limit/2-3*httpapi.RefusingDescriptors); files < least {
				t.Errorf("with %d open files a member keeps %d for its files: %+v", limit, files, member)
			}
			if used := 2*proxy.clients + proxy.idle + proxy.metrics; used > limit-limit/2 && used > limit-keptForFiles {
				t.Errorf("with %d open files a proxy may use %d: %+v", limit, used, proxy)
			}
		}
		if member.clients < 1 || proxy.clients < 1 || (limit >= 1024 && member.clients < limit*3/4) {
			t.Errorf("with %d open files there is too little room for clients: %+v, %+v", limit, member, proxy)
		}
	}
	t.Run("chosen by a flag", func(t *testing.T) {
		has := shares{clients: 100}
		for _, test := range []struct{ flag, want int }{{0, 100}, {7, 7}, {100, 100}} {
			if got, err := has.chosen(&Config{MaxConnections: test.flag}); err != nil || got.clients != test.want {
				t.Errorf("--max-connections=%d gives %+v, %v", test.flag, got, err)
			}
		}
		if _, err := has.chosen(&Config{MaxConnections: 101}); err == nil || !strings.Contains(err.Error(), "ulimit -n") {
			t.Errorf("more than there is room for: %v", err)
		}
	})
}

// TestDescriptors has clients that do nothing but connect take all the connections there may be, and the log go on to
// its next files meanwhile.
func TestDescriptors(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell: ", err)
	}
	dataDir := t.TempDir() + "/data"
	p := start(t, dataDir, exec.Command(sh, "-c", "ulimit -n 256 && exec \"$0\" \"$@\"", os.Args[0],
		"--data-dir", dataDir, "--listen-client-urls", "http://127.0.0.1:0", "--advertise-client-urls", "http://127.0.0.1:2379",
		"--listen-peer-urls", "http://127.0.0.1:0", "--listen-metrics-urls", "http://127.0.0.1:0"))
	p.awaitServing()
	client := newKeyClient(t, p.client)
	client.must(t, http.MethodPut, "/large", form("value", "first")) // its connection is kept
	for _, address := range []string{p.addr(), urlHost(p.peer)} {
		for range 400 {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
	}
	await(t, "connections to be refused", func() bool { return strings.Contains(p.stderr.String(), "connections refused") })
	value := strings.Repeat("x", 1_000_000)
	for range 140 { // 140 MB: the third segment
		client.must(t, http.MethodPut, "/large", form("value", value))
	}
	if n := strings.Count(p.stderr.String(), "connections refused"); n > 4 { // two sockets, a line in ten seconds
		t.Errorf("%d lines in the log", n)
	}
	if n := p.fds(); n > 256-64 {
		t.Errorf("%d descriptors are in use", n)
	}
}
