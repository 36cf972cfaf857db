package ctl

import (
	"context"
	"fmt"
	"os"
	"strings"

	"pando/ctl/terminal"
)

// credentials returns the user and password of --username. It asks for a password that is missing.
func (p *program) credentials(ctx context.Context) (user, password string, err error) {
	if p.globals.username == "" {
		return "", "", nil
	}
	user, password, found := strings.Cut(p.globals.username, ":")
	if !found {
		password, err = p.askPassword(ctx, "Password: ")
	}
	return user, password, err
}

// askPassword prints a prompt and reads a line from stdin, without echo on a terminal. It removes white space at both ends, as
// the legacy client does. The end of the input is an empty password. What follows the line stays in stdin.
func (p *program) askPassword(ctx context.Context, prompt string) (string, error) {
	if _, err := fmt.Fprint(p.stdout, prompt); err != nil {
		return "", err
	}
	defer fmt.Fprintln(p.stdout)
	var line string
	var err error
	if terminal.Is(p.stdin) {
		line, err = terminal.ReadPassword(ctx, p.stdin.(*os.File))
	} else {
		line, err = terminal.ReadLine(ctx, p.stdin)
	}
	return strings.TrimSpace(line), err
}
