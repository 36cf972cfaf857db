package ctl

import (
	"slices"
	"strings"
	"testing"

	"pando/members/servertest"
)

// TestWatchLosesPermission: a watch whose user loses the permission ends with the error of the API, and is not resumed.
func TestWatchLosesPermission(t *testing.T) {
	s := startPando(t)
	for _, args := range []string{
		"user add root:pw", "user add ann:ann-pw", "role add r", "role grant r --path /w* --rw", "user grant ann --roles r", "auth enable",
		"-u root:pw role revoke guest --path /* --rw",
	} {
		s.must(t, strings.Fields(args)...)
	}
	commands := []string{"watch -f /w", "watch /w", "exec-watch -r /w -- true", "elect --listen /w/e"}
	results := make(chan string, len(commands))
	for _, command := range commands {
		go func() {
			var stdout, stderr lockedBuffer
			args := slices.Concat([]string{"etcdctl", "--endpoints", s.Client, "-u", "ann:ann-pw"}, strings.Fields(command))
			if code := Main(t.Context(), args, strings.NewReader(""), &stdout, &stderr, Host{}); code != exitServer {
				results <- command + ": " + stderr.String()
				return
			}
			results <- stderr.String()
		}()
	}
	servertest.Await(t, "the watches", func() bool { return s.Watchers() == len(commands) })
	s.must(t, "-u", "root:pw", "user", "revoke", "ann", "--roles", "r")
	for range commands {
		if said := <-results; said != "Error:  110: The request requires user authentication (Insufficient credentials) [0]\n" {
			t.Errorf("it printed %q", said)
		}
	}
}
