package ctl

import (
	"context"

	"github.com/urfave/cli/v2"
)

// Flags of several commands.
const (
	ttlFlag       = "ttl"
	inOrderFlag   = "in-order"
	swapValueFlag = "swap-with-value"
	swapIndexFlag = "swap-with-index"
	withValueFlag = "with-value"
	withIndexFlag = "with-index"
	dirFlag       = "dir"
	recursiveFlag = "recursive"
)

func ttlOption() cli.Flag {
	return &cli.IntFlag{Name: ttlFlag, Usage: "seconds to live; 0: for ever"}
}

// dashValues explains the one thing about values that surprises.
const dashValues = `DESCRIPTION:
   Without <value>, the value is read from stdin, as it is.
   A <value> that looks like one of the options needs a '--' before the key.

`

// valueCommands write and remove keys.
func (p *program) valueCommands() []*cli.Command {
	return []*cli.Command{
		p.command(&cli.Command{
			Name: "set", Usage: "set the value of a key", ArgsUsage: "<key> [value]", Action: p.set,
			Flags: []cli.Flag{
				ttlOption(),
				&cli.StringFlag{Name: swapValueFlag, Usage: "only if this is the value now"},
				&cli.IntFlag{Name: swapIndexFlag, Usage: "only if this is the modified index now"},
			},
			Description: dashValues + p.examples(
				`set /message "Hello world"`, "write a key; directories above it come to be",
				`set --ttl 60 /session alive`, "a key that expires in a minute unless it is set again",
				`set --swap-with-value old /config new`, "compare and swap: exit code 4 and error 101 if it is not 'old'",
				`set /script < deploy.sh`, "store a file",
				`set -- /offset --ttl`, "store what looks like an option"),
		}),
		p.command(&cli.Command{
			Name: "mk", Usage: "make a new key with a given value", ArgsUsage: "<key> [value]", Action: p.make,
			Flags: []cli.Flag{
				&cli.BoolFlag{Name: inOrderFlag, Usage: "make a key with the next number for its name, in directory <key>", DisableDefaultText: true},
				ttlOption(),
			},
			Description: dashValues + p.examples(
				`mk /lock $(hostname)`, "take a lock: exit code 4 and error 105 if it is taken",
				`mk --in-order /queue job1`, "append to a queue; ls --sort /queue lists it in order"),
		}),
		p.command(&cli.Command{
			Name: "update", Usage: "update an existing key with a given value", ArgsUsage: "<key> [value]", Action: p.update,
			Flags: []cli.Flag{ttlOption()},
			Description: dashValues + p.examples(
				`update /message "Hello again"`, "exit code 4 and error 100 if the key does not exist",
				`update --ttl 60 /session alive`, "give it another minute"),
		}),
		p.command(&cli.Command{
			Name: "rm", Usage: "remove a key or a directory", ArgsUsage: "<key>", Action: p.rm,
			Flags: []cli.Flag{
				&cli.BoolFlag{Name: dirFlag, Usage: "remove an empty directory too", DisableDefaultText: true},
				&cli.BoolFlag{Name: recursiveFlag, Aliases: []string{"r"}, Usage: "remove a directory with all that is in it", DisableDefaultText: true},
				&cli.StringFlag{Name: withValueFlag, Usage: "only if this is the value now"},
				&cli.IntFlag{Name: withIndexFlag, Usage: "only if this is the modified index now"},
			},
			Description: p.examples(
				`rm /message`, "remove a key; prints the value that it had",
				`rm --with-value $(hostname) /lock`, "release a lock only if it is ours",
				`rm --recursive /old`, "remove a whole subtree"),
		}),
	}
}

func (p *program) set(c *cli.Context) error {
	return p.onValue(c, func(ctx context.Context, cl *client, key, value string) (*event, error) {
		return cl.put(ctx, key, &value, c.Int(ttlFlag), conditions{
			prevValue: c.String(swapValueFlag), prevIndex: uint64(c.Int(swapIndexFlag)),
		})
	})
}

func (p *program) make(c *cli.Context) error {
	return p.onValue(c, func(ctx context.Context, cl *client, key, value string) (*event, error) {
		if c.Bool(inOrderFlag) {
			return cl.createInOrder(ctx, key, value, c.Int(ttlFlag))
		}
		return cl.put(ctx, key, &value, c.Int(ttlFlag), conditions{prevExist: "false"})
	})
}

func (p *program) update(c *cli.Context) error {
	return p.onValue(c, func(ctx context.Context, cl *client, key, value string) (*event, error) {
		return cl.put(ctx, key, &value, c.Int(ttlFlag), conditions{prevExist: "true"})
	})
}

func (p *program) rm(c *cli.Context) error {
	return p.onKey(c, func(ctx context.Context, cl *client, key string) (*event, error) {
		return cl.remove(ctx, key, conditions{
			prevValue: c.String(withValueFlag), prevIndex: uint64(c.Int(withIndexFlag)),
			dir: c.Bool(dirFlag), recursive: c.Bool(recursiveFlag),
		})
	})
}
