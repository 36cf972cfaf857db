package v3

import (
	"context"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// program is one run of the client.
type program struct {
	name    string // as shown in help: "etcdctl", "pando ctl"
	environ []string
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	globals globals
	host    Host
}

// Host is the program that the client is a part of.
type Host struct {
	// Program returns the commands and flags of the whole program, including the verb of the client, for the completion in shells. It may
	// be nil.
	Program func() ([]*cli.Command, []cli.Flag)
	// V2 returns the command line of the client for the v2 API, for the same purpose. It may be nil.
	V2 func(name string) *cli.App
	// Restore makes the data directory of a new member from a snapshot file of etcd. It writes what it has done to w. It may be nil.
	Restore func(ctx context.Context, w io.Writer, o RestoreOptions) error
}

// RestoreOptions say what Host.Restore does.
type RestoreOptions struct {
	// File is the snapshot file.
	File string
	// Flags has values of flags of the server, which name the new member, by the names of the flags.
	Flags map[string]string
	// SkipHashCheck accepts a file without a checksum, or with a wrong one.
	SkipHashCheck bool
}

// App returns the command line of the client, for the completion in shells. name is that of the program in Main.
func App(name string) *cli.App {
	return (&program{name: name, stdout: io.Discard, stderr: io.Discard}).app()
}

// Main runs the client with args and returns its exit code. args[0] is the name of the program as help shows it: "etcdctl", "pando ctl".
// environ has the variables, as os.Environ returns them.
//
// Main returns when the command is done. When ctx is done first, the command ends with the exit code of an interrupt; lock and elect give
// up their lease before. Callers must end ctx after a signal.
func Main(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer, host Host) int {
	p := &program{name: args[0], environ: environ, stdin: stdin, stdout: stdout, stderr: stderr, host: host}
	app := p.app()
	words, err := normalize(app, args[1:])
	if err == nil {
		err = app.RunContext(ctx, append([]string{p.name}, words...))
	}
	return p.report(ctx, err)
}

// variable returns the value of an environment variable, and whether it is set to anything.
func (p *program) variable(name string) (string, bool) {
	value := ""
	for _, v := range p.environ { // the last one counts
		if text, ok := strings.CutPrefix(v, name+"="); ok {
			value = text
		}
	}
	return value, value != ""
}
