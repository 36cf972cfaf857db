package ctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

// queueExitCodes explains the exit codes of lock and elect in help.
const queueExitCodes = `EXIT CODES:
   that of the command, 128 and more if a signal ended it; without a command
   0     held until CTRL+C or SIGTERM
   1     wrong arguments, or the command can't be started
   2, 4  no server answered, or it refused
   6     lost while it was held, or while waiting: another may hold it now
   7     not acquired within --wait
   130   CTRL+C while waiting; 143 after SIGTERM
`

// queueOptions are the options that lock and elect share.
type queueOptions struct {
	ttl  int // seconds
	wait time.Duration
}

func (o *queueOptions) flags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "ttl", Destination: &o.ttl, Value: 30,
			Usage: "seconds until the lock of a holder that has died passes to the next in the queue"},
		&cli.DurationFlag{Name: "wait", Destination: &o.wait,
			Usage: "give up if it is not acquired within this time, with exit code 7; 0: wait forever"},
	}
}

// check returns an error for a TTL or a wait that is out of range.
func (o *queueOptions) check(*cli.Context) error {
	switch {
	case o.ttl < 1:
		return badArguments("--ttl counts seconds: 1 or more")
	case o.wait < 0:
		return badArguments("--wait is how long to wait at most: 0 or more")
	}
	return nil
}

// acquisition holds the arguments of one run of lock or elect.
type acquisition struct {
	options *queueOptions
	queue   string // the directory of the queue
	value   string
	command []string // empty: hold until a signal comes
	signals chan os.Signal
}

// queueDirectory returns the directory of a queue: name itself if it is a path, otherwise the directory name in hidden.
func queueDirectory(hidden, name string) string {
	if strings.HasPrefix(name, "/") {
		return strings.TrimRight(name, "/")
	}
	return hidden + "/" + strings.Trim(name, "/")
}

// withoutDashes returns args without a "--" at the beginning.
func withoutDashes(args []string) []string {
	if len(args) > 0 && args[0] == "--" {
		return args[1:]
	}
	return args
}

// hostAndPID returns the value of a lock's key, for people who list the queue.
func hostAndPID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + ":" + strconv.Itoa(os.Getpid())
}

// runInQueue enters the queue and waits until its key is the first. It holds that place while the command runs, or without a
// command until a signal comes. Then it leaves the queue.
func (p *program) runInQueue(c *cli.Context, a *acquisition) error {
	return p.waiting(func(ctx context.Context, cl *client.Client, _ []string) error {
		a.signals = make(chan os.Signal, 1)
		signal.Notify(a.signals, syscall.SIGTERM, syscall.SIGHUP)
		defer signal.Stop(a.signals)
		entering, cancel := p.globals.limited(ctx)
		q, err := enqueue(entering, cl, a.queue, a.value, a.options.ttl, p.stderr)
		cancel()
		if err != nil {
			return serverFailure(err)
		}
		err = a.acquire(ctx, q)
		if err == nil {
			err = p.holdUntilEnd(ctx, q, a)
		}
		if failed := q.leave(); failed != nil {
			fmt.Fprintln(p.stderr, failed)
		}
		return err
	})(c)
}

// acquire waits until q is the first in the queue, and returns nil. Otherwise it returns the failure that ends the program.
func (a *acquisition) acquire(ctx context.Context, q *contender) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timedOut := &failure{code: exitTimedOut, text: fmt.Sprintf("%s is still held by another after %s\n", q.queue, a.options.wait)}
	if a.options.wait > 0 {
		defer time.AfterFunc(a.options.wait, func() { cancel(timedOut) }).Stop()
	}
	first := make(chan error, 1)
	go func() { first <- q.awaitFirst(ctx) }()
	var err error
	select {
	case err = <-first:
	case s := <-a.signals:
		cancel(signalFailure(s))
		err = <-first
	}
	switch _, ending := errors.AsType[*failure](err); {
	case err == nil, ending, errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, errKeyGone), errors.Is(err, errNotRefreshed):
		return &failure{code: exitLost, text: fmt.Sprintf("the place in the queue of %s is lost: %v\n", q.queue, err)}
	}
	return serverFailure(err)
}

// signalFailure returns the failure of a command that a signal ended, with the exit code that a shell would report.
func signalFailure(s os.Signal) *failure {
	number, _ := s.(syscall.Signal)
	return &failure{code: 128 + int(number)}
}

// holdUntilEnd runs the command, or waits for a signal. It ends early when the lock is lost.
func (p *program) holdUntilEnd(ctx context.Context, q *contender, a *acquisition) error {
	var err error
	if len(a.command) > 0 {
		err = p.runChild(ctx, q, a)
	} else {
		if _, err := fmt.Fprintf(p.stdout, "%s %d\n", q.key, q.index); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-a.signals:
		case <-q.lost.Done():
		}
	}
	if q.lost.Err() != nil {
		return &failure{code: exitLost, text: fmt.Sprintf("%s is lost, another may hold it now: %v\n", q.queue, context.Cause(q.lost))}
	}
	return err
}
