package v3

import (
	"io"

	"github.com/urfave/cli/v2"
)

// versionText is the output of version. Scripts look for the version of etcdctl in it: the one whose commands these are.
const versionText = "etcdctl version: 3.7.3\nAPI version: 3.7\n"

func (p *program) versionCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "version", Usage: "print the version of etcdctl whose commands these are", ArgsUsage: " ",
		Action: func(*cli.Context) error {
			_, err := io.WriteString(p.stdout, versionText)
			return err
		},
	})
}
