package ctl

import (
	"net/http"
	"strings"
	"testing"
)

// TestCredentialsAdvice: on a terminal, a refusal because of the credentials is followed by advice. In a pipe it is not.
func TestCredentialsAdvice(t *testing.T) {
	url, _ := fixed(t, http.StatusUnauthorized,
		`{"errorCode":110,"message":"The request requires user authentication","cause":"Insufficient credentials","index":0}`)
	for _, test := range []struct{ args, want string }{
		{"get /a", "give them with --username NAME"},
		{"member add m http://127.0.0.1:1", "give them with --username NAME"},
		{"user list", "give them with --username NAME"},
		{"-u ann:s3cret get /a", "The password of ann is wrong, or ann lacks the permission."},
	} {
		t.Run(test.args, func(t *testing.T) {
			args := append([]string{"--no-sync", "--endpoints", url}, strings.Fields(test.args)...)
			term := atTerminal(t, args...)
			term.await(test.want)
			if code := term.end(); code == exitOK || strings.Contains(term.screen.String(), "s3cret") {
				t.Errorf("exit code %d", code)
			}
			if _, stderr, _ := run(t, args...); strings.Contains(stderr, "--username") || strings.Contains(stderr, "The password") {
				t.Errorf("in a pipe it printed %q", stderr)
			}
		})
	}
}

// TestWarningsAtTerminal: on a terminal there are warnings of mistakes, unless they are turned off. TestOwnTranscripts shows them all.
func TestWarningsAtTerminal(t *testing.T) {
	url, _ := fixed(t, http.StatusOK, `{"action":"delete","node":{"key":"/a"},"prevNode":{"key":"/a","value":"v"}}`)
	const warning = `Warning: rm takes one key, here "/a"; ignored: ["/b"]`
	for _, test := range []struct {
		options string
		warned  bool
	}{{"", true}, {"--warnings off", false}} {
		t.Run(test.options, func(t *testing.T) {
			term := atTerminal(t, append(strings.Fields(test.options), "--no-sync", "--endpoints", url, "rm", "/a", "/b")...)
			term.await("PrevNode.Value: v")
			if code := term.end(); code != exitOK {
				t.Errorf("exit code %d", code)
			}
			if screen := term.screen.String(); strings.Contains(screen, warning) != test.warned {
				t.Errorf("the screen shows %q", screen)
			}
		})
	}
}
