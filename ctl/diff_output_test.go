package ctl

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pando/ctl/diff"
	"pando/ctl/terminal"
)

// TestVisibleHunks compares texts that differ only in characters that a terminal does not show.
func TestVisibleHunks(t *testing.T) {
	got := coloredHunks(terminal.Palette{}, diff.Hunks("a\r\nb\n", "a\nb\u202e\n"))
	want := []string{"@@ -1,2 +1,2 @@", "-a\u240d", "-b", "+a", "+b\uFFFD"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// fullDisk is an output that takes nothing.
type fullDisk struct{}

var errFull = errors.New("no space left on device")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// TestDiffToAFullDisk checks that differences that can't be printed are not taken for the result.
func TestDiffToAFullDisk(t *testing.T) {
	url, _ := fixed(t, 200, `{"action":"get","node":{"key":"/a","value":"v","modifiedIndex":1,"createdIndex":1}}`)
	var stderr lockedBuffer
	args := []string{"etcdctl", "--no-sync", "--endpoints", url, "diff", "-N", "/a", "-"}
	code := Main(t.Context(), args, strings.NewReader(""), fullDisk{}, &stderr, Host{})
	if code != exitTrouble || !strings.Contains(stderr.String(), errFull.Error()) {
		t.Errorf("exit code %d, want %d: %q", code, exitTrouble, stderr.String())
	}
}

// TestSplitKey splits arguments of diff whose keys and files have the signs that separate them.
func TestSplitKey(t *testing.T) {
	for _, test := range []struct{ name, place, key string }{
		{"http://a:2379", "http://a:2379", ""},
		{"http://a:2379/", "http://a:2379", "/"},
		{"http://a:2379/b/", "http://a:2379", "/b"},
		{"http://a:2379:/b", "http://a:2379", "/b"},
		{"http://a/b:/c", "http://a", "/b:/c"},
		{"https://[::1]:2379/b,http://c/d", "https://[::1]:2379", "/b,http://c/d"},
		{"http://a:2379/links/http://b/c", "http://a:2379", "/links/http://b/c"},
		{"http://a:1,http://b:2,c:3/d", "http://a:1,http://b:2,c:3", "/d"},
		{"http://a:1/,http://b:2/", "http://a:1/,http://b:2", "/"},
		{"unix:///run/a:/b:/c", "unix:///run/a", "/b:/c"},
		{"unix:///run/a,unix:///run/b:/c", "unix:///run/a,unix:///run/b", "/c"},
		{"all.jsonl", "all.jsonl", ""},
		{"all.jsonl:/a:/b", "all.jsonl", "/a:/b"},
		{"file:/tmp/all.jsonl", "file:/tmp/all.jsonl", ""},
		{"file:/tmp/all.jsonl:/a", "file:/tmp/all.jsonl", "/a"},
		{"-", "-", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if place, key := splitKey(test.name); place != test.place || key != test.key {
				t.Errorf("got %q and %q, want %q and %q", place, key, test.place, test.key)
			}
		})
	}
}

// TestLooksBinary reads files whose beginning was looked at, from a disk and from a pipe, which can't be read twice.
func TestLooksBinary(t *testing.T) {
	for _, test := range []struct {
		content string
		binary  bool
	}{{"", false}, {`{"key":"/a"}`, false}, {"pando\x00", true}, {strings.Repeat("text ", 2000) + "\x00", false}} {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		onDisk, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer onDisk.Close()
		pipe, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer pipe.Close()
		if _, err := w.WriteString(test.content); err != nil { // less than a pipe takes
			t.Fatal(err)
		}
		w.Close()
		for _, f := range []*os.File{onDisk, pipe} {
			in, binary, err := looksBinary(f)
			if err != nil || binary != test.binary {
				t.Fatalf("%.20q: binary is %v, %v", test.content, binary, err)
			}
			if all, err := io.ReadAll(in); err != nil || string(all) != test.content {
				t.Errorf("%.20q: %d bytes, %v; want %d", test.content, len(all), err, len(test.content))
			}
		}
	}
}
