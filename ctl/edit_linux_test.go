package ctl

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pando/ctl/client"
	"pando/members/servertest"
)

// editor writes a script that edit runs as the editor, and returns its path. In the script, "pause" waits until resume is called.
func editor(t *testing.T, script string) (path string, resume func(meanwhile func())) {
	t.Helper()
	dir := t.TempDir()
	path = filepath.Join(dir, "editor")
	pause := fmt.Sprintf("pause() { : > %[1]s/paused; while [ ! -e %[1]s/go ]; do sleep 0.02; done; rm %[1]s/go; }\n", dir)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+pause+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path, func(meanwhile func()) {
		t.Helper()
		servertest.Await(t, "the editor to pause", func() bool { return os.Remove(filepath.Join(dir, "paused")) == nil })
		meanwhile()
		if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEdit edits values of a server at a terminal.
func TestEdit(t *testing.T) {
	servertest.SkipShort(t, "it starts a server, and each edit is a process")
	s := startPando(t)
	cl := testClient(t, s.Client)
	value := func(t *testing.T, key string) *client.Node {
		t.Helper()
		e, err := cl.Get(t.Context(), key, client.GetOptions{Quorum: true})
		if err != nil {
			t.Fatal(err)
		}
		return e.Node
	}
	for _, test := range []struct {
		name, old, script, options string
		want, screen               string
		code                       int
	}{
		{"changed", "old", `printf 'new\n' > "$1"`, "", "new", "/key was written", exitOK},
		{"two line breaks", "old", `printf 'new\n\n' > "$1"`, "", "new\n", "/key was written", exitOK},
		{"a line break before", "old\n", `printf 'new\n' > "$1"`, "", "new\n", "/key was written", exitOK},
		{"keep the line break", "old", `printf 'new\n' > "$1"`, "--keep-newline", "new\n", "/key was written", exitOK},
		{"only a line break added", "old", `printf 'old\n' > "$1"`, "", "old", "unchanged", exitOK},
		{"empty", "old", `: > "$1"`, "", "old", "the file is empty", exitOK},
		{"bytes", "\xff\x00", `printf '4 1 # A\n' >> "$1"`, "", "\uFFFD\x00A", "/key was written", exitOK},
		{"text as bytes", "old", `printf '6e6577' > "$1"`, "--hex", "new", "/key was written", exitOK},
		{"a failing editor", "old", `exit 3`, "", "old", "exit status 3", exitBadArguments},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := cl.Put(t.Context(), "/key", test.old, client.PutOptions{TTL: 100}); err != nil {
				t.Fatal(err)
			}
			path, _ := editor(t, test.script)
			term := atTerminal(t, append(strings.Fields("--endpoints "+s.Client+" edit --editor "+path+" "+test.options), "/key")...)
			term.await(test.screen)
			if code := term.end(); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if n := value(t, "/key"); n.Value != test.want || n.TTL < 60 || n.TTL > 100 {
				t.Errorf("the value is %q with TTL %d, want %q", n.Value, n.TTL, test.want)
			}
		})
	}
	t.Run("a killed editor leaves a file", func(t *testing.T) { editKilled(t, s) })
	t.Run("CRLF", func(t *testing.T) { editCRLF(t, s, cl, value) })
	t.Run("conflicts", func(t *testing.T) { editConflicts(t, s, cl, value) })
	t.Run("TTL", func(t *testing.T) {
		path, _ := editor(t, `printf forever > "$1"`)
		term := atTerminal(t, "--endpoints", s.Client, "edit", "--editor", path, "--ttl", "0", "/key")
		if code := term.end(); code != exitOK || value(t, "/key").Expiration != nil {
			t.Errorf("exit code %d, %+v", code, value(t, "/key"))
		}
	})
	t.Run("create", func(t *testing.T) { editNewKey(t, s, value) })
	t.Run("CTRL+C is for the editor", func(t *testing.T) {
		path, resume := editor(t, `trap '' INT; pause; printf after > "$1"`)
		term := atTerminal(t, "--endpoints", s.Client, "edit", "--editor", path, "/key")
		resume(func() { term.press(ctrlC + ctrlC) })
		if code := term.end(); code != exitOK || value(t, "/key").Value != "after" {
			t.Errorf("exit code %d, %+v", code, value(t, "/key"))
		}
	})
}

// editKilled runs an editor that is killed, and has its text in another file.
func editKilled(t *testing.T, s *server) {
	path, _ := editor(t, `echo typed > "${1%/*}/.key.swp"; kill -9 $$`)
	term := atTerminal(t, "--endpoints", s.Client, "edit", "--editor", path, "/key")
	term.await("may be in them")
	if code := term.end(); code != exitBadArguments {
		t.Errorf("exit code %d", code)
	}
	dir := regexp.MustCompile(`has left files in ([^; ]+);`).FindStringSubmatch(term.screen.String())[1]
	if data, err := os.ReadFile(filepath.Join(dir, ".key.swp")); err != nil || string(data) != "typed\n" {
		t.Errorf("the file has %q, %v", data, err)
	}
	os.RemoveAll(dir)
}

