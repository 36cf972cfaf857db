package ctl

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// run runs the client in the process of the test.
func run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errOut lockedBuffer
	code = Main(t.Context(), append([]string{"etcdctl"}, args...), strings.NewReader(""), &out, &errOut, Host{})
	return out.String(), errOut.String(), code
}

// fixed starts a member that answers every request with the same status and body, and counts the requests.
func fixed(t *testing.T, status int, body string) (string, *atomic.Int64) {
	t.Helper()
	var count atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		count.Add(1)
		if status == 0 { // accepts the request and breaks off
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL, &count
}

// TestRepetition: a request that may have been carried out is repeated only if that is harmless.
func TestRepetition(t *testing.T) {
	for _, test := range []struct {
		args  string
		total int64 // requests to two members that break off
	}{
		{"get /a", 2},
		{"ls /", 2},
		{"set /a b", 2},
		{"update /a b", 2},
		{"updatedir /a", 2},
		{"set --swap-with-value x /a b", 1},
		{"set --swap-with-index 7 /a b", 1},
		{"mk /a b", 1},
		{"mk --in-order /a b", 1},
		{"mkdir /a", 1},
		{"setdir /a", 1},
		{"rm /a", 1},
		{"rmdir /a", 1},
		{"member add x http://127.0.0.1:1", 1},
	} {
		t.Run(test.args, func(t *testing.T) {
			one, first := fixed(t, 0, "")
			two, second := fixed(t, 0, "")
			_, stderr, code := run(t, append([]string{"--no-sync", "--endpoints", one + "," + two}, strings.Fields(test.args)...)...)
			if code == exitOK || stderr == "" {
				t.Errorf("exit code %d, %q", code, stderr)
			}
			if got := first.Load() + second.Load(); got != test.total {
				t.Errorf("%d requests, want %d", got, test.total)
			}
			if !strings.Contains(stderr, one) && !strings.Contains(stderr, two) {
				t.Errorf("no endpoint is named in %q", stderr)
			}
		})
		t.Run(test.args+" after an unreachable member", func(t *testing.T) {
			live, count := fixed(t, http.StatusBadRequest, `{"errorCode":209,"message":"m","cause":"c","index":1}`)
			run(t, append([]string{"--no-sync", "--endpoints", "http://127.0.0.1:1," + live}, strings.Fields(test.args)...)...)
			if count.Load() == 0 {
				t.Error("the live member was not asked")
			}
		})
	}
}

// TestServerErrors: after the error of a member the next one is asked; if all fail, the error names them.
func TestServerErrors(t *testing.T) {
	for status, want := range map[int]string{
		500: "has no leader", 503: "has no leader", 502: "returns server error [Bad Gateway]", 599: "returns server error []",
	} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			failing, failed := fixed(t, status, "")
			live, _ := fixed(t, http.StatusOK, `{"action":"get","node":{"key":"/a","value":"v","modifiedIndex":1,"createdIndex":1}}`)
			for failed.Load() == 0 { // the order of the endpoints is random
				if stdout, stderr, code := run(t, "--no-sync", "--endpoints", failing+","+live, "get", "/a"); code != exitOK || stdout != "v\n" {
					t.Fatalf("exit code %d, %q, %q", code, stdout, stderr)
				}
			}
			_, stderr, code := run(t, "--no-sync", "--endpoints", failing, "get", "/a")
			if code != exitServer || !strings.Contains(stderr, "etcd member "+failing+" "+want) {
				t.Errorf("exit code %d, %q, want %q", code, stderr, want)
			}
		})
	}
}

// TestUnconnected: the exit code is 2 if no member accepts a connection. A member that resets the connection has accepted it.
func TestUnconnected(t *testing.T) {
	resetting := closingServer(t, func(c net.Conn) {
		c.Read(make([]byte, 1))
		c.(*net.TCPConn).SetLinger(0)
	})
	for endpoint, want := range map[string]int{"http://127.0.0.1:1": exitBadConnection, "http://" + resetting: exitServer} {
		if _, stderr, code := run(t, "--endpoints", endpoint, "get", "/a"); code != want || !strings.Contains(stderr, endpoint[7:]) {
			t.Errorf("%s: exit code %d, want %d, %q", endpoint, code, want, stderr)
		}
	}
}

