package ctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

func (p *program) execWatchCommand() *cli.Command {
	o := &watchOptions{forever: true}
	return p.command(&cli.Command{
		Name: "exec-watch", Usage: "watch a key for changes and exec an executable", ArgsUsage: "--recursive <key> -- <command> [args...]",
		Flags: o.flags(),
		Description: `DESCRIPTION:
   Runs the command once for each change of a key, one at a time and in the order of the changes. The environment of the
   command has ETCD_WATCH_ACTION, ETCD_WATCH_KEY, ETCD_WATCH_VALUE and ETCD_WATCH_MODIFIED_INDEX.
   Write --recursive right before the key and '--' before the command. Without --recursive, write the key after the
   command: exec-watch <command> [args...] <key>.
   CTRL+C ends exec-watch after the running command has ended; a second CTRL+C ends it at once.

` + p.examples(
			`exec-watch --recursive / -- sh -c "echo change detected."`, "run a command for every change",
			`exec-watch --recursive /conf -- sh -c 'echo "$ETCD_WATCH_KEY=$ETCD_WATCH_VALUE"'`, "use what changed",
			`exec-watch ./apply /conf/version`, "a single key, written last",
			`exec-watch --after-index 1047 --recursive /conf -- ./apply`, "catch up after a pause"),
		Action: p.waiting(func(ctx context.Context, cl *client.Client, args []string) error {
			key, command, err := splitCommand(args)
			if err != nil {
				return err
			}
			return p.execWatch(ctx, o.watch(p, cl, key), command)
		}),
	})
}

// splitCommand finds the key and the command in the arguments. The parser of options removes a "--" unless a switch came
// right before the key; in that case the last word is the key, as in the legacy client.
func splitCommand(args []string) (key string, command []string, err error) {
	if len(args) < 2 {
		return "", nil, badArguments("key and command to exec required")
	}
	if slices.Contains(args[1:], "--") {
		key, command = args[0], args[2:]
	} else {
		key, command = args[len(args)-1], args[:len(args)-1]
	}
	if len(command) == 0 {
		return "", nil, badArguments("key and command to exec required")
	}
	return key, command, nil
}

// execWatch runs the command for each change until ctx is done.
func (p *program) execWatch(ctx context.Context, w *client.Watcher, command []string) error {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := readAhead(reading, w)
	for {
		select {
		case <-ctx.Done():
			return nil
		case change := <-changes:
			if ctx.Err() != nil {
				return nil
			}
			if change.err != nil {
				return serverFailure(change.err)
			}
			if err := p.runForChange(change.event, command); err != nil {
				return err
			}
		}
	}
}

// runForChange runs the command for one change. It returns an error if the command can't be started, whatever its exit code.
func (p *program) runForChange(e *client.Event, command []string) error {
	if e.Node.Dir {
		fmt.Fprintf(p.stderr, "Ignored dir %s change\n", e.Node.Key)
		return nil
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(),
		"ETCD_WATCH_ACTION="+e.Action,
		"ETCD_WATCH_KEY="+e.Node.Key,
		"ETCD_WATCH_VALUE="+e.Node.Value,
		"ETCD_WATCH_MODIFIED_INDEX="+strconv.FormatUint(e.Node.ModifiedIndex, 10),
	)
	cmd.Stdout, cmd.Stderr = p.stdout, p.stderr
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		return &failure{code: exitBadArguments, text: err.Error()}
	}
	return nil
}

// change is an event, or the error that ended the watch.
type change struct {
	event *client.Event
	err   error
}

// readAhead reads changes while commands run. Otherwise a slow command could make the watch fall behind the history of the
// server. The channel delivers the changes in order; an error is the last element. The goroutines end with ctx.
func readAhead(ctx context.Context, w *client.Watcher) <-chan change {
	read, out := make(chan change), make(chan change)
	go func() {
		for {
			e, err := w.Next(ctx)
			select {
			case read <- change{e, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	go func() {
		var queue []change
		for {
			var first change
			var to chan change // nil while the queue is empty: a send to nil is never chosen
			if len(queue) > 0 {
				first, to = queue[0], out
			}
			select {
			case c := <-read:
				queue = append(queue, c)
			case to <- first:
				queue = queue[1:]
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
