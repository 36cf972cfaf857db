package ctl

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestImport moves everything from one server to another, through a file and directly.
func TestImport(t *testing.T) {
	bothServers(t, func(t *testing.T, s *server) {
		fill(t, s)
		all := s.must(t, "export", "/", "/_hidden")
		file := filepath.Join(t.TempDir(), "all.jsonl")
		if err := os.WriteFile(file, []byte(all), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, way := range []struct {
			name, input, want string
			args              []string
		}{
			{"through a file", all, summary(t, all), []string{"import"}},
			{"directly", "", summary(t, s.must(t, "export")), []string{"import", "--from", s.Client}},
			{"a file that is named", "not this", summary(t, all), []string{"import", file}},
			{"a part of stdin", all, summary(t, s.must(t, "export", "/d")), []string{"import", "--below", "/d"}},
			{"a part of a file", "", summary(t, s.must(t, "export", "/d")), []string{"import", file, "--below", "d"}},
			{"a part directly", "", summary(t, s.must(t, "export", "/_hidden")), []string{"import", "--from", s.Client, "--below", "_hidden/"}},
		} {
			t.Run(way.name, func(t *testing.T) {
				to := startPando(t)
				to.mustWithInput(t, way.input, way.args...)
				got := to.must(t, "export")
				if strings.Contains(way.want, "_hidden") {
					got += to.must(t, "export", "/_hidden")
				}
				if summary(t, got) != way.want {
					t.Errorf("got\n%s\nwant\n%s", summary(t, got), way.want)
				}
				if out := to.mustWithInput(t, way.input, way.args...); !strings.HasPrefix(out, "imported 0 ") {
					t.Errorf("a second time: %s", out)
				}
			})
		}
		t.Run("back", func(t *testing.T) {
			s.must(t, "rm", "--recursive", "/d")
			s.must(t, "rm", "--recursive", "/short")
			s.mustWithInput(t, all, "import")
			if got := s.must(t, "export", "/", "/_hidden"); summary(t, got) != summary(t, all) {
				t.Errorf("got\n%s\nwant\n%s", got, all)
			}
		})
	})
}

func TestImportConflicts(t *testing.T) {
	bothServers(t, func(t *testing.T, s *server) {
		for _, test := range []struct {
			name, there, input, refusal string
			forced                      string // what comes of --force; "": it is refused too
		}{
			{"another value", "set K 1", `{"key":"K","value":"2"}`, "K has another value there", `"value":"2"`},
			{"a key where a directory belongs", "set K 1", `{"key":"K","dir":true}{"key":"K/x","value":"2"}`, "K is a key there", "K/x"},
			{"a key above", "set K 1", `{"key":"K/x/y","value":"2"}`, "K/x/y can't be made: K is a key there", ""},
			{"a directory where a key belongs", "mkdir K", `{"key":"K","value":"2"}`, "K is a directory there", ""},
		} {
			t.Run(test.name, func(t *testing.T) {
				key := "/" + strings.ReplaceAll(test.name, " ", "-")
				for _, text := range []*string{&test.there, &test.input, &test.refusal, &test.forced} {
					*text = strings.ReplaceAll(*text, "K", key)
				}
				s.must(t, strings.Fields(test.there)...)
				before := s.index()
				input := `{"key":"/other","value":"o"}` + test.input
				_, stderr, code := s.runWithInput(t, input, "import")
				if code != exitServer || !strings.Contains(stderr, test.refusal) || s.index() != before {
					t.Errorf("exit code %d, %q, index %d after %d", code, stderr, s.index(), before)
				}
				_, stderr, code = s.runWithInput(t, input, "import", "--force")
				if (code == exitOK) != (test.forced != "") {
					t.Fatalf("forced: exit code %d, %q", code, stderr)
				}
				if test.forced == "" {
					return
				}
				if out := s.must(t, "export", key); !strings.Contains(out, test.forced) {
					t.Errorf("got %q, want %q", out, test.forced)
				}
			})
		}
	})
}

// TestImportForcedDirectory: an existing directory gets the TTL and keeps its keys.
func TestImportForcedDirectory(t *testing.T) {
	bothServers(t, func(t *testing.T, s *server) {
		s.must(t, "set", "/d/x", "kept")
		s.mustWithInput(t, `{"key":"/d","dir":true,"ttl":300}`, "import", "--force", "--renew-ttl")
		if got := summary(t, s.must(t, "export", "/d")); got != "/d true \"\" 3\n/d/x false \"kept\" 0\n" {
			t.Errorf("got %q", got)
		}
	})
}

// TestImportManyConflicts: ten conflicts are named, the others are counted.
func TestImportManyConflicts(t *testing.T) {
	s := startPando(t)
	var there, input strings.Builder
	for i := range shownConflicts + 3 {
		fmt.Fprintf(&there, `{"key":"/k%d","value":"1"}`, i)
		fmt.Fprintf(&input, `{"key":"/k%d","value":"2"}`, i)
	}
	s.mustWithInput(t, there.String(), "import")
	_, stderr, code := s.runWithInput(t, input.String(), "import")
	if code != exitServer || strings.Count(stderr, "has another value there") != shownConflicts ||
		!strings.Contains(stderr, "\n  and 3 more\n") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

func TestImportExpired(t *testing.T) {
	s := startPando(t)
	at := func(d time.Duration) string {
		text, _ := json.Marshal(time.Now().Add(d))
		return string(text)
	}
	input := fmt.Sprintf(`{"key":"/gone","dir":true,"ttl":5,"expiration":%s}{"key":"/gone/x","value":"1"}
		{"key":"/session","value":"1","ttl":500,"expiration":%s}`, at(-time.Minute), at(100*time.Second))
	t.Run("is left out", func(t *testing.T) {
		if out := s.mustWithInput(t, input, "import"); out != "imported 1 key or directory; 0 were there already, 2 have expired\n" {
			t.Errorf("got %q", out)
		}
		if got := summary(t, s.must(t, "export")); got != "/session false \"1\" 1\n" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("lives again with --renew-ttl", func(t *testing.T) {
		long := strings.ReplaceAll(input, `"ttl":5,`, `"ttl":300,`)
		s.mustWithInput(t, long, "import", "--renew-ttl", "--force")
		if got := summary(t, s.must(t, "export")); got != "/gone true \"\" 3\n/gone/x false \"1\" 0\n/session false \"1\" 5\n" {
			t.Errorf("got %q", got)
		}
	})
}

func TestImportRefusesBadInput(t *testing.T) {
	s := startPando(t)
	for name, test := range map[string]struct{ input, want string }{
		"no JSON":       {`{"key":"/a","value":"1"}` + "\nx", "object 2"},
		"a cut line":    {`{"key":"/a","value":"1"}` + "\n" + `{"key":"/b","val`, "object 2"},
		"no key":        {`{"value":"1"}`, "no \"key\""},
		"neither":       {`{"key":"/a"}`, "either"},
		"both":          {`{"key":"/a","dir":true,"value":""}`, "either"},
		"another shape": {`["/a"]`, "object 1"},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.index()
			_, stderr, code := s.runWithInput(t, test.input, "import")
			if code != exitBadArguments || !strings.Contains(stderr, test.want) ||
				!strings.Contains(strings.ToLower(stderr), "nothing was written") || s.index() != before {
				t.Errorf("exit code %d, %q", code, stderr)
			}
		})
	}
	dir := t.TempDir()
	empty, broken := filepath.Join(dir, "empty"), filepath.Join(dir, "broken")
	for file, text := range map[string]string{empty: "\n", broken: `{"key":"/a","value":"1"}` + "\n{"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		args  []string
		input string
		want  string
	}{
		"a file that is not there": {[]string{filepath.Join(dir, "missing")}, "", "missing: no such file"},
		"a directory":              {[]string{dir}, "", "is a directory"},
		"a file of no export":      {[]string{broken}, "", "object 2 of " + broken},
		"an empty file":            {[]string{empty}, `{"key":"/a","value":"1"}`, "nothing to import: " + empty + " is empty"},
		"an empty stdin":           {nil, "", "nothing to import: standard input is empty"},
		"nothing at and below a key": {[]string{"--below", "/x"}, `{"key":"/xy","value":"1"}`,
			"none of the 1 entry in standard input is at or below /x"},
		"two files":                     {[]string{empty, empty}, "", "one file"},
		"a file and a server":           {[]string{"--from", s.Client, empty}, "", "one file"},
		"a key, as it was written once": {[]string{"/services"}, `{"key":"/services/a","value":"1"}`, "/services: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.index()
			_, stderr, code := s.runWithInput(t, test.input, append([]string{"import"}, test.args...)...)
			if code != exitBadArguments || !strings.Contains(stderr, test.want) || s.index() != before {
				t.Errorf("exit code %d, %q, want %q", code, stderr, test.want)
			}
		})
	}
	t.Run("an empty server", func(t *testing.T) {
		other := startPando(t)
		_, stderr, code := s.runWithInput(t, "", "import", "--from", other.Client)
		if code != exitServer || !strings.Contains(stderr, "nothing to import: "+other.Client) {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
	t.Run("from nowhere", func(t *testing.T) {
		if _, stderr, code := s.runWithInput(t, "", "import", "--from", "http://127.0.0.1:1"); code != exitServer ||
			!strings.Contains(stderr, "--from http://127.0.0.1:1") {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
}

// TestImportMany writes from several goroutines at the same time.
func TestImportMany(t *testing.T) {
	s := startPando(t)
	var input strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&input, "{\"key\":\"/many/%d/%d\",\"value\":\"%d\"}\n", i%7, i, i)
	}
	if out := s.mustWithInput(t, input.String(), "import"); !strings.HasPrefix(out, "imported 2000 ") {
		t.Errorf("got %q", out)
	}
	if got := strings.Count(s.must(t, "export", "/many"), `"value"`); got != 2000 {
		t.Errorf("%d values", got)
	}
}
