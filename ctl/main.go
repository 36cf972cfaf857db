package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
	"pando/ctl/terminal"
)

// program is one run of the client.
type program struct {
	name    string   // as shown in help: "etcdctl", "pando ctl"
	args    []string // as the user typed them, without the name
	host    Host
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	globals globals
}

// Host is the program that the client is a part of. Each function may be nil.
type Host struct {
	// Commands returns commands that need more than HTTP, such as backup. Their output goes to stdout and stderr. Global
	// options of the client set the options of a command that have the same names.
	Commands func(stdout, stderr io.Writer) []*cli.Command
	// ReadSnapshot passes the nodes of a snapshot file to add, in any order. It ends after an error of add.
	ReadSnapshot func(file string, add func(*client.Node) error) error
	// Program returns the commands and flags of the whole program, including the verb of the client, for the completion in
	// shells.
	Program func() ([]*cli.Command, []cli.Flag)
	// V3 returns the command line of the client for the v3 API, for the same purpose. It may be nil.
	V3 func(name string) *cli.App
}

// App returns the command line of the client, for the completion in shells. name is that of the program in Main.
func App(name string, host Host) *cli.App {
	return (&program{name: name, host: host, stdout: io.Discard, stderr: io.Discard}).app()
}

// Main runs the client with args and returns its exit code. args[0] is the name of the program as help shows it: "etcdctl",
// "pando ctl". Endpoints and credentials come from flags, then from ETCDCTL_* variables.
//
// Main returns when the command is done. When ctx is done first, watches and endless loops end with success, and other
// commands with the exit code of an interrupt. Callers must end ctx after a signal.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, host Host) int {
	name := "etcdctl"
	if len(args) > 0 {
		name = args[0]
		args = args[1:]
	}
	p := &program{name: name, args: args, host: host, stdin: stdin, stdout: stdout, stderr: stderr}
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
		return exitBadArguments // nobody reads the output any more, so no message is needed
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	if f, ok := errors.AsType[*failure](err); ok {
		io.WriteString(p.stderr, f.text)
		p.adviseCredentials(f)
		return f.code
	}
	io.WriteString(p.stderr, err.Error()+"\n")
	return exitBadArguments
}

// adviseCredentials prints advice if err is a refusal because of the credentials. It prints only to a terminal, so that scripts get the
// output of the legacy client.
func (p *program) adviseCredentials(err error) {
	if !client.IsUnauthorized(err) || !terminal.Is(p.stderr) {
		return
	}
	if p.globals.username == "" {
		fmt.Fprintln(p.stderr, "The cluster requires credentials for this: give them with --username NAME, or in ETCDCTL_USERNAME.")
		return
	}
	user, _, _ := strings.Cut(p.globals.username, ":")
	fmt.Fprintf(p.stderr, "The password of %s is wrong, or %s lacks the permission.\n", user, user)
}
