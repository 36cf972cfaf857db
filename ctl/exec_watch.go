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
)

func (p *program) execWatchCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "exec-watch", Usage: "watch a key for changes and exec an executable", ArgsUsage: "--recursive <key> -- <command> [args...]",
		Action: p.execWatch,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: afterIndexFlag, Usage: "changes after this index, the server's history permitting"},
			&cli.BoolFlag{Name: recursiveFlag, Aliases: []string{"r"}, Usage: "changes of everything below the key too", DisableDefaultText: true},
		},
		Description: `DESCRIPTION:
   Runs the command once for each change of a key, one at a time and in the order of the changes. It finds
   ETCD_WATCH_ACTION, ETCD_WATCH_KEY, ETCD_WATCH_VALUE and ETCD_WATCH_MODIFIED_INDEX in its environment.
   Write --recursive right before the key and '--' before the command. Without --recursive, write the key behind
   the command: exec-watch <command> [args...] <key>.
   CTRL+C ends it once the running command has ended; a second one at once.

` + p.examples(
			`exec-watch --recursive / -- sh -c "echo change detected."`, "run a command for every change",
			`exec-watch --recursive /conf -- sh -c 'echo "$ETCD_WATCH_KEY=$ETCD_WATCH_VALUE"'`, "use what changed",
			`exec-watch ./apply /conf/version`, "a single key, written last",
			`exec-watch --after-index 1047 --recursive /conf -- ./apply`, "catch up after a pause"),
	})
}

// splitCommand finds the key and the command among the arguments. The parser drops a "--" that no flag came before;
// then the legacy client takes the last word for the key, and so do we. So it is kept only when a switch stood right
// before the key.
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

func (p *program) execWatch(c *cli.Context) error {
	cl, err := p.connect(c)
	if err != nil {
		return err
	}
	key, command, err := splitCommand(c.Args().Slice())
	if err != nil {
		return err
	}
	w := p.newWatcher(c, cl, key)
	w.endless = true
	ctx, cancel := context.WithCancel(c.Context)
	defer cancel()
	changes := readAhead(ctx, w)
	for {
		select {
		case <-c.Context.Done():
			return nil
		case change := <-changes:
			if c.Context.Err() != nil {
				return nil
			}
			if change.err != nil {
				return serverFailure(change.err)
			}
			if err := p.handle(change.event, command); err != nil {
				return err
			}
		}
	}
}

// handle runs the command for one change. How it ends is its own affair; that it can't be started is an error.
func (p *program) handle(e *event, command []string) error {
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
	event *event
	err   error
}

// readAhead reads changes while commands run, however slow they are, so that none falls off the server's history.
// The channel delivers them in order; after an error nothing comes. It ends with ctx.
func readAhead(ctx context.Context, w *watcher) <-chan change {
	read, out := make(chan change), make(chan change)
	go func() {
		for {
			e, err := w.wait(ctx)
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
			var to chan change // nil, and so never chosen, while there is nothing to hand out
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