// TestRedirects: up to ten redirects are followed, with the method and body of the request.
func TestRedirects(t *testing.T) {
	var asked []string
	var location string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path+" "+r.FormValue("value"))
		switch {
		case r.URL.Path == "/there":
			fmt.Fprint(w, `{"action":"set","node":{"key":"/a","value":"v","modifiedIndex":1,"createdIndex":1}}`)
		case location != "":
			w.Header().Set("Location", location)
			fallthrough
		default:
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	}))
	defer s.Close()
	for _, test := range []struct {
		name, location string
		requests       int
		want           string // in stderr; empty: success
	}{
		{"once", "/there", 2, ""},
		{"for ever", "/again", 11, "too many redirects"},
		{"nowhere", "", 1, "location header not set"},
		{"to what is no URL", "http://%zz", 1, "location header not valid URL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked, location = nil, test.location
			_, stderr, code := run(t, "--no-sync", "--endpoints", s.URL, "set", "/a", "v")
			if len(asked) != test.requests || asked[len(asked)-1][:4] != "PUT " || !strings.HasSuffix(asked[len(asked)-1], " v") {
				t.Errorf("asked for %q, want %d requests", asked, test.requests)
			}
			if (code == exitOK) != (test.want == "") || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, %q", code, stderr)
			}
		})
	}
	t.Run("to an unreachable member, of what must not happen twice", func(t *testing.T) {
		live, count := fixed(t, http.StatusOK, `{"action":"create","node":{"key":"/a","value":"v","modifiedIndex":1,"createdIndex":1}}`)
		location = "http://127.0.0.1:1/"
		for range 6 { // the order of the endpoints is random
			if _, stderr, code := run(t, "--no-sync", "--endpoints", s.URL+","+live, "mk", "/a", "v"); code != exitOK {
				t.Fatalf("exit code %d, %q", code, stderr)
			}
		}
		if count.Load() != 6 {
			t.Errorf("the live member was asked %d times", count.Load())
		}
	})
}

// TestWatchCleared: with --forever, a cleared history is noted, the keys are read again, and the watch continues.
func TestWatchCleared(t *testing.T) {
	var step atomic.Int64
	var resumed atomic.Value
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Etcd-Index", "5000")
		switch step.Add(1) {
		case 1:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"errorCode":401,"message":"cleared","cause":"[4001/11]","index":5000}`)
		case 2:
			fmt.Fprint(w, `{"action":"get","node":{"key":"/w","dir":true,"nodes":[`+
				`{"key":"/w/new","value":"3","modifiedIndex":4000,"createdIndex":4000},`+
				`{"key":"/w/first","value":"0","modifiedIndex":11,"createdIndex":11},`+
				`{"key":"/w/old","value":"1","modifiedIndex":10,"createdIndex":10},`+
				`{"key":"/w/mid","value":"2","modifiedIndex":30,"createdIndex":30}]}}`)
		case 3:
			resumed.Store(r.URL.Query().Get("waitIndex"))
			fmt.Fprint(w, `{"action":"set","node":{"key":"/w/new","value":"4","modifiedIndex":5003,"createdIndex":5003}}`)
		default:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"errorCode":209,"message":"end","cause":"","index":1}`)
		}
	}))
	defer s.Close()
	stdout, stderr, code := run(t, "--no-sync", "--endpoints", s.URL, "watch", "-f", "--after-index", "10", "--recursive", "/w")
	if want := "[get] /w/first\n0\n[get] /w/mid\n2\n[get] /w/new\n3\n[set] /w/new\n4\n"; stdout != want {
		t.Errorf("got %q, want %q", stdout, want)
	}
	if resumed.Load() != "5001" {
		t.Errorf("went on at %v, want 5001", resumed.Load())
	}
	if !strings.Contains(stderr, "3 keys changed since") || code != exitServer {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

// TestWatchResumes: a watch that was interrupted before its first event resumes at the index where it began.
func TestWatchResumes(t *testing.T) {
	var step atomic.Int64
	var asked [4]string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := step.Add(1)
		asked[n-1] = r.URL.Query().Get("waitIndex")
		w.Header().Set("X-Etcd-Index", "70")
		switch n {
		case 1: // accepted, then interrupted
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case 2: // ended without an event
		case 3: // a member without a leader
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			fmt.Fprint(w, `{"action":"set","node":{"key":"/w","value":"v","modifiedIndex":71,"createdIndex":71}}`)
		}
	}))
	defer s.Close()
	stdout, stderr, code := run(t, "--no-sync", "--endpoints", s.URL, "watch", "/w")
	if stdout != "v\n" || code != exitOK {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	if want := [4]string{"0", "71", "71", "71"}; asked != want {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	if strings.Count(stderr, "interrupted") != 1 {
		t.Errorf("noted as %q", stderr)
	}
}

// brokenPipe is a pipe whose reader has ended.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}
}

