package ctl

import (
	"context"
	"errors"
	"io"
	"syscall"

	"github.com/urfave/cli/v2"
)

// Exit codes of the legacy client.
const (
	exitOK            = 0
	exitBadArguments  = 1   // wrong or missing arguments, a wrong setting
	exitBadConnection = 2   // no endpoint could be connected to
	exitUnknown       = 3   // no such command
	exitServer        = 4   // the server refused, or failed, or did not answer
	exitUnhealthy     = 5   // cluster-health: at least one member is not healthy
	exitInterrupted   = 130 // the user broke a command off
)

// failure ends a command: text goes to stderr as it is, code is the exit code. cause is the error behind it; nil where
// there is none.
type failure struct {
	code  int
	text  string
	cause error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.cause }

// errAnswered ends a run in which a global flag was all there was to do.
var errAnswered = errors.New("answered")

// program is one run of the client.
type program struct {
	name   string // how the user called it, as shown in help
	host   Host
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// Host is what the client leaves to the program that it is part of, because it is no matter of HTTP. What is nil is not
// to be had.
type Host struct {
	// Backup makes the data of a new member from those of one that may be running, and returns what to tell the user.
	Backup func(ctx context.Context, from, to DataDir) (note string, err error)
	// CheckSnapshot says what is wrong with a snapshot file.
	CheckSnapshot func(path string) error
	// Program lists the commands and flags around the client, its own verb among them, so that a shell can complete them.
	Program func() ([]*cli.Command, []cli.Flag)
}

// Main runs the client with args and returns its exit code. args[0] is the program's name as help shows it: "etcdctl",
// "pando ctl". Endpoints and credentials come from flags, then from ETCDCTL_* variables. Main returns when the command
// is done; for watches and endless loops that is when ctx is done, which counts as success. The process's own
// signals are the caller's to turn into a done ctx.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, host Host) int {
	name := "etcdctl"
	if len(args) > 0 {
		name = args[0]
		args = args[1:]
	}
	p := &program{name: name, host: host, stdin: stdin, stdout: stdout, stderr: stderr}
	app := p.app()
	err := app.RunContext(ctx, append([]string{name}, reorder(app, args)...))
	return p.report(ctx, err)
}

// report prints what ended the command and returns the exit code.
func (p *program) report(ctx context.Context, err error) int {
	if err == nil || errors.Is(err, errAnswered) {
		return exitOK
	}
	if errors.Is(err, syscall.EPIPE) {
		return exitBadArguments // the reader went away: nobody is left to tell
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return exitInterrupted // whatever the command made of it
	}
	if f, ok := errors.AsType[*failure](err); ok {
		io.WriteString(p.stderr, f.text)
		return f.code
	}
	io.WriteString(p.stderr, err.Error()+"\n")
	return exitBadArguments
}
