package ctl

import (
	"context"

	"github.com/urfave/cli/v2"
)

// commands lists all of them, in the order of help.
func (p *program) commands() []*cli.Command {
	all := append(p.valueCommands(), p.directoryCommands()...)
	all = append(all, p.readCommands()...)
	all = append(all, p.watchCommand(), p.execWatchCommand())
	all = append(all, p.memberCommands(), p.healthCommand(), p.backupCommand())
	all = append(all, p.ownCommands()...)
	return append(all, p.helpCommand())
}

// CommandNames lists the commands of the client, for a program that is asked for one of them by mistake.
func CommandNames() []string {
	return namesOf((&program{}).commands())
}

func namesOf(commands []*cli.Command) []string {
	var names []string
	for _, c := range commands {
		names = append(names, c.Names()...)
	}
	return names
}

// keyArgument returns the first argument.
func keyArgument(c *cli.Context) (string, error) {
	if c.NArg() == 0 {
		return "", badArguments("key required")
	}
	return c.Args().First(), nil
}

// valueArgument returns the second argument or, without one, all of stdin. Only an argument may be empty.
func (p *program) valueArgument(c *cli.Context) (string, error) {
	if c.NArg() > 1 {
		return c.Args().Get(1), nil
	}
	data, err := p.readStdin(c.Context, "the value")
	if c.Context.Err() != nil {
		return "", c.Context.Err()
	}
	if err != nil || len(data) == 0 {
		return "", badArguments("value required")
	}
	return string(data), nil
}

// limited returns the context of a command that --total-timeout limits.
func limited(c *cli.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.Context, c.Duration(totalTimeoutFlag))
}

// reading returns the context of a command that reads. The answer may be long and the link slow: as long as it goes on,
// only a limit that the user has set ends it. An answer that does not begin or stops in the middle has limits of its own.
func reading(c *cli.Context) (context.Context, context.CancelFunc) {
	if c.IsSet(totalTimeoutFlag) {
		return limited(c)
	}
	return context.WithCancel(c.Context)
}

// keyRequest is a request about one key.
type keyRequest func(ctx context.Context, cl *client, key string) (*event, error)

// onKey runs a command that takes a key, sends one request and prints the answer.
func (p *program) onKey(c *cli.Context, send keyRequest) error {
	e, err := p.askKey(c, send)
	if err != nil {
		return err
	}
	return p.printEvent(e, c.String(outputFlag))
}

// askKey sends the request of a command that takes a key.
func (p *program) askKey(c *cli.Context, send keyRequest) (*event, error) {
	cl, err := p.connect(c)
	if err != nil {
		return nil, err
	}
	key, err := keyArgument(c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := limited(c)
	defer cancel()
	e, err := send(ctx, cl, key)
	if err != nil {
		return nil, serverFailure(err)
	}
	return e, nil
}

// valueRequest is a request about one key and its value.
type valueRequest func(ctx context.Context, cl *client, key, value string) (*event, error)

// onValue runs a command that takes a key and a value, sends one request and prints the answer.
func (p *program) onValue(c *cli.Context, send valueRequest) error {
	cl, err := p.connect(c)
	if err != nil {
		return err
	}
	key, err := keyArgument(c)
	if err != nil {
		return err
	}
	value, err := p.valueArgument(c)
	if err != nil {
		return err
	}
	ctx, cancel := limited(c)
	defer cancel()
	e, err := send(ctx, cl, key, value)
	if err != nil {
		return serverFailure(err)
	}
	return p.printEvent(e, c.String(outputFlag))
}
