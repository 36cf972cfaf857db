package ctl

import (
	"github.com/urfave/cli/v2"
)

// locksDirectory holds the locks that have a name and no path. It is hidden.
const locksDirectory = "/_locks"

func (p *program) lockCommand() *cli.Command {
	o := &queueOptions{}
	return p.command(&cli.Command{
		Name: "lock", Usage: "hold a lock, while a command runs or until CTRL+C", ArgsUsage: "<name> [-- <command> [args...]]",
		Flags: o.flags(),
		Description: `DESCRIPTION:
   Waits until it holds the lock, runs the command, and releases the lock when the command has ended. The exit code is
   that of the command. Without a command, it prints the key and the fencing index of the lock on one line, and holds the
   lock until CTRL+C or SIGTERM. The lock is a queue of in-order keys, one for each run that holds it or waits for it, in a
   directory in /_locks, or at <name> if that begins with a slash.

   The environment of the command has PANDO_LOCK_KEY and PANDO_LOCK_INDEX. The index of each holder is higher than that of
   the holder before: what the lock protects can remember the highest index that it has seen, and refuse lower ones.

   The key has a TTL and is refreshed. The lock is lost when somebody removes the key, or shortly before the TTL ends if no
   member takes a refresh. Then the command gets SIGTERM, and SIGKILL before another can hold the lock; the exit code is 6.
   These signals also reach the processes that the command has started, unless the input or output is a terminal. If this
   program is killed with SIGKILL, the command keeps running.

` + queueExitCodes + "\n" + p.examples(
			`lock backup -- ./backup.sh`, "run it on one machine at a time",
			`lock --ttl 10 --wait 1m deploy -- sh -c 'deploy --fence "$PANDO_LOCK_INDEX"'`, "give up after a minute, with exit code 7",
			`lock maintenance`, "hold a lock by hand until CTRL+C",
			`ls --sort /_locks/backup`, "the queue; the value of each key is host:pid"),
		Before: o.check,
		Action: p.inFormats(func(c *cli.Context) error {
			if c.Args().First() == "" {
				return badArguments("the lock needs a name: lock NAME [-- COMMAND]")
			}
			return p.runInQueue(c, &acquisition{
				options: o, queue: queueDirectory(locksDirectory, c.Args().First()), value: hostAndPID(), command: withoutDashes(c.Args().Tail()),
			})
		}, formatSimple),
	})
}
