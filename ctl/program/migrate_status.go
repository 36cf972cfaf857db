package program

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl/migrate"
	"pando/tree"
)

const statusHelp = `Shows the phase of the cluster, its index and that of the etcd, and the state of each member. Without --from it shows
only the cluster.

The phases:
  following   the cluster takes the changes of etcd; writes of clients are forwarded or refused
  fenced      a switch is in progress, which takes seconds. If it was killed, start pando migrate, which ends the fence
              after 30 seconds, or repeat pando migrate switch
  none        the cluster follows no etcd: it has taken over, or was made without --follow

Examples:
  pando migrate status --from http://etcd:2379 --to http://pando:2379`

func (m *migration) statusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "show how far the cluster has followed the etcd", Description: statusHelp,
		Flags: append(migrateFlags(), formatOption()), Action: m.status,
	}
}

// status prints the state of the migration.
func (m *migration) status(c *cli.Context) error {
	output, err := m.printer(c)
	if err != nil {
		return err
	}
	if err := refuseUnknownFlags(c); err != nil {
		return err
	}
	var source *migrate.Source
	if option(c, fromFlag) != "" {
		if source, err = m.source(c); err != nil {
			return err
		}
	}
	target, err := m.target(c)
	if err != nil {
		return err
	}
	status, err := migrate.GetStatus(c.Context, source, target)
	if err != nil {
		return err
	}
	return output(status, statusText(status))
}

// statusText describes the state of a migration.
func statusText(s *migrate.Status) string {
	var b strings.Builder
	phase, source, distance, writes := s.Phase, "unknown until pando migrate was started", fmt.Sprintf(", behind by %d", s.Behind), "refused"
	switch {
	case s.Phase == tree.MirrorPhase(0).String():
		phase += " (not following: it has taken over, or was never made to follow)"
		source, distance, writes = "none", "", "served"
	case s.ForwardWrites:
		writes = "forwarded to the source"
	}
	if len(s.Source) > 0 {
		source = strings.Join(s.Source, ",")
	}
	index := fmt.Sprint(s.Index)
	if s.SourceIndex > 0 {
		index += fmt.Sprintf(" (source %d%s)", s.SourceIndex, distance)
	}
	fmt.Fprintf(&b, "phase    %s\nsource   %s\nindex    %s\nwrites   %s\n", phase, source, index, writes)
	for _, m := range s.Members {
		if m.State == nil {
			fmt.Fprintf(&b, "member   %s: %s\n", m.Name, m.Error)
			continue
		}
		fmt.Fprintf(&b, "member   %s: %s, index %d, forwarding %d\n", m.Name, m.State.Phase, m.State.Index, m.State.Forwarding)
	}
	return b.String()
}
