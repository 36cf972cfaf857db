package ctl

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"pando/ctl/client"
)

func TestEndpointStatus(t *testing.T) {
	bothServers(t, func(t *testing.T, s *server) {
		s.must(t, "set", "/a", "v")
		pando := strings.HasSuffix(t.Name(), "Pando")
		t.Run("json", func(t *testing.T) {
			var got []client.Status
			if err := json.Unmarshal([]byte(s.must(t, "endpoint", "status", "-w", "json")), &got); err != nil || len(got) != 1 {
				t.Fatal(got, err)
			}
			list, err := s.members()
			if err != nil || len(list) != 1 {
				t.Fatal(list, err)
			}
			m := list[0]
			e := got[0]
			if e.Endpoint != s.Client || e.ID != m.ID || e.Name != "default" || !e.Healthy || !e.Leader || e.LeaderID != m.ID {
				t.Errorf("got %+v", e)
			}
			if e.Term == 0 || e.RaftIndex == 0 || e.Index != s.index() || e.LatencyMS <= 0 || e.Error != "" {
				t.Errorf("got %+v", e)
			}
			if reported := e.Nodes != nil && *e.Nodes > 0 && e.Bytes != nil; reported != pando {
				t.Errorf("the size is reported: %v, want %v", reported, pando)
			}
			if strings.HasPrefix(e.Version, "Pando ") != pando || e.Version == "" {
				t.Errorf("version %q", e.Version)
			}
		})
		t.Run("table", func(t *testing.T) {
			lines := strings.Split(s.must(t, "endpoint", "status"), "\n")
			if len(lines) != 3 || strings.Index(lines[0], "ID") != strings.Index(lines[1], " ")+2 {
				t.Errorf("got %q", lines)
			}
			if !regexp.MustCompile(`  true +\d+ +\d+ +\d+ .* \d+\.\dms$`).MatchString(lines[1]) {
				t.Errorf("got %q", lines[1])
			}
		})
		t.Run("health of one that does not answer", func(t *testing.T) {
			stdout, stderr, code := run(t, "--no-sync", "--endpoints", s.Client+",http://127.0.0.1:1", "endpoint", "health")
			if code != 1 || stderr != "" || !regexp.MustCompile(`:1 +false +- +.*refused`).MatchString(stdout) ||
				!strings.Contains(stdout, " true ") {
				t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
			}
		})
	})
	t.Run("of no member", func(t *testing.T) {
		url, _ := fixed(t, http.StatusOK, "<html>")
		stdout, _, code := run(t, "--endpoints", url, "endpoint", "health")
		if code != 1 || !strings.Contains(stdout, "is this a member?") {
			t.Errorf("exit code %d, %q", code, stdout)
		}
	})
	t.Run("in an unknown format", func(t *testing.T) {
		if _, stderr, code := run(t, "endpoint", "status", "-w", "xml"); code != 1 || !strings.Contains(stderr, "table or json") {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
}
