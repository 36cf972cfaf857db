package ctl

import (
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// TestSlowAnswers: --timeout limits the time until an answer begins; the whole answer may take longer.
func TestSlowAnswers(t *testing.T) {
	t.Parallel()
	const answer = `{"action":"get","node":{"key":"/","dir":true,"nodes":[{"key":"/a","value":"v","modifiedIndex":1,"createdIndex":1}]}}`
	slow := servertest.StartSlowMember(t, 80*time.Millisecond, len(answer), servertest.Split(answer, 20)...) // 1.6 s, and more for the header
	for command, want := range map[string]string{"ls -r": "/a\n", "export": `{"key":"/a","value":"v"}` + "\n",
		"tree --ascii": "/\n`-- a\n\n0 directories, 1 key\n"} {
		t.Run(command, func(t *testing.T) {
			args := append([]string{"--no-sync", "--endpoints", slow, "--timeout", "1200ms"}, strings.Fields(command)...)
			stdout, stderr, code := run(t, args...)
			for try := 1; try < 5 && code == exitServer; try++ { // a busy machine may exceed the time limit
				stdout, stderr, code = run(t, args...)
			}
			if code != exitOK || stdout != want {
				t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
			}
		})
	}
	t.Run("that never begin", func(t *testing.T) {
		late := servertest.StartSlowMember(t, time.Hour, 1)
		_, stderr, code := run(t, "--no-sync", "--endpoints", late, "--timeout", "50ms", "ls")
		if code != exitServer || !strings.Contains(stderr, late+" exceeded header timeout") {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
	t.Run("under --total-timeout", func(t *testing.T) {
		stalled := servertest.StartSlowMember(t, 0, len(answer), answer[:10])
		_, stderr, code := run(t, "--no-sync", "--endpoints", stalled, "--total-timeout", "50ms", "ls")
		if code != exitServer || !strings.Contains(stderr, "deadline exceeded") {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
}

// TestReadingHasTime: only a limit that the user has given ends a read whose answer continues.
func TestReadingHasTime(t *testing.T) {
	for _, test := range []struct {
		globals globals
		limited bool
	}{{globals{totalTimeout: time.Minute}, false}, {globals{totalTimeout: time.Minute, totalTimeoutGiven: true}, true}} {
		ctx, cancel := test.globals.limitedIfSet(t.Context())
		if _, has := ctx.Deadline(); has != test.limited {
			t.Errorf("with %+v it has a deadline: %v", test.globals, has)
		}
		cancel()
	}
}
