package ctl

import (
	"context"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

func ttlOption(destination *int) cli.Flag {
	return &cli.IntFlag{Name: "ttl", Destination: destination, Usage: "seconds to live; 0: forever"}
}

// valueHelp is the description of the commands that take a value.
const valueHelp = `DESCRIPTION:
   Without <value>, the value is read from stdin, as it is.
   A <value> that looks like one of the options needs a '--' before the key.
   A key that is written without --ttl has no time to live any more, whatever it had before.

`

// valueRequest sends a request about one key and its value.
type valueRequest func(ctx context.Context, cl *client.Client, key, value string) (*client.Event, error)

// onValue returns the action of a command that takes a key and a value, sends one request and prints the answer. The time
// limit begins after the value was read.
func (p *program) onValue(send valueRequest) cli.ActionFunc {
	return p.waiting(func(ctx context.Context, cl *client.Client, args []string) error {
		key, err := keyArgument(args)
		if err != nil {
			return err
		}
		value, err := p.valueArgument(ctx, args)
		if err != nil {
			return err
		}
		ctx, cancel := p.globals.limited(ctx)
		defer cancel()
		e, err := send(ctx, cl, key, value)
		if err != nil {
			return serverFailure(err)
		}
		p.warnOfLostTTL(e)
		return p.printEvent(e)
	})
}

// valueArgument returns the second argument or, without one, all of stdin. An empty argument is a value; empty input is an
// error.
func (p *program) valueArgument(ctx context.Context, args []string) (string, error) {
	if len(args) > 1 {
		return args[1], nil
	}
	data, err := p.readStdin(ctx, "the value")
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil || len(data) == 0 {
		return "", badArguments("value required")
	}
	return string(data), nil
}

func (p *program) setCommand() *cli.Command {
	var o struct {
		ttl, swapIndex int
		swapValue      string
	}
	return p.command(&cli.Command{
		Name: "set", Usage: "set the value of a key", ArgsUsage: "<key> [value]",
		Flags: []cli.Flag{
			ttlOption(&o.ttl),
			&cli.StringFlag{Name: "swap-with-value", Destination: &o.swapValue, Usage: "only if this is the value now"},
			&cli.IntFlag{Name: "swap-with-index", Destination: &o.swapIndex, Usage: "only if this is the modified index now"},
		},
		Description: valueHelp + p.examples(
			`set /message "Hello world"`, "write a key; directories above it are made",
			`set --ttl 60 /session alive`, "a key that expires in a minute unless it is set again",
			`set --swap-with-value old /config new`, "compare-and-swap: exit code 4 and error 101 if the value is not 'old'",
			`set /script < deploy.sh`, "store a file",
			`set -- /offset --ttl`, "store a value that looks like an option"),
		Action: p.onValue(func(ctx context.Context, cl *client.Client, key, value string) (*client.Event, error) {
			return cl.Put(ctx, key, value, client.PutOptions{TTL: o.ttl, PrevValue: o.swapValue, PrevIndex: uint64(o.swapIndex)})
		}),
	})
}

func (p *program) mkCommand() *cli.Command {
	var o struct {
		ttl     int
		inOrder bool
	}
	return p.command(&cli.Command{
		Name: "mk", Usage: "make a new key with a given value", ArgsUsage: "<key> [value]",
		Flags: []cli.Flag{
			boolFlag(&o.inOrder, "make a key with the next number for its name, in directory <key>", "in-order"),
			ttlOption(&o.ttl),
		},
		Description: valueHelp + p.examples(
			`mk /lock $(hostname)`, "take a lock: exit code 4 and error 105 if the key exists",
			`mk --in-order /queue job1`, "append to a queue; ls --sort /queue lists it in order"),
		Action: p.onValue(func(ctx context.Context, cl *client.Client, key, value string) (*client.Event, error) {
			if o.inOrder {
				return cl.CreateInOrder(ctx, key, value, o.ttl)
			}
			return cl.Put(ctx, key, value, client.PutOptions{TTL: o.ttl, Existence: client.MustNotExist})
		}),
	})
}

func (p *program) updateCommand() *cli.Command {
	var ttl int
	return p.command(&cli.Command{
		Name: "update", Usage: "update an existing key with a given value", ArgsUsage: "<key> [value]",
		Flags: []cli.Flag{ttlOption(&ttl)},
		Description: valueHelp + p.examples(
			`update /message "Hello again"`, "exit code 4 and error 100 if the key does not exist",
			`update --ttl 60 /session alive`, "give it another minute"),
		Action: p.onValue(func(ctx context.Context, cl *client.Client, key, value string) (*client.Event, error) {
			return cl.Put(ctx, key, value, client.PutOptions{TTL: ttl, Existence: client.MustExist})
		}),
	})
}

func (p *program) rmCommand() *cli.Command {
	var o struct {
		dir, recursive bool
		withValue      string
		withIndex      int
	}
	return p.command(&cli.Command{
		Name: "rm", Usage: "remove a key or a directory", ArgsUsage: "<key>",
		Flags: []cli.Flag{
			boolFlag(&o.dir, "remove an empty directory too", "dir"),
			boolFlag(&o.recursive, "remove a directory with everything in it", "recursive", "r"),
			&cli.StringFlag{Name: "with-value", Destination: &o.withValue, Usage: "only if this is the value now"},
			&cli.IntFlag{Name: "with-index", Destination: &o.withIndex, Usage: "only if this is the modified index now"},
		},
		Description: p.examples(
			`rm /message`, "remove a key; prints the value that it had",
			`rm --with-value $(hostname) /lock`, "release a lock only if it is ours",
			`rm --recursive /old`, "remove a whole subtree"),
		Action: p.onKey(func(ctx context.Context, cl *client.Client, key string) (*client.Event, error) {
			return cl.Delete(ctx, key, client.DeleteOptions{
				PrevValue: o.withValue, PrevIndex: uint64(o.withIndex), Dir: o.dir, Recursive: o.recursive,
			})
		}),
	})
}
