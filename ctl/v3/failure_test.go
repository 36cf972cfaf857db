package v3

import (
	"net"
	"strings"
	"testing"

	"pando/members/servertest"
)

// TestConnectionAdvice connects to addresses where no server of the API is.
func TestConnectionAdvice(t *testing.T) {
	t.Parallel()
	closing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closing.Close() })
	go func() {
		for {
			conn, err := closing.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	for name, c := range map[string]struct{ endpoint, advice string }{
		"nothing listens":       {"127.0.0.1:1", "connection refused. Check --endpoints, and whether the servers run."},
		"TLS to a plain server": {"https://" + closing.Addr().String(), "write http:// in the endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &member{Process: &servertest.Process{Client: c.endpoint}}
			got := ours(t.Context(), s, "", nil, []string{"--command-timeout=500ms", "get", "a"})
			if got.code != exitError || !strings.HasPrefix(got.stderr, "Error: context deadline exceeded\n") ||
				!strings.Contains(got.stderr, c.advice) {
				t.Errorf("exit code %d\n%s", got.code, got.stderr)
			}
		})
	}
}
