package ctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"pando/ctl/terminal"
)

// Environment variables of the command that runs while a lock is held.
const (
	lockKeyVar   = "PANDO_LOCK_KEY"
	lockIndexVar = "PANDO_LOCK_INDEX"
)

// runChild runs the command of lock or elect to its end. When the lock is lost, the command gets SIGTERM, and SIGKILL before
// another can hold the lock.
func (p *program) runChild(ctx context.Context, q *contender, a *acquisition) error {
	cmd := exec.Command(a.command[0], a.command[1:]...)
	cmd.Env = append(os.Environ(), lockKeyVar+"="+q.key, lockIndexVar+"="+strconv.FormatUint(q.index, 10))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.stdin, p.stdout, p.stderr
	cmd.WaitDelay = time.Second // processes that the command has started may hold its pipes open
	// The command gets a process group of its own, so that signals also reach the processes that it starts. At a terminal it
	// stays in the group to which the terminal sends CTRL+C.
	ownGroup := !terminal.Is(p.stdin) && !terminal.Is(p.stdout) && !terminal.Is(p.stderr)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: ownGroup}
	if err := cmd.Start(); err != nil {
		return &failure{code: exitBadArguments, text: err.Error() + "\n"}
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	lost, interrupted := q.lost.Done(), ctx.Done()
	var graceOver <-chan time.Time
	for {
		select {
		case err := <-ended:
			return childFailure(err)
		case s := <-a.signals:
			signalChild(cmd, s)
		case <-interrupted:
			interrupted = nil
			if ownGroup { // otherwise the terminal has sent CTRL+C to the command
				signalChild(cmd, os.Interrupt)
			}
		case <-lost:
			lost, graceOver = nil, time.After(q.grace)
			fmt.Fprintf(p.stderr, "%s is lost, ending the command: %v\n", q.queue, context.Cause(q.lost))
			signalChild(cmd, syscall.SIGTERM)
		case <-graceOver:
			signalChild(cmd, os.Kill)
		}
	}
}

// signalChild sends a signal to the command, and to its process group if it has one of its own. It does nothing if the
// command has ended.
func signalChild(cmd *exec.Cmd, s os.Signal) {
	if number, ok := s.(syscall.Signal); ok && cmd.SysProcAttr.Setpgid {
		_ = syscall.Kill(-cmd.Process.Pid, number)
		return
	}
	_ = cmd.Process.Signal(s)
}

// childFailure returns the failure for a command that has ended, with the exit code that a shell would report; nil for 0.
func childFailure(err error) error {
	exit, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case !ended:
		return &failure{code: exitBadArguments, text: err.Error() + "\n"}
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return signalFailure(status.Signal())
	}
	return &failure{code: exit.ExitCode()}
}
