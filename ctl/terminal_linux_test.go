package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pando/members/servertest"
)

// seat is a terminal on which the client runs, as a user sees and uses it.
type seat struct {
	t      *testing.T
	keys   *os.File // the user's side
	line   *os.File // the program's side
	screen lockedBuffer
	cmd    *exec.Cmd
}

// atTerminal starts the client on a terminal.
func atTerminal(t *testing.T, args ...string) *seat {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keys.Close() })
	control := keys.Fd()
	if err := unix.IoctlSetPointerInt(int(control), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(control), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	line, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { line.Close() })
	term := &seat{t: t, keys: keys, line: line, cmd: programs["ours"](t)}
	logOnFailure(t, &term.screen)
	term.cmd.Args = append(term.cmd.Args, args...)
	term.cmd.Stdin, term.cmd.Stdout, term.cmd.Stderr = line, line, line
	term.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := term.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { term.cmd.Process.Kill() })
	go func() {
		buffer := make([]byte, 1024)
		for {
			n, err := keys.Read(buffer)
			if err != nil {
				return
			}
			term.screen.Write(buffer[:n])
		}
	}()
	return term
}

// await waits until the screen shows a text.
func (term *seat) await(text string) {
	term.t.Helper()
	servertest.Await(term.t, "the screen to show "+text, func() bool { return strings.Contains(term.screen.String(), text) })
}

// press types keys.
func (term *seat) press(keys string) {
	term.t.Helper()
	if _, err := term.keys.WriteString(keys); err != nil {
		term.t.Fatal(err)
	}
}

// end waits for the client and returns its exit code, -1 if a signal ended it.
func (term *seat) end() int {
	term.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- term.cmd.Wait() }()
	var err error
	servertest.Await(term.t, "the client to end", func() bool {
		select {
		case err = <-ended:
			return true
		default:
			return false
		}
	})
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return 0
}

// echoes reports whether the terminal shows what is typed.
func (term *seat) echoes() bool {
	state, err := unix.IoctlGetTermios(int(term.line.Fd()), unix.TCGETS)
	return err == nil && state.Lflag&unix.ECHO != 0
}

// awaitNoEcho waits until the terminal hides what is typed.
func awaitNoEcho(t *testing.T, term *seat) {
	t.Helper()
	servertest.Await(t, "the terminal to hide what is typed", func() bool { return !term.echoes() })
}

const ctrlC, ctrlD = "\x03", "\x04"

// TestReadingATerminal: a command that reads from a terminal says so, and one CTRL+C ends it.
func TestReadingATerminal(t *testing.T) {
	url, _ := fixed(t, 200, `{"action":"get","node":{"key":"/a","value":"v","modifiedIndex":1,"createdIndex":1}}`)
	for _, test := range []struct{ args, prompt string }{
		{"set /a", "reading the value from the terminal"},
		{"mk /a", "reading the value from the terminal"},
		{"update /a", "reading the value from the terminal"},
		{"import", "reading the export from the terminal"},
		{"-u ann get /a", "Password: "},
		{"-u ann bench put", "Password: "},
		{"-u ann user list", "Password: "},
		{"user add ann", "New password: "},
		{"user passwd ann", "New password: "},
	} {
		t.Run(test.args, func(t *testing.T) {
			term := atTerminal(t, append([]string{"--no-sync", "--endpoints", url}, strings.Fields(test.args)...)...)
			term.await(test.prompt)
			term.press(ctrlC)
			if code := term.end(); code != exitInterrupted {
				t.Errorf("exit code %d, want %d\n%s", code, exitInterrupted, term.screen.String())
			}
			if !term.echoes() {
				t.Error("the terminal no longer shows what is typed")
			}
		})
	}
	t.Run("to its end", func(t *testing.T) {
		term := atTerminal(t, "--no-sync", "--endpoints", url, "--debug", "set", "/a")
		term.await("CTRL+D")
		term.press("typed\n" + ctrlD)
		if code := term.end(); code != exitOK {
			t.Errorf("exit code %d\n%s", code, term.screen.String())
		}
		term.await(`-d "value=typed%0A"`)
	})
	t.Run("no message for a pipe", func(t *testing.T) {
		_, stderr, code := (&server{Process: &servertest.Process{Client: url}}).runWithInput(t, "piped", "--no-sync", "set", "/a")
		if code != exitOK || stderr != "" {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
}

// TestInterruptedFile: CTRL+C ends an import from a named pipe without a writer.
func TestInterruptedFile(t *testing.T) {
	url, _ := fixed(t, http.StatusOK, `{}`)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	ended := make(chan int, 1)
	var stderr lockedBuffer
	logOnFailure(t, &stderr)
	go func() {
		ended <- Main(ctx, []string{"etcdctl", "--no-sync", "--endpoints", url, "import", pipe}, strings.NewReader(""), &lockedBuffer{},
			&stderr, Host{})
	}()
	servertest.Await(t, "the client to end", func() bool { return len(ended) > 0 })
	if f, err := os.OpenFile(pipe, os.O_RDWR, 0); err == nil { // lets the read in the background end
		f.Close()
	}
}

// TestFindAtATerminal lists a key that would change the colors of the terminal.
func TestFindAtATerminal(t *testing.T) {
	url, _ := fixed(t, http.StatusOK, `{"action":"get","node":{"key":"/a\u001b[31m","value":"v","modifiedIndex":1,"createdIndex":1}}`)
	if stdout, _, code := run(t, "--no-sync", "--endpoints", url, "find", "/a"); code != exitOK || stdout != "/a\x1b[31m\n" {
		t.Errorf("in a pipe: exit code %d, %q", code, stdout)
	}
	term := atTerminal(t, "--no-sync", "--endpoints", url, "find", "/a")
	term.await(`"/a\x1b[31m"`)
	if code := term.end(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}
