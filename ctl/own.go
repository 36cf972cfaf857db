package ctl

import "github.com/urfave/cli/v2"

// ownCommands are those that the legacy client does not have, in the order of help.
func (p *program) ownCommands() []*cli.Command {
	return []*cli.Command{
		p.treeCommand(), p.exportCommand(), p.importCommand(), p.endpointCommands(), p.snapshotCommands(),
		p.lockCommand(), p.electCommand(), p.benchCommand(), p.completionCommand(),
	}
}
