package ctl

import "github.com/urfave/cli/v2"

// locksDirectory is where locks lie that have a name and no path. It is hidden.
const locksDirectory = "/_locks"

func (p *program) lockCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "lock", Usage: "hold a lock, while a command runs or until CTRL+C", ArgsUsage: "<name> [-- <command> [args...]]",
		Action: inFormats(p.lock, formatSimple), Flags: holdOptions(),
		Description: `DESCRIPTION:
   Waits in a queue for its turn, then runs the command, and frees the lock when it ends; the exit code is the
   command's. Without a command, it prints the lock's key and fencing index on one line and holds the lock until
   CTRL+C or SIGTERM. The queue is a directory of in-order keys in /_locks, or at <name> if that begins with a slash.

   The command finds PANDO_LOCK_KEY and PANDO_LOCK_INDEX in its environment. The index grows from each holder to the next:
   let what the lock protects remember the highest that it has seen, and refuse lower ones.

   While no member takes a refresh, the lock is lost shortly before its TTL ends, or at once when somebody removed its
   key. Then the command gets SIGTERM, SIGKILL before the next one can have the lock, and the exit code is 6. Without
   a terminal that reaches all that the command has started, on one only the command itself. Nobody ends the
   command when this program is killed with SIGKILL.

` + holdCodes + "\n" + p.examples(
			`lock backup -- ./backup.sh`, "run it on one machine at a time",
			`lock --ttl 10 --wait 1m deploy -- sh -c 'deploy --fence "$PANDO_LOCK_INDEX"'`, "give up after a minute, with exit code 7",
			`lock maintenance`, "hold a lock by hand until CTRL+C",
			`ls --sort /_locks/backup`, "who is in the queue; get shows host:pid"),
	})
}

func (p *program) lock(c *cli.Context) error {
	if c.Args().First() == "" {
		return badArguments("the lock needs a name: lock NAME [-- COMMAND]")
	}
	return p.hold(c, &holding{
		queue: queueOf(locksDirectory, c.Args().First()), value: identity(), command: commandOf(c.Args().Tail()),
	})
}
