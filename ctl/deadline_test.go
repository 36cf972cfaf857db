package ctl

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

// slowly is a member whose answer comes in pieces with a pause before each; the first is the header's. After the last piece
// it hangs if the pieces are fewer than the announced bytes.
func slowly(t *testing.T, pause time.Duration, size int, pieces ...string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(pause):
		case <-r.Context().Done():
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", fmt.Sprint(size))
		for _, piece := range pieces {
			w.(http.Flusher).Flush()
			<-time.After(pause)
			io.WriteString(w, piece)
		}
		if size > len(strings.Join(pieces, "")) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// pieces splits a text into n.
func pieces(text string, n int) []string {
	var all []string
	for i := range n {
		all = append(all, text[i*len(text)/n:(i+1)*len(text)/n])
	}
	return all
}

// TestSlowAnswers: --timeout is for the beginning of an answer; the whole of it may take longer.
func TestSlowAnswers(t *testing.T) {
	const answer = `{"action":"get","node":{"key":"/","dir":true,"nodes":[{"key":"/a","value":"v","modifiedIndex":1,"createdIndex":1}]}}`
	slow := slowly(t, 60*time.Millisecond, len(answer), pieces(answer, 20)...)
	for command, want := range map[string]string{"ls -r": "/a\n", "export": `{"key":"/a","value":"v"}` + "\n", "tree --ascii": "/\n`-- a\n\n0 directories, 1 key\n"} {
		t.Run(command, func(t *testing.T) {
			args := append([]string{"--no-sync", "--endpoints", slow, "--timeout", "600ms"}, strings.Fields(command)...)
			if stdout, stderr, code := run(t, args...); code != exitOK || stdout != want {
				t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
			}
		})
	}
	t.Run("that never begin", func(t *testing.T) {
		late := slowly(t, time.Hour, 1)
		_, stderr, code := run(t, "--no-sync", "--endpoints", late, "--timeout", "50ms", "ls")
		if code != exitServer || !strings.Contains(stderr, late+" exceeded header timeout") {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
	t.Run("under --total-timeout", func(t *testing.T) {
		stalled := slowly(t, 0, len(answer), answer[:10])
		_, stderr, code := run(t, "--no-sync", "--endpoints", stalled, "--total-timeout", "50ms", "ls")
		if code != exitServer || !strings.Contains(stderr, "deadline exceeded") {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
	t.Run("that stop in the middle", func(t *testing.T) {
		stalled := slowly(t, 0, len(answer), answer[:10])
		cl := testClient(t, stalled)
		cl.bodyTimeout = 50 * time.Millisecond
		_, err := cl.read(t.Context(), "/", readOptions{})
		if err == nil || !strings.Contains(err.Error(), stalled+" sent nothing for 50ms in the middle of its answer") {
			t.Errorf("got %v", err)
		}
	})
}

// TestSlowReaders: the time in which a program does not read is not the member's.
func TestSlowReaders(t *testing.T) {
	const limit = 50 * time.Millisecond
	d := startDeadline(t.Context(), limit, errors.New("no header"))
	defer d.stop()
	body := d.body(io.NopCloser(strings.NewReader("abc")), limit, errors.New("stalled"))
	for _, want := range []string{"a", "b", "c"} {
		piece := make([]byte, 1)
		if _, err := body.Read(piece); err != nil || string(piece) != want {
			t.Fatalf("got %q, %v", piece, err)
		}
		<-time.After(2 * limit)
	}
	if err := context.Cause(d.ctx); err != nil {
		t.Errorf("the exchange ended: %v", err)
	}
}

// TestHangingSnapshot: a snapshot is given up when the member does not begin, or stops; else it may take its time.
func TestHangingSnapshot(t *testing.T) {
	const short, long = 100 * time.Millisecond, 30 * time.Second
	for _, test := range []struct {
		name         string
		url          string
		begin, pause time.Duration
		want         string // in the error; empty: none
	}{
		{"slow", slowly(t, 60*time.Millisecond, 20, pieces("0123456789abcdefghij", 20)...), 600 * time.Millisecond, 600 * time.Millisecond, ""},
		{"never begins", slowly(t, time.Hour, 1), short, long, "no answer began within 100ms"},
		{"stops", slowly(t, 0, 10, "0123"), long, short, "broke off after 4 B: nothing more came for 100ms"},
		{"stops without a limit for the beginning", slowly(t, 0, 10, "0123"), 0, short, "nothing more came for 100ms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.snap")
			request, err := http.NewRequest(http.MethodGet, test.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			d := &Download{File: file, Transport: testTransport, Progress: io.Discard, Begin: test.begin, Pause: test.pause}
			_, err = d.Save(request)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) != (test.want != "") {
				t.Errorf("the file: %v", err)
			}
		})
	}
	t.Run("goes to the next member", func(t *testing.T) {
		hanging, good := slowly(t, time.Hour, 1), slowly(t, 0, 4, "good")
		file := filepath.Join(t.TempDir(), "x.snap")
		for range 6 { // the order is a matter of chance
			stdout, stderr, code := run(t, "--no-sync", "--timeout", "500ms", "--endpoints", hanging+","+good, "snapshot", "save", file)
			if code != exitOK || !strings.HasSuffix(stdout, "from "+good+"\n") {
				t.Fatalf("exit code %d, %q, %q", code, stdout, stderr)
			}
		}
	})
}

// TestReadingHasTime holds that only a limit that the user has set ends a read whose answer goes on.
func TestReadingHasTime(t *testing.T) {
	for _, test := range []struct {
		args    []string
		limited bool
	}{{nil, false}, {[]string{"--total-timeout", "7s"}, true}} {
		set := flag.NewFlagSet("", flag.ContinueOnError)
		set.Duration(totalTimeoutFlag, 5*time.Second, "")
		if err := set.Parse(test.args); err != nil {
			t.Fatal(err)
		}
		c := cli.NewContext(cli.NewApp(), set, &cli.Context{Context: t.Context()})
		ctx, cancel := reading(c)
		if _, has := ctx.Deadline(); has != test.limited {
			t.Errorf("with %q it has a deadline: %v", test.args, has)
		}
		cancel()
	}
}
