package ctl

import (
	"context"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

func (p *program) mkdirCommand() *cli.Command {
	return p.putDirCommand(client.MustNotExist, &cli.Command{
		Name: "mkdir", Usage: "make a new directory", ArgsUsage: "<key>",
		Description: p.examples(
			`mkdir /services`, "exit code 4 and error 105 if the key exists",
			`mkdir --ttl 60 /services/web`, "a directory that expires with everything in it"),
	})
}

func (p *program) setdirCommand() *cli.Command {
	return p.putDirCommand(client.AnyExistence, &cli.Command{
		Name: "setdir", Usage: "create a new directory, or replace a key by one", ArgsUsage: "<key>",
		Description: p.examples(
			`setdir /services`, "exit code 4 and error 102 if it is a directory already"),
	})
}

func (p *program) updatedirCommand() *cli.Command {
	return p.putDirCommand(client.MustExist, &cli.Command{
		Name: "updatedir", Usage: "set the time to live of an existing directory", ArgsUsage: "<key>",
		Description: p.examples(
			`updatedir --ttl 60 /services/web`, "give it another minute",
			`updatedir /services/web`, "let it live forever"),
	})
}

// putDirCommand completes a command that writes a directory. In the simple format the command prints nothing, even if
// updatedir has updated a key.
func (p *program) putDirCommand(existence client.Existence, c *cli.Command) *cli.Command {
	var ttl int
	c.Flags = []cli.Flag{ttlOption(&ttl)}
	c.Action = p.keyAction(func(ctx context.Context, cl *client.Client, key string) (*client.Event, error) {
		return cl.PutDir(ctx, key, client.PutOptions{TTL: ttl, Existence: existence})
	}, func(e *client.Event) error {
		if p.globals.output == formatSimple {
			return nil
		}
		return p.printEvent(e)
	})
	return p.command(c)
}

func (p *program) rmdirCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "rmdir", Usage: "remove the key if it is an empty directory or a key-value pair", ArgsUsage: "<key>",
		Description: p.examples(
			`rmdir /services/web`, "exit code 4 and error 108 if it is not empty; see rm --recursive"),
		Action: p.onKey(func(ctx context.Context, cl *client.Client, key string) (*client.Event, error) {
			return cl.Delete(ctx, key, client.DeleteOptions{Dir: true})
		}),
	})
}

// keyRequest sends a request about one key.
type keyRequest func(ctx context.Context, cl *client.Client, key string) (*client.Event, error)

// onKey returns the action of a command that takes a key, sends one request and prints the answer.
func (p *program) onKey(send keyRequest) cli.ActionFunc { return p.keyAction(send, p.printEvent) }

// keyAction is onKey, with another way to print the answer.
func (p *program) keyAction(send keyRequest, print func(*client.Event) error) cli.ActionFunc {
	return p.writing(func(ctx context.Context, cl *client.Client, args []string) error {
		key, err := keyArgument(args)
		if err != nil {
			return err
		}
		e, err := send(ctx, cl, key)
		if err != nil {
			return serverFailure(err)
		}
		return print(e)
	})
}
