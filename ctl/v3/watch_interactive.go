package v3

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl/terminal"
	"pando/ctl/v3/client"
)

// watchInteractive reads lines with watches from stdin, and prints the changes of all of them until stdin ends.
func (p *program) watchInteractive(ctx context.Context, cl *client.Client) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := p.newWatching(ctx, cl)
	go func() {
		for {
			if err := w.next(); err != nil && !errors.Is(err, errCanceled) {
				cancel(err)
				return
			}
		}
	}()
	lines := bufio.NewReader(p.stdin)
	for {
		line, err := terminal.Interruptible(ctx, func() (string, error) { return lines.ReadString('\n') })
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if err != nil {
			return fail(exitInvalidInput, "error reading watch request line: %w", err)
		}
		if err := p.watchLine(w, strings.TrimSuffix(line, "\n")); err != nil {
			return err
		}
	}
}

// watchLine executes a line: a watch, or progress. A line that is neither prints what is wrong with it.
func (p *program) watchLine(w *watching, line string) error {
	invalid := func(because string) error {
		_, err := fmt.Fprintf(p.stderr, "Invalid command %s (%s)\n", line, because)
		return err
	}
	words, err := splitWords(line)
	switch {
	case err != nil:
		return invalid(err.Error())
	case len(words) == 0:
		_, err := fmt.Fprintf(p.stderr, "Invalid command: %s (watch and progress supported)\n", line)
		return err
	case words[0] == "progress":
		w.watcher.Progress()
		return nil
	case words[0] != "watch":
		return invalid("only support watch")
	}
	var command []string
	if i := slices.Index(words, "--"); i >= 0 {
		words, command = words[:i], words[i+1:]
	}
	o := &watchOptions{}
	flags := o.flags()
	n := &normalizer{flags: flags, globals: flags, values: map[cli.Flag]string{}}
	if err := n.walk(words[1:]); err != nil {
		return &failure{exitBadArguments, err}
	}
	if _, fromVariable := p.variable("ETCDCTL_WATCH_KEY"); len(n.arguments) == 0 && !fromVariable {
		return invalid("command type or key is not provided")
	}
	return parseWords(flags, words, func(args []string) error {
		if err := w.add(o, args, command); !errors.Is(err, errCanceled) {
			return err
		}
		return nil
	})
}
