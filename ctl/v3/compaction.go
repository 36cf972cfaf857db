package v3

import (
	"context"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"pando/ctl/v3/client"
)

func (p *program) compactionCommand() *cli.Command {
	physical := false
	return p.command(&cli.Command{
		Name: "compaction", Usage: "remove the history before a revision", ArgsUsage: "<revision>",
		Flags: []cli.Flag{boolFlag(&physical, "physical", "wait until the member has removed the history from its disk")},
		Description: `DESCRIPTION:
   Afterwards, reads and watches that need the history before the revision are refused. The present keys stay.

` + p.examples(
			`endpoint status -w fields | grep '"Revision"'`, "see the present revision",
			`compaction 1200`, "forget what was before revision 1200"),
		Action: p.withArguments(1, "compaction command needs 1 argument", func(ctx context.Context, cl *client.Client, args []string) error {
			revision, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return err
			}
			if _, err := cl.KV.Compact(ctx, &pb.CompactionRequest{Revision: revision, Physical: physical}); err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "compacted revision %d\n", revision)
			return err
		}),
	})
}
