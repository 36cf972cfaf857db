package ctl

import (
	"encoding/json"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pando/ctl/top"
	"pando/members/servertest"
)

// resize changes the size of the terminal.
func (term *seat) resize(width, height uint16) {
	term.t.Helper()
	if err := unix.IoctlSetWinsize(int(term.line.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: width, Row: height}); err != nil {
		term.t.Fatal(err)
	}
}

func TestTop(t *testing.T) {
	servertest.SkipShort(t, "it starts servers")
	bothServers(t, func(t *testing.T, s *server) {
		s.must(t, "set", "/config/a", "v")
		t.Run("once", func(t *testing.T) {
			out := s.must(t, "top", "--once", "--interval", "200ms")
			if !strings.Contains(out, "1 of 1 members up   leader default") || !strings.Contains(out, "NAME     ROLE    READS/S") {
				t.Errorf("it printed\n%s", out)
			}
		})
		t.Run("JSON", func(t *testing.T) {
			var r top.Report
			out := s.must(t, "-o", "json", "top", "--once", "--interval", "200ms", "/config")
			if err := json.Unmarshal([]byte(out), &r); err != nil || r.Up != 1 || r.Members[0].Role != "leader" || r.Members[0].Reads == nil {
				t.Errorf("%v, %s", err, out)
			}
		})
		for name, key := range map[string]string{"q": "q", "CTRL+C": ctrlC} {
			t.Run(name, func(t *testing.T) {
				term := atTerminal(t, "--endpoints", s.Client, "top", "--interval", "100ms", "--depth", "1")
				term.resize(200, 20)
				term.await("leader default")
				servertest.Await(t, "the events", func() bool {
					s.must(t, "set", "/config/a", "v")
					return strings.Contains(term.screen.String(), "%  /config")
				})
				if term.echoes() {
					t.Error("the terminal shows what is typed")
				}
				shown := term.screen.Len()
				term.resize(20, 5)
				servertest.Await(t, "a smaller screen", func() bool {
					frames := strings.Split(term.screen.String()[shown:], "\x1b[H")
					return len(frames) > 2 && strings.Count(frames[len(frames)-2], "\n") == 4
				})
				term.press(key)
				if code := term.end(); code != exitOK {
					t.Errorf("exit code %d", code)
				}
				term.await("\x1b[?1049l") // the screen that was there before
				if !term.echoes() {
					t.Error("the terminal no longer shows what is typed")
				}
			})
		}
	})
}

func TestTopRefused(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"top", "top needs a terminal"}, {"top --once a b", "takes one key"}, {"top --once -i 1ms", "must be 100ms or more"},
		{"top --once --depth 0", "--depth counts levels"}, {"top --once -o extended", "it takes -o simple or json"},
		{"--endpoints http://127.0.0.1:1 top --once -i 100ms", "no member responds at http://127.0.0.1:1"},
	} {
		t.Run(test.args, func(t *testing.T) {
			if _, stderr, code := run(t, strings.Fields(test.args)...); code == exitOK || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, %q", code, stderr)
			}
		})
	}
}
