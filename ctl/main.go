package ctl

import (
	"context"
	"errors"
	"io"
	"syscall"

	"github.com/urfave/cli/v2"
)

// program is one run of the client.
type program struct {
	name    string // as shown in help: "etcdctl", "pando ctl"
	host    Host
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	globals globals
}

// Host is the program that the client is a part of. Functions that are nil are left out.
type Host struct {
	// Commands returns commands that need more than HTTP, such as backup. Their output goes to stdout and stderr. If a
	// command has options with the names of the client's global ones, it gets their values from there.
	Commands func(stdout, stderr io.Writer) []*cli.Command
	// Program returns the commands and flags of the whole program, the verb of the client among them, so that a shell can
	// complete them.
	Program func() ([]*cli.Command, []cli.Flag)
}

// Main runs the client with args and returns its exit code. args[0] is the name of the program as help shows it: "etcdctl",
// "pando ctl". Endpoints and credentials come from flags, then from ETCDCTL_* variables.
//
// Main returns when the command is done. When ctx is done first, watches and endless loops end with success, and other
// commands with the exit code of an interrupt. The caller turns signals into the end of ctx.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, host Host) int {
	name := "etcdctl"
	if len(args) > 0 {
		name = args[0]
		args = args[1:]
	}
	p := &program{name: name, host: host, stdin: stdin, stdout: stdout, stderr: stderr}
	app := p.app()
	err := app.RunContext(ctx, append([]string{name}, Reorder(app, args)...))
	return p.report(ctx, err)
}

// report prints the error of a command and returns the exit code.
func (p *program) report(ctx context.Context, err error) int {
	if err == nil || errors.Is(err, errAnswered) {
		return exitOK
	}
	if errors.Is(err, syscall.EPIPE) {
		return exitBadArguments // the reader of the output has ended, and needs no message
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	if f, ok := errors.AsType[*failure](err); ok {
		io.WriteString(p.stderr, f.text)
		return f.code
	}
	io.WriteString(p.stderr, err.Error()+"\n")
	return exitBadArguments
}
