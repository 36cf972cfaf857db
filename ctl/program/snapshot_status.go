package program

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"pando/members"
	"pando/members/config"
	"pando/storage"
)

func statusCommand(stdout io.Writer) *cli.Command {
	var format string
	return &cli.Command{
		Name: "status", Usage: "check a snapshot and print what is in it", ArgsUsage: "FILE",
		Description: `Reads and checks every byte of the file. If the file is damaged, the command fails.

Examples:
  pando snapshot status backup.snap
  pando snapshot status backup.snap -w json | jq .index`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "write-out", Aliases: []string{"w"}, Destination: &format, Value: "table",
				Usage: "`FORMAT` of the answer: table or json"},
		},
		Action: withFile(func(c *cli.Context, file string) error {
			format, err := config.ParseChoice(format, "table", "json")
			if err != nil {
				return config.AsUsage(fmt.Errorf("--write-out: %w", err))
			}
			info, err := inspect(c.Context, file)
			if err != nil {
				return err
			}
			if format == "json" {
				return json.NewEncoder(stdout).Encode(newStatus(info))
			}
			return writeStatusTable(stdout, newStatus(info))
		}),
	}
}

// status is what "pando snapshot status -w json" prints.
type status struct {
	Hash      string `json:"hash"`      // SHA-256 of the file up to itself
	Format    int    `json:"format"`    // of the file
	Size      int64  `json:"size"`      // of the file, in bytes
	Cluster   string `json:"cluster"`   // the cluster that it was saved from
	Member    string `json:"member"`    // and the member
	Index     uint64 `json:"index"`     // of the last change, as in X-Etcd-Index
	RaftIndex uint64 `json:"raftIndex"` // position in the log
	RaftTerm  uint64 `json:"raftTerm"`
	Level     uint64 `json:"featureLevel"` // a program that serves less refuses the file
	Keys      int64  `json:"keys"`         // files and directories
	Bytes     int64  `json:"bytes"`        // of their paths and values
	Events    uint64 `json:"events"`       // in the history
}

func newStatus(i *storage.SnapshotInfo) status {
	return status{
		Hash: fmt.Sprintf("%x", i.SHA256), Format: i.Version, Size: i.Size,
		Cluster: members.ID(i.Identity.ClusterID).String(), Member: members.ID(i.Identity.MemberID).String(),
		Index: i.Index, RaftIndex: i.Applied, RaftTerm: i.Term, Level: i.Level,
		Keys: i.Nodes, Bytes: i.TreeBytes, Events: i.Events,
	}
}

func writeStatusTable(w io.Writer, s status) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range []struct {
		name  string
		value any
	}{
		{"hash", s.Hash}, {"format", s.Format}, {"size", humanize.IBytes(uint64(s.Size))},
		{"cluster", s.Cluster}, {"member", s.Member},
		{"index", s.Index}, {"raft index", s.RaftIndex}, {"raft term", s.RaftTerm}, {"feature level", s.Level},
		{"keys", s.Keys}, {"bytes", humanize.IBytes(uint64(s.Bytes))}, {"events", s.Events},
	} {
		if _, err := fmt.Fprintf(t, "%s\t%v\n", row.name, row.value); err != nil {
			return err
		}
	}
	return t.Flush()
}
