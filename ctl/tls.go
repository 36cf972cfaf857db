package ctl

import (
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
)

// The names of the files that tls init makes in its directory. The key of NAME.pem is NAME-key.pem.
const (
	caName       = "ca"
	serverName   = "server"
	peerName     = "peer"
	clientPrefix = "client-" // followed by the name of the client
)

// certFiles are the paths of a certificate and its key.
type certFiles struct{ cert, key string }

// certFilesIn returns the files of a certificate that tls init makes.
func certFilesIn(dir, name string) certFiles {
	return certFiles{filepath.Join(dir, name+".pem"), filepath.Join(dir, name+"-key.pem")}
}

// tlsCommands returns the group tls. Its commands work on files, without a server.
func (p *program) tlsCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "tls", Usage: "make certificates for a cluster, and check them",
		Subcommands: []*cli.Command{p.tlsInitCommand(), p.tlsCheckCommand()},
	})
}

// splitList returns the items of lists that are separated by commas, without blanks.
func splitList(lists []string) []string {
	var items []string
	for _, list := range lists {
		for item := range strings.SplitSeq(list, ",") {
			if item = strings.TrimSpace(item); item != "" {
				items = append(items, item)
			}
		}
	}
	return items
}
