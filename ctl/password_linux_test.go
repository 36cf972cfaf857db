package ctl

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// authRecorder is a member that accepts every request about users, and records requests with their credentials.
type authRecorder struct {
	url      string
	mu       sync.Mutex
	requests []string
}

func startAuthRecorder(t *testing.T) *authRecorder {
	t.Helper()
	a := &authRecorder{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		a.mu.Lock()
		defer a.mu.Unlock()
		a.requests = append(a.requests, fmt.Sprintf("%s %s %s:%s %s", r.Method, r.URL.Path, user, password, body))
		fmt.Fprint(w, `{"user":"ann","roles":[]}`)
	}))
	t.Cleanup(s.Close)
	a.url = s.URL
	return a
}

// last returns the last request.
func (a *authRecorder) last() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.requests) == 0 {
		return ""
	}
	return a.requests[len(a.requests)-1]
}

// TestPasswordAtTerminal: a password is read once, without echo, as by the legacy client.
func TestPasswordAtTerminal(t *testing.T) {
	const secret = "s3cret-pw"
	for _, test := range []struct {
		name, args, keys string
		screen           string // after the prompt
		request          string // the last request
		code             int
	}{
		{"new user", "user add ann", secret + "\n", "New password: \r\nUser ann created\r\n",
			`PUT /v2/auth/users/ann : {"user":"ann","password":"` + secret + `","roles":null}`, exitOK},
		{"new password", "user passwd ann", secret + "\n", "New password: \r\nPassword updated\r\n",
			`PUT /v2/auth/users/ann : {"user":"ann","password":"` + secret + `","roles":null}`, exitOK},
		{"corrected", "user add ann", "wrong\x15x\x7f" + secret + "\n", "New password: \r\nUser ann created\r\n",
			`PUT /v2/auth/users/ann : {"user":"ann","password":"` + secret + `","roles":null}`, exitOK},
		{"credentials", "-u root user list", secret + "\n", "Password: \r\n", "GET /v2/auth/users root:" + secret + " ", exitOK},
		{"credentials of auth enable", "-u root auth enable", secret + "\n", "Password: \r\nAuthentication Enabled\r\n",
			"PUT /v2/auth/enable root:" + secret + " ", exitOK},
	} {
		t.Run(test.name, func(t *testing.T) {
			member := startAuthRecorder(t)
			term := atTerminal(t, append([]string{"--no-sync", "--endpoints", member.url}, strings.Fields(test.args)...)...)
			term.await("assword: ")
			awaitNoEcho(t, term)
			term.press(test.keys)
			if code := term.end(); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			term.await(test.screen)
			if screen := term.screen.String(); screen != test.screen || strings.Contains(screen, secret) {
				t.Errorf("the screen shows %q, want %q", screen, test.screen)
			}
			if last := member.last(); last != test.request {
				t.Errorf("the last request is %q, want %q", last, test.request)
			}
			if !term.echoes() {
				t.Error("the terminal no longer shows what is typed")
			}
		})
	}
}

// TestPasswordsAreHidden: no output of --debug holds a password.
func TestPasswordsAreHidden(t *testing.T) {
	const secret = "s3cret-pw"
	member := startAuthRecorder(t)
	for _, args := range []string{"user add ann:" + secret, "-u root:" + secret + " user passwd ann", "-u root:" + secret + " user list",
		"-u root:" + secret + " auth enable", "-u root:" + secret + " get /a"} {
		t.Run(args, func(t *testing.T) {
			var stdout, stderr lockedBuffer
			args := append([]string{"etcdctl", "--debug", "--endpoints", member.url}, strings.Fields(args)...)
			Main(t.Context(), args, strings.NewReader(secret+"\n"), &stdout, &stderr, Host{})
			if said := stdout.String() + stderr.String(); strings.Contains(said, secret) || !strings.Contains(said, "curl -X") {
				t.Errorf("it printed %q", said)
			}
		})
	}
}
