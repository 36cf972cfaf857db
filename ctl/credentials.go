package ctl

import (
	"bufio"
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
		password, err = p.askPassword()
	}
	return user, password, err
}

// askPassword reads a line from stdin, without echo on a terminal. The end of the input is an empty password.
func (p *program) askPassword() (string, error) {
	if _, err := fmt.Fprint(p.stdout, "Password: "); err != nil {
		return "", err
	}
	defer fmt.Fprintln(p.stdout)
	if f, ok := p.stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		line, err := term.ReadPassword(int(f.Fd()))
		return string(line), err
	}
	// The end of the input and a broken input both mean: no password. The server will say what it thinks of that.
	line, _ := bufio.NewReader(p.stdin).ReadString('\n')
	return strings.TrimRight(line, "\r\n"), nil
}
