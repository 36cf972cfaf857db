package ctl

import (
	"context"

	"github.com/urfave/cli/v2"
)

// directoryCommands make, change and remove directories.
func (p *program) directoryCommands() []*cli.Command {
	return []*cli.Command{
		p.command(&cli.Command{
			Name: "mkdir", Usage: "make a new directory", ArgsUsage: "<key>",
			Flags: []cli.Flag{ttlOption()}, Action: p.putDirectory(conditions{dir: true, prevExist: "false"}),
			Description: p.examples(
				`mkdir /services`, "exit code 4 and error 105 if there is something already",
				`mkdir --ttl 60 /services/web`, "a directory that expires with everything in it"),
		}),
		p.command(&cli.Command{
			Name: "setdir", Usage: "create a new directory, or replace a key by one", ArgsUsage: "<key>",
			Flags: []cli.Flag{ttlOption()}, Action: p.putDirectory(conditions{dir: true}),
			Description: p.examples(
				`setdir /services`, "exit code 4 and error 102 if it is a directory already"),
		}),
		p.command(&cli.Command{
			Name: "updatedir", Usage: "set the time to live of an existing directory", ArgsUsage: "<key>",
			Flags: []cli.Flag{ttlOption()}, Action: p.putDirectory(conditions{dir: true, prevExist: "true"}),
			Description: p.examples(
				`updatedir --ttl 60 /services/web`, "give it another minute",
				`updatedir /services/web`, "make it stay for ever"),
		}),
		p.command(&cli.Command{
			Name: "rmdir", Usage: "remove the key if it is an empty directory or a key-value pair", ArgsUsage: "<key>",
			Action: p.rmdir,
			Description: p.examples(
				`rmdir /services/web`, "exit code 4 and error 108 if it is not empty; see rm --recursive"),
		}),
	}
}

// putDirectory makes a command that writes a directory. Its success is silent in the simple format, also where
// updatedir found a file.
func (p *program) putDirectory(o conditions) cli.ActionFunc {
	return func(c *cli.Context) error {
		e, err := p.askKey(c, func(ctx context.Context, cl *client, key string) (*event, error) {
			return cl.put(ctx, key, nil, c.Int(ttlFlag), o)
		})
		if format := c.String(outputFlag); err == nil && format != formatSimple {
			err = p.printEvent(e, format)
		}
		return err
	}
}

func (p *program) rmdir(c *cli.Context) error {
	return p.onKey(c, func(ctx context.Context, cl *client, key string) (*event, error) {
		return cl.remove(ctx, key, conditions{dir: true})
	})
}
