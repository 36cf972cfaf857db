package ctl

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/urfave/cli/v2"
)

const localFlag = "local"

// SnapshotPatience is how long a member may take until a snapshot begins, unless the user says otherwise: it writes a
// checkpoint first.
const SnapshotPatience = time.Minute

// snapshotCommands is the snapshot group. What needs no running server is not the client's.
func (p *program) snapshotCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "snapshot", Usage: "save the state of a running Pando to a file",
		Description: "SEE ALSO:\n   pando snapshot status FILE     what a snapshot holds, and whether it is whole\n" +
			"   pando snapshot restore FILE    a new data directory from it",
		Subcommands: []*cli.Command{
			p.command(&cli.Command{
				Name: "save", Usage: "save all keys, hidden ones too, as they are at one moment", ArgsUsage: "<file>",
				Action: inFormats(p.saveSnapshot, formatSimple),
				Flags:  []cli.Flag{&cli.BoolFlag{Name: localFlag, Usage: "what one member has, without asking the others, when the cluster has lost its quorum", DisableDefaultText: true}},
				Description: `DESCRIPTION:
   Any member will do. The file has all that was acknowledged before; one that is there already is replaced when the new one
   has come whole. A member that does not begin within a minute (or --timeout), or pauses for half a minute, is given
   up for the next one. Works with Pando only.

` + p.examples(
					`snapshot save backup.snap`, "then: pando snapshot status backup.snap",
					`--no-sync --endpoints http://10.0.0.1:2379 snapshot save --local rescue.snap`, "from a member that is left alone"),
			}),
		},
	})
}

func (p *program) saveSnapshot(c *cli.Context) error {
	if c.NArg() != 1 {
		return badArguments("snapshot save needs the name of one file")
	}
	file := c.Args().First()
	cl, err := p.connect(c)
	if err != nil {
		return err
	}
	ctx, cancel := unhurried(c, cl)
	defer cancel()
	query := url.Values{}
	if c.Bool(localFlag) {
		query.Set("local", "true")
	}
	r := &request{method: http.MethodGet, path: "/v2/snapshot", query: query}
	d := &Download{File: file, Transport: cl.transport, Progress: p.stderr, Check: p.host.CheckSnapshot, Begin: SnapshotPatience}
	if c.IsSet(timeoutFlag) {
		d.Begin = c.Duration(timeoutFlag)
	}
	endpoint, size, err := d.SaveFrom(ctx, cl.endpoints, func(ctx context.Context, endpoint *url.URL) (*http.Request, error) {
		return cl.httpRequest(ctx, requestURL(endpoint, r), r)
	})
	if err != nil {
		return failWith(exitServer, fmt.Errorf("%s was not saved: %w", file, err))
	}
	_, err = fmt.Fprintf(p.stdout, "saved %s: %s from %s\n", file, ByteCount(uint64(size)), endpoint)
	return err
}
