package ctl

import (
	"strings"
	"testing"
)

// bothServers runs a test against Pando and, if it is installed, against etcd, at the same time.
func bothServers(t *testing.T, test func(t *testing.T, s *server)) {
	t.Helper()
	buildOnce.pando(t) // now, because the build may take longer than the TTLs of a test
	t.Run("Pando", func(t *testing.T) {
		t.Parallel()
		test(t, startPando(t))
	})
	t.Run("etcd", func(t *testing.T) {
		t.Parallel()
		test(t, startReference(t))
	})
}

// must runs a command of the client against s that has to succeed, and returns its stdout.
func (s *server) must(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, code := run(t, append([]string{"--endpoints", s.Client}, args...)...)
	if code != exitOK {
		t.Fatalf("%q: exit code %d, %s", args, code, stderr)
	}
	return stdout
}

func TestTree(t *testing.T) {
	bothServers(t, func(t *testing.T, s *server) {
		for _, key := range []string{"/b/2", "/b/1/x", "/a", "/b/é", "/_hidden/x", "/b/new\nline"} {
			s.must(t, "set", key, "v")
		}
		s.must(t, "mkdir", "/empty")
		for _, test := range []struct{ args, want string }{
			{"tree", "/\n├── a\n├── b/\n│   ├── 1/\n│   │   └── x\n│   ├── 2\n│   ├── \"new\\nline\"\n│   └── é\n" +
				"└── empty/\n\n3 directories, 5 keys\n"},
			{"tree --depth 1", "/\n├── a\n├── b/\n└── empty/\n\n2 directories, 1 key\n"},
			{"tree --depth 2 --ascii /b", "/b/\n|-- 1/\n|   `-- x\n|-- 2\n|-- \"new\\nline\"\n`-- é\n\n1 directory, 4 keys\n"},
			{"tree /a /_hidden", "/a\n/_hidden/\n└── x\n\n0 directories, 2 keys\n"},
			{"tree -L 2 /empty", "/empty/\n\n0 directories, 0 keys\n"},
		} {
			t.Run(test.args, func(t *testing.T) {
				if got := s.must(t, strings.Fields(test.args)...); got != test.want {
					t.Errorf("got\n%s\nwant\n%s", got, test.want)
				}
			})
		}
		t.Run("of nothing", func(t *testing.T) {
			stdout, stderr, code := run(t, "--endpoints", s.Client, "tree", "/none")
			if code != exitServer || stdout != "" || !strings.Contains(stderr, "100: Key not found (/none)") {
				t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
			}
		})
	})
}

func TestBench(t *testing.T) {
	s := startPando(t)
	t.Run("measures", func(t *testing.T) {
		out := s.must(t, "bench", "put", "--total", "20", "--json")
		if !strings.Contains(out, "{") {
			t.Errorf("no JSON: %q", out)
		}
		if keys := s.must(t, "ls", "/bench"); keys == "" {
			t.Error("nothing was written")
		}
	})
	t.Run("endpoints of its own win", func(t *testing.T) {
		_, stderr, code := run(t, "--endpoints", "http://127.0.0.1:1", "bench", "put", "--total", "5", "--endpoints", s.Client)
		if code != exitOK {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
	t.Run("fails where nothing answers", func(t *testing.T) {
		_, stderr, code := run(t, "--endpoints", "http://127.0.0.1:1", "bench", "put", "--total", "5")
		if code != exitBadArguments || !strings.Contains(stderr, "127.0.0.1:1") {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
}
