package ctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// credentials returns the user and password of --username, asking for a password that is missing.
func (p *program) credentials(c *cli.Context) (user, password string, err error) {
	given := setting(c, userFlag)
	if given == "" {
		return "", "", nil
	}
	user, password, found := strings.Cut(given, ":")
	if !found {
		password, err = p.askPassword(c.Context)
	}
	return user, password, err
}

// askPassword reads a line from stdin, without echo on a terminal. The end of the input is an empty password.
func (p *program) askPassword(ctx context.Context) (string, error) {
	if _, err := fmt.Fprint(p.stdout, "Password: "); err != nil {
		return "", err
	}
	defer fmt.Fprintln(p.stdout)
	if f, ok := p.stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return readPassword(ctx, int(f.Fd()))
	}
	return interruptible(ctx, func() (string, error) {
		// The end of the input and a broken input both mean: no password. The server will say what it thinks of that.
		line, _ := bufio.NewReader(p.stdin).ReadString('\n')
		return strings.TrimRight(line, "\r\n"), nil
	})
}

// readPassword reads a line from a terminal without echo. The terminal is left as it was, also after CTRL+C.
func readPassword(ctx context.Context, terminal int) (string, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	second, release, err := duplicate(terminal)
	if err != nil {
		return "", err
	}
	line, err := interruptible(ctx, func() ([]byte, error) { return term.ReadPassword(second) })
	release() // before the state is put back: a read that begins late must not change it once more
	if ctx.Err() != nil {
		return "", errors.Join(ctx.Err(), term.Restore(terminal, before))
	}
	return string(line), err
}