// editCRLF edits a value of several lines, which end as in Windows.
func editCRLF(t *testing.T, s *server, cl *client.Client, value func(*testing.T, string) *client.Node) {
	if _, err := cl.Put(t.Context(), "/key", "a\r\nb", client.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	path, _ := editor(t, `printf 'a\r\nc\r\n' > "$1"`)
	term := atTerminal(t, "--endpoints", s.Client, "edit", "--editor", path, "/key")
	if code := term.end(); code != exitOK || value(t, "/key").Value != "a\r\nc" {
		t.Errorf("exit code %d, %+v", code, value(t, "/key"))
	}
}

// editNewKey edits a key that does not exist, and a directory.
func editNewKey(t *testing.T, s *server, value func(*testing.T, string) *client.Node) {
	path, _ := editor(t, `printf 'made\n' > "$1"`)
	term := atTerminal(t, "--endpoints", s.Client, "edit", "--editor", path, "/new/key")
	term.await("--create makes it")
	if code := term.end(); code != exitServer {
		t.Errorf("exit code %d", code)
	}
	term = atTerminal(t, "--endpoints", s.Client, "edit", "--editor", path, "--create", "/new/key")
	if code := term.end(); code != exitOK || value(t, "/new/key").Value != "made" {
		t.Errorf("exit code %d, %+v", code, value(t, "/new/key"))
	}
	term = atTerminal(t, "--endpoints", s.Client, "edit", "--editor", path, "/new")
	term.await("/new is a directory")
}

// editConflicts edits a key that is changed meanwhile.
func editConflicts(t *testing.T, s *server, cl *client.Client, value func(*testing.T, string) *client.Node) {
	named := regexp.MustCompile(`the text is in (\S+)`)
	for _, test := range []struct {
		name, keys, want string
		remove           bool
		code             int
	}{
		{"overwrite", "o\n", "mine", false, exitOK},
		{"edit again", "e\n", "mine", false, exitOK},
		{"quit", "x\nq\n", "theirs", false, exitServer},
		{"CTRL+C", ctrlC, "theirs", false, exitInterrupted},
		{"removed", "o\n", "mine", true, exitOK},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := cl.Put(t.Context(), "/key", "old", client.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			path, resume := editor(t, `printf 'mine\n' > "$1"; pause`)
			term := atTerminal(t, "--endpoints", s.Client, "edit", "--editor", path, "/key")
			resume(func() {
				var err error
				if test.remove {
					_, err = cl.Delete(t.Context(), "/key", client.DeleteOptions{})
				} else {
					_, err = cl.Put(t.Context(), "/key", "theirs", client.PutOptions{})
				}
				if err != nil {
					t.Fatal(err)
				}
			})
			term.await("[q]uit?")
			if screen := term.screen.String(); !test.remove && (!strings.Contains(screen, "-theirs") || !strings.Contains(screen, "+mine")) {
				t.Errorf("the screen shows %q", screen)
			}
			term.press(test.keys)
			if test.name == "edit again" {
				resume(func() {})
			}
			if code := term.end(); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if n := value(t, "/key"); n.Value != test.want {
				t.Errorf("the value is %q, want %q", n.Value, test.want)
			}
			if test.code == exitOK {
				return
			}
			term.await("the text is in ")
			file := named.FindStringSubmatch(term.screen.String())[1]
			info, err := os.Stat(file)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("%v, %v", info, err)
			}
			if data, err := os.ReadFile(file); err != nil || string(data) != "mine\n" {
				t.Errorf("the file has %q, %v", data, err)
			}
			os.RemoveAll(filepath.Dir(file))
		})
	}
}

func TestEditWithoutTerminal(t *testing.T) {
	url, _ := fixed(t, http.StatusOK, `{}`)
	if _, stderr, code := run(t, "--no-sync", "--endpoints", url, "edit", "/a"); code != exitBadArguments ||
		!strings.Contains(stderr, "edit needs a terminal") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

func TestHexLines(t *testing.T) {
	var all strings.Builder
	for i := range 256 {
		all.WriteByte(byte(i))
	}
	for _, value := range []string{"", "a", all.String(), "#\n#"} {
		if got, err := parseHexLines(hexLines(value)); err != nil || got != value {
			t.Errorf("%q, %v, want %q", got, err, value)
		}
	}
	if _, err := parseHexLines("4x"); err == nil {
		t.Error("4x is accepted")
	}
}

func TestFileName(t *testing.T) {
	for key, want := range map[string]string{
		"/a/app.yml": "app.yml", "x": "x", "/a/.hidden": "hidden", "/a/ü b;$(c)": "__b___c_", "/..": "value", "/": "value",
		"/-rf": "rf", "/" + strings.Repeat("a", 300) + ".json": strings.Repeat("a", 95) + ".json",
	} {
		if got := fileName(key); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}
