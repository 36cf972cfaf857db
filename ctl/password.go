package ctl

import (
	"context"
	"strings"

	"github.com/urfave/cli/v2"

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

// askPassword reads a password from stdin. What follows its line stays in stdin.
func (p *program) askPassword(ctx context.Context, prompt string) (string, error) {
	return terminal.AskPassword(ctx, p.stdin, p.stdout, prompt)
}

// completeUsername sets the option username of a mounted command, if the command has it: from the global --username, unless the option
// has a value of its own. It asks for a password that is missing.
func (p *program) completeUsername(c *cli.Context) error {
	if findFlag(c.Command.Flags, "--"+usernameFlag) == nil {
		return nil
	}
	if own := c.String(usernameFlag); own != "" && c.IsSet(usernameFlag) {
		p.globals.username = own
	}
	if p.globals.username == "" {
		return nil
	}
	user, password, err := p.credentials(c.Context)
	if err != nil {
		return err
	}
	return c.Set(usernameFlag, user+":"+password)
}
