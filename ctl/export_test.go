package ctl

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// fill writes keys and directories of every kind.
func fill(t *testing.T, s *server) {
	t.Helper()
	for key, value := range map[string]string{
		"/plain": "1", "/d/empty value": "", "/d/markup": `<a href="x">&amp;</a>`, "/d/lines": "a\nb\r\n\tc\\",
		"/d/ü/€":  "grüße €\U0001F333\u2028",
		"/d/zero": "a\x00b\x1f",
	} {
		s.must(t, "set", "--", key, value)
	}
	s.must(t, "mkdir", "/nothing")
	s.must(t, "mkdir", "--ttl", "500", "/short")
	s.must(t, "set", "--ttl", "400", "/short/session", "s")
	s.must(t, "set", "/_hidden/x", "h")
}

// summary parses an export and rounds the TTLs to hundreds of seconds.
func summary(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	entries, err := readEntries(strings.NewReader(text), "the export", "/")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range entries {
		value := ""
		if r.Value != nil {
			value = *r.Value
		}
		hundreds := (r.TTL + 50) / 100
		if (r.TTL != 0) != (r.Expiration != nil) {
			t.Errorf("%s: ttl %d, expiration %v", r.Key, r.TTL, r.Expiration)
		}
		if r.Expiration != nil && (time.Until(*r.Expiration).Seconds() > float64(r.TTL)+1 ||
			time.Until(*r.Expiration).Seconds() < float64(r.TTL)-30) {
			t.Errorf("%s: ttl %d, expiration %v", r.Key, r.TTL, r.Expiration)
		}
		fmt.Fprintf(&b, "%s %v %q %d\n", r.Key, r.Dir, value, hundreds)
	}
	return b.String()
}

// mustWithInput runs a command that must succeed, with an input, and returns its stdout.
func (s *server) mustWithInput(t *testing.T, input string, args ...string) string {
	t.Helper()
	stdout, stderr, code := s.runWithInput(t, input, args...)
	if code != exitOK {
		t.Fatalf("%q: exit code %d, %s", args, code, stderr)
	}
	return stdout
}

// runWithInput runs a command with an input.
func (s *server) runWithInput(t *testing.T, input string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errOut lockedBuffer
	code = Main(t.Context(), append([]string{"etcdctl", "--endpoints", s.Client}, args...), strings.NewReader(input), &out, &errOut, Host{})
	return out.String(), errOut.String(), code
}

func TestExport(t *testing.T) {
	bothServers(t, func(t *testing.T, s *server) {
		fill(t, s)
		t.Run("everything", func(t *testing.T) {
			want := `/d true "" 0
/d/empty value false "" 0
/d/lines false "a\nb\r\n\tc\\" 0
/d/markup false "<a href=\"x\">&amp;</a>" 0
/d/zero false "a\x00b\x1f" 0
/d/ü true "" 0
/d/ü/€ false "grüße €🌳\u2028" 0
/nothing true "" 0
/plain false "1" 0
/short true "" 5
/short/session false "s" 4
`
			if got := summary(t, s.must(t, "export")); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
		t.Run("one object a line", func(t *testing.T) {
			for line := range strings.Lines(s.must(t, "export", "/d", "/_hidden")) {
				if !json.Valid([]byte(line)) {
					t.Errorf("no JSON: %q", line)
				}
			}
		})
		t.Run("a key and a hidden directory", func(t *testing.T) {
			if got := s.must(t, "export", "/plain", "/_hidden"); got != `{"key":"/plain","value":"1"}`+"\n"+
				`{"key":"/_hidden","dir":true}`+"\n"+`{"key":"/_hidden/x","value":"h"}`+"\n" {
				t.Errorf("got %s", got)
			}
		})
		t.Run("bytes that are not UTF-8 are counted", func(t *testing.T) {
			s.must(t, "set", "/binary", "\xff\xfe")
			if _, stderr, code := run(t, "--endpoints", s.Client, "export", "/binary"); code != exitOK ||
				!strings.Contains(stderr, "values that contain U+FFFD: 1.") {
				t.Errorf("exit code %d, %q", code, stderr)
			}
		})
	})
}

// TestExportOfV3 exports the keys of a server that has keys and leases which only clients of the v3 API see.
func TestExportOfV3(t *testing.T) {
	s := startPando(t)
	s.must(t, "set", "/d/key", "1")
	s.must(t, "set", "/_hidden/x", "h")
	export := func() string {
		t.Helper()
		stdout, stderr, code := run(t, "--endpoints", s.Client, "export")
		if want := "{\"key\":\"/d\",\"dir\":true}\n{\"key\":\"/d/key\",\"value\":\"1\"}\n"; code != exitOK || stdout != want {
			t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
		}
		return stderr
	}
	if stderr := export(); stderr != "" {
		t.Errorf("without keys of v3: %q", stderr)
	}
	for _, request := range [][2]string{
		{"kv/put", `{"key":"cGxhaW4="}`}, // the key "plain", which is no path
		{"kv/put", `{"key":"L2Q="}`},     // the key "/d", which is shadowed by the directory
		{"lease/grant", `{"TTL":"600"}`},
	} {
		r, err := http.Post(s.Client+"/v3/"+request[0], "application/json", strings.NewReader(request[1]))
		if err != nil {
			t.Fatal(err)
		}
		if r.Body.Close(); r.StatusCode != http.StatusOK {
			t.Fatalf("%s: status code %d", request, r.StatusCode)
		}
	}
	if stderr := export(); !strings.Contains(stderr, "that are not in the export: 2. ") ||
		!strings.Contains(stderr, "which are not in the export: 1. ") {
		t.Errorf("got %q", stderr)
	}
}
