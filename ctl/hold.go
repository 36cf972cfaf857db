package ctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

const waitFlag = "wait"

// Environment variables of commands that run while something is held.
const (
	lockKeyVar   = "PANDO_LOCK_KEY"
	lockIndexVar = "PANDO_LOCK_INDEX"
)

// holdCodes explains the exit codes in help.
const holdCodes = `EXIT CODES:
   that of the command, 128 and more if a signal ended it; without a command
   0     held until CTRL+C or SIGTERM
   1     wrong arguments, or the command can't be started
   2, 4  no server answered, or it refused
   6     lost while it was held, or while waiting: another may hold it now
   7     not had within --wait
   130   CTRL+C while waiting; 143 after SIGTERM
`

func holdOptions() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: ttlFlag, Value: 30, Usage: "seconds after which the others go on without a holder that is not heard of any more"},
		&cli.DurationFlag{Name: waitFlag, Usage: "give up when the turn has not come after this time, with exit code 7; 0: wait for ever"},
	}
}

// holding is one run of lock or elect.
type holding struct {
	queue, value string
	command      []string // none: hold until a signal comes
	signals      chan os.Signal
}

// queueOf returns the directory of a queue: names lie in a hidden directory, paths are taken as they are.
func queueOf(hidden, name string) string {
	if strings.HasPrefix(name, "/") {
		return strings.TrimRight(name, "/")
	}
	return hidden + "/" + strings.Trim(name, "/")
}

// commandOf drops the "--" in front of a command.
func commandOf(args []string) []string {
	if len(args) > 0 && args[0] == "--" {
		return args[1:]
	}
	return args
}

// hold waits for its turn, holds it while the command runs or until it is told to end, and gives it up.
func (p *program) hold(c *cli.Context, h *holding) error {
	seconds := c.Int(ttlFlag)
	if seconds < 1 {
		return badArguments("--ttl counts seconds: 1 or more")
	}
	if c.Duration(waitFlag) < 0 {
		return badArguments("--wait is how long to wait at most: 0 or more")
	}
	cl, err := p.connect(c)
	if err != nil {
		return err
	}
	h.signals = make(chan os.Signal, 1)
	signal.Notify(h.signals, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(h.signals)
	joining, cancel := limited(c)
	pl, err := join(joining, cl, h.queue, h.value, seconds, p.stderr)
	cancel()
	if err != nil {
		return serverFailure(err)
	}
	err = h.waitTurn(c.Context, pl, c.Duration(waitFlag))
	if err == nil {
		err = p.use(c.Context, pl, h)
	}
	if failed := pl.leave(); failed != nil {
		fmt.Fprintln(p.stderr, failed)
	}
	return err
}

// waitTurn returns nil when it is this place's turn, else what ends the program.
func (h *holding) waitTurn(ctx context.Context, pl *place, limit time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tooLong := &failure{code: exitTooLong, text: fmt.Sprintf("%s is still held by another after %s\n", pl.queue, limit)}
	if limit > 0 {
		defer time.AfterFunc(limit, func() { cancel(tooLong) }).Stop()
	}
	turn := make(chan error, 1)
	go func() { turn <- pl.await(ctx) }()
	var err error
	select {
	case err = <-turn:
	case s := <-h.signals:
		cancel(signalled(s))
		err = <-turn
	}
	switch _, ending := errors.AsType[*failure](err); {
	case err == nil, ending, errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, errGone), errors.Is(err, errUnrefreshed):
		return &failure{code: exitLost, text: fmt.Sprintf("the place in the queue of %s is lost: %v\n", pl.queue, err)}
	}
	return serverFailure(err)
}

// signalled is the end by a signal, as a shell reports it.
func signalled(s os.Signal) *failure {
	number, _ := s.(syscall.Signal)
	return &failure{code: 128 + int(number)}
}

// use holds the place.
func (p *program) use(ctx context.Context, pl *place, h *holding) error {
	var err error
	if len(h.command) > 0 {
		err = p.runHeld(ctx, pl, h)
	} else {
		if _, err := fmt.Fprintf(p.stdout, "%s %d\n", pl.key, pl.index); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-h.signals:
		case <-pl.lost.Done():
		}
	}
	if pl.lost.Err() != nil {
		return &failure{code: exitLost, text: fmt.Sprintf("%s is lost, another may hold it now: %v\n", pl.queue, context.Cause(pl.lost))}
	}
	return err
}

// runHeld runs the command to its end, which comes with the loss of the place at the latest: SIGTERM first, and SIGKILL
// before anybody else can have his turn.
func (p *program) runHeld(ctx context.Context, pl *place, h *holding) error {
	cmd := exec.Command(h.command[0], h.command[1:]...)
	cmd.Env = append(os.Environ(), lockKeyVar+"="+pl.key, lockIndexVar+"="+strconv.FormatUint(pl.index, 10))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.stdin, p.stdout, p.stderr
	cmd.WaitDelay = time.Second // for pipes that its own children still hold
	apart := !anyTerminal(p.stdin, p.stdout, p.stderr)
	if apart {
		separate(cmd)
	}
	if err := cmd.Start(); err != nil {
		return &failure{code: exitBadArguments, text: err.Error() + "\n"}
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	lost, interrupted := pl.lost.Done(), ctx.Done()
	var tooLate <-chan time.Time
	for {
		select {
		case err := <-ended:
			return commandFailure(err)
		case s := <-h.signals:
			tell(cmd, s)
		case <-interrupted:
			interrupted = nil
			if apart { // on a terminal the command has heard of it too
				tell(cmd, os.Interrupt)
			}
		case <-lost:
			lost, tooLate = nil, time.After(pl.grace)
			fmt.Fprintf(p.stderr, "%s is lost, ending the command: %v\n", pl.queue, context.Cause(pl.lost))
			tell(cmd, syscall.SIGTERM)
		case <-tooLate:
			tell(cmd, os.Kill)
		}
	}
}

// commandFailure is the exit code of a command as a shell reports it.
func commandFailure(err error) error {
	exit, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case !ended:
		return &failure{code: exitBadArguments, text: err.Error() + "\n"}
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return &failure{code: 128 + int(status.Signal())}
	}
	return &failure{code: exit.ExitCode()}
}

// anyTerminal says whether somebody sits at one of the streams.
func anyTerminal(streams ...any) bool {
	for _, s := range streams {
		if f, ok := s.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			return true
		}
	}
	return false
}

// identity says who holds a lock, for people who look at it.
func identity() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + ":" + strconv.Itoa(os.Getpid())
}
