package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestHelp(t *testing.T) {
	var out, errOut strings.Builder
	if err := run(t.Context(), []string{"pando", "--help"}, &out, &errOut); err != nil {
		t.Fatal(err)
	}
	got := out.String()

	t.Run("matches the golden file", func(t *testing.T) {
		golden := filepath.Join("testdata", "help.txt")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("pando --help differs from %s; run go test -run TestHelp -update . and read the diff.\ngot:\n%s", golden, got)
		}
	})
	t.Run("help as a word", func(t *testing.T) {
		var out strings.Builder
		if err := run(t.Context(), []string{"pando", "help"}, &out, &errOut); err != nil || out.String() != got {
			t.Errorf("pando help: %v, %q", err, out.String())
		}
	})
	t.Run("fits in the width", func(t *testing.T) {
		for line := range strings.Lines(got) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > helpWidth {
				t.Errorf("%d columns: %s", n, line)
			}
		}
	})
	t.Run("mentions every flag and group", func(t *testing.T) {
		for _, name := range flagNames() {
			if !strings.Contains(got, "--"+name) {
				t.Errorf("--%s is missing", name)
			}
		}
		for _, group := range flagGroups {
			if !strings.Contains(got, "\n"+group+":\n") {
				t.Errorf("group %s is missing", group)
			}
		}
	})
	t.Run("says nothing on standard error", func(t *testing.T) {
		if errOut.Len() > 0 {
			t.Errorf("got %q", errOut.String())
		}
	})
}

func TestBanner(t *testing.T) {
	cfg, _, err := loadConfig(map[string]string{
		"listen-client-urls": "http://0.0.0.0:4001", "advertise-client-urls": "http://10.0.0.1:4001", "data-dir": "/var/lib/pando",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := banner(cfg, 0x8e9e05c52164694d, 0xcdf818194e3a8c32)
	for _, want := range []string{
		"member default (8e9e05c52164694d) of cluster cdf818194e3a8c32\n",
		"clients  http://0.0.0.0:4001\n",
		"peers    http://localhost:2380\n",
		"data     /var/lib/pando\n",
		"curl http://127.0.0.1:4001/v2/keys/message -XPUT -d value=\"Hello world\"\n",
		"curl http://127.0.0.1:4001/v2/keys/message\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
}
