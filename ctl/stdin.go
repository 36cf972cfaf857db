package ctl

import (
	"context"
	"fmt"
	"io"
)

// interruptible runs a read that can't be broken off, of a terminal or a pipe say, and returns the error of ctx as soon
// as that is done. Then the read goes on in the background until its source ends.
func interruptible[T any](ctx context.Context, read func() (T, error)) (T, error) {
	var result T
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		result, err = read()
	}()
	select {
	case <-done:
		return result, err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// announceStdin tells somebody who sits at a terminal that the command waits for him.
func (p *program) announceStdin(what string) {
	if anyTerminal(p.stdin) {
		fmt.Fprintf(p.stderr, "reading %s from the terminal; CTRL+D on an empty line ends it\n", what)
	}
}

// readStdin reads standard input to its end.
func (p *program) readStdin(ctx context.Context, what string) ([]byte, error) {
	p.announceStdin(what)
	return interruptible(ctx, func() ([]byte, error) { return io.ReadAll(p.stdin) })
}