func TestBrokenPipeIsQuiet(t *testing.T) {
	url, _ := fixed(t, http.StatusOK, `{"action":"get","node":{"key":"/a","value":"v","modifiedIndex":1,"createdIndex":1}}`)
	for _, command := range []string{"get /a", "ls /a", "watch -f /a"} {
		var stderr lockedBuffer
		args := append([]string{"etcdctl", "--no-sync", "--endpoints", url}, strings.Fields(command)...)
		if code := Main(t.Context(), args, strings.NewReader(""), brokenPipe{}, &stderr, Host{}); code == exitOK || stderr.Len() > 0 {
			t.Errorf("%s: exit code %d, %q", command, code, stderr.String())
		}
	}
}

func TestUnknownCommandSuggests(t *testing.T) {
	for given, want := range map[string]string{
		"gte": "get", "updat": "update", "exec-wach": "exec-watch", "cluster": "cluster-health", "zzzzzz": "",
		"lsx": "ls", "put-value": "", "rn": "rm", "put": "", "x": "", "mkdri": "mkdir", "updatdri": "updatedir", "wathc-exec": "exec-watch",
	} {
		text := "No help topic for '" + given + "'\n"
		if want != "" {
			text += "Did you mean '" + want + "'?\n"
		}
		err, _ := errors.AsType[*failure](unknownCommand(given, (&program{}).commands()))
		if err.text != text || err.code != exitUnknown {
			t.Errorf("%s: exit code %d, %q, want %q", given, err.code, err.text, text)
		}
	}
}

// TestEveryCommandHasExamples: the help of each command has examples.
func TestEveryCommandHasExamples(t *testing.T) {
	for _, c := range (&program{name: "etcdctl"}).commands() {
		for _, leaf := range append(c.Subcommands, c) {
			if len(leaf.Subcommands) == 0 && leaf.Name != "help" && !strings.Contains(leaf.Description, "EXAMPLES:") {
				t.Errorf("%s has no examples", leaf.Name)
			}
		}
	}
}

// TestEndpointForms: all commands accept the same forms of an endpoint.
func TestEndpointForms(t *testing.T) {
	s := startPando(t)
	s.must(t, "set", "/a", "v")
	bare := strings.TrimPrefix(s.Client, "http://")
	for command, wrong := range map[string]int{
		"get /a": exitBadArguments, "member list": exitBadArguments, "cluster-health": exitServer, "endpoint status": exitBadArguments,
		"import --from ENDPOINT": exitBadArguments, "bench put --total 1": exitBadArguments,
	} {
		for endpoint, option := range map[string]string{s.Client: "--endpoints", bare: "--endpoint", " " + bare + " ": "--peers",
			"," + bare + ",": "-C"} {
			t.Run(command+" "+option+endpoint, func(t *testing.T) {
				args := []string{"--no-sync", option, endpoint}
				for _, word := range strings.Fields(command) {
					args = append(args, strings.ReplaceAll(word, "ENDPOINT", endpoint))
				}
				if _, stderr, code := run(t, args...); code != exitOK {
					t.Errorf("exit code %d, %q", code, stderr)
				}
			})
		}
		t.Run(command+" without any", func(t *testing.T) {
			_, stderr, code := run(t, append([]string{"--endpoints", ","}, strings.Fields(command)...)...)
			if code != wrong || !strings.Contains(stderr, "names no endpoint") {
				t.Errorf("exit code %d, %q", code, stderr)
			}
		})
	}
}
