// Package terminal has what the client needs at a terminal: progress bars, colors, whole screens, passwords without echo, and input that
// CTRL+C interrupts.
//
// Its functions may be called from any goroutine. They draw nothing on a stream that is no terminal. Colors are in color.go, the Screen is
// in screen.go, and the rest is in this file.
package terminal

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// barWidth is the width of a progress bar, in characters, without its label.
const barWidth = 30

// Is reports whether a stream is a terminal.
func Is(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// NewBar returns a progress bar of total steps, or one without an end if total is -1. Clear removes it. If w is no terminal,
// the bar is invisible. Drawing is best effort: callers may ignore the errors of the bar.
func NewBar(w io.Writer, label string, total int64, more ...progressbar.Option) *progressbar.ProgressBar {
	if !Is(w) {
		w = io.Discard
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(label),
		progressbar.OptionSetWidth(barWidth), progressbar.OptionClearOnFinish(),
	}
	return progressbar.NewOptions64(total, append(options, more...)...)
}

// Interruptible calls read, for a read that no context can end, such as one from a terminal or a pipe. When ctx is done,
// Interruptible returns the error of ctx at once, and read continues in the background until its source ends.
func Interruptible[T any](ctx context.Context, read func() (T, error)) (T, error) {
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

// AskPassword prints a prompt to output and reads a password from input: from a terminal without echo, from any other input a line. It
// removes white space at both ends, as the legacy client does. At the end of the input the password is empty.
func AskPassword(ctx context.Context, input io.Reader, output io.Writer, prompt string) (string, error) {
	if _, err := io.WriteString(output, prompt); err != nil {
		return "", err
	}
	defer io.WriteString(output, "\n")
	read := func() (string, error) { return ReadLine(ctx, input) }
	if Is(input) {
		read = func() (string, error) { return ReadPassword(ctx, input.(*os.File)) }
	}
	line, err := read()
	return strings.TrimSpace(line), err
}

// ReadLine reads a line and returns it without its line break. At the end of the input, or after an error of reading, it returns
// what it has read until then. It reads byte by byte, so that the next reader of input gets what follows the line.
func ReadLine(ctx context.Context, input io.Reader) (string, error) {
	return Interruptible(ctx, func() (string, error) {
		var line []byte
		for b := make([]byte, 1); ; {
			n, err := input.Read(b)
			if n > 0 && b[0] == '\n' || err != nil {
				return strings.TrimSuffix(string(line), "\r"), nil
			}
			line = append(line, b[:n]...)
		}
	})
}

// ReadPassword reads a line from a terminal without echo. It restores the terminal, also when ctx ends first.
func ReadPassword(ctx context.Context, terminal *os.File) (string, error) {
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	// The read uses a descriptor of its own. After an interrupt it continues in the background; closing its descriptor
	// keeps it from changing the state of the terminal after that was restored.
	second, err := syscall.Dup(fd)
	if err != nil {
		return "", err
	}
	line, err := Interruptible(ctx, func() ([]byte, error) { return term.ReadPassword(second) })
	_ = syscall.Close(second) // nothing was written to it, so an error does not matter
	if ctx.Err() != nil {
		return "", errors.Join(ctx.Err(), term.Restore(fd, before))
	}
	return string(line), err
}
