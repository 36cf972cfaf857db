package v3

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"pando/ctl/v3/client"
)

// defaultSessionTTL is how long a lock or a leadership lasts, in seconds, after its holder has died.
const defaultSessionTTL = 10

func (p *program) lockCommand() *cli.Command {
	ttl := int64(defaultSessionTTL)
	return p.command(&cli.Command{
		Name: "lock", Usage: "hold a lock, while a command runs or until CTRL+C", ArgsUsage: "<name> [<command> [args...]]",
		Flags: []cli.Flag{&cli.Int64Flag{Name: "ttl", Destination: &ttl, Value: defaultSessionTTL,
			Usage: "how many `seconds` the lock lasts after its holder has died"}},
		Description: `DESCRIPTION:
   Waits until it holds the lock, runs the command, and releases the lock when the command has ended; the exit code is that of the
   command. Without a command, it prints the key of the lock, and holds the lock until CTRL+C or SIGTERM. The command has ETCD_LOCK_KEY and
   ETCD_LOCK_REV in its environment: the revision of each holder is higher than that of the holder before.

   The lock is a queue of keys below <name>/, one for each holder and waiter, with leases: those of etcd's clients.

` + p.examples(
			`lock backup ./backup.sh`, "run it on one machine at a time",
			`lock deploy -- sh -c 'deploy --fence $ETCD_LOCK_REV'`, "a command with options follows a --",
			`lock maintenance`, "hold a lock by hand until CTRL+C"),
		Action: p.waiting(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
			if c.NArg() == 0 {
				return badArguments("lock takes a lock name argument and an optional command to execute")
			}
			if ttl < 1 {
				ttl = defaultSessionTTL
			}
			ctx, stop := untilSignal(ctx)
			defer stop()
			session, err := cl.NewSession(ctx, ttl)
			if err != nil {
				return err
			}
			err = p.holdLock(ctx, cl, session, c.Args().First(), c.Args().Tail())
			return errors.Join(err, session.Close())
		}),
	}, answerFormats...)
}

// holdLock waits for a lock, and holds it.
func (p *program) holdLock(ctx context.Context, cl *client.Client, session *client.Session, name string, command []string) error {
	q, err := session.Enqueue(ctx, name+"/", "")
	if err == nil {
		err = q.Await(ctx)
	}
	if err != nil {
		return err
	}
	if len(command) > 0 {
		return p.runCommand(session, command, "ETCD_LOCK_KEY="+q.Key, fmt.Sprintf("ETCD_LOCK_REV=%d", q.Revision))
	}
	response, err := cl.KV.Range(ctx, &pb.RangeRequest{Key: []byte(q.Key)})
	if err != nil {
		return err
	}
	if len(response.Kvs) == 0 {
		return fail(exitError, "lock lost on init")
	}
	if err := p.print(rangeAnswer(response)); err != nil {
		return err
	}
	return awaitSignal(ctx, session, "session expired")
}

// awaitSignal waits for a signal, which ends ctx. lost is the error if the lease of the session ends before.
func awaitSignal(ctx context.Context, session *client.Session, lost string) error {
	select {
	case <-ctx.Done():
		return nil
	case <-session.Done():
		return fail(exitError, "%s", lost)
	}
}

// runCommand runs a command with more environment variables, and returns a failure with its exit code. The command is killed when the
// session is lost, before another can hold the lock.
func (p *program) runCommand(session *client.Session, command []string, variables ...string) error {
	running, kill := context.WithCancel(context.Background())
	defer kill()
	go func() {
		select {
		case <-session.Done():
			kill()
		case <-running.Done():
		}
	}()
	cmd := exec.CommandContext(running, command[0], command[1:]...)
	cmd.Env = append(p.environ, variables...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.stdin, p.stdout, p.stderr
	err := cmd.Run()
	if running.Err() != nil {
		return fail(exitError, "the lock is lost: its lease has ended, and the command was killed")
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		return &failure{exit.ExitCode(), err}
	}
	return err
}
