package program

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
	"pando/ctl/migrate"
)

const switchHelp = `Makes the cluster of Pando take over from the etcd that it follows. First the cluster takes the latest changes of etcd,
and all keys are compared. Then the cluster is fenced: writes to it wait, usually for less than a second, at most five
seconds. When both sides are equal at one index and etcd does not change any more, the cluster serves writes itself. Its
index is then 1000 above the last one of etcd.

If anything differs, or if clients write to etcd directly meanwhile, the cluster does not take over: it continues to follow
etcd, and the error names the keys. A client that writes rarely may not be noticed. So after the switch the command watches
etcd for five seconds (--watch-source), and names each write that still arrives there: such a write is not in Pando.

Examples:
  pando migrate switch --from http://etcd:2379 --to http://pando:2379`

func (m *migration) switchCommand() *cli.Command {
	return &cli.Command{
		Name: "switch", Usage: "take over from the etcd", Description: switchHelp,
		Flags: append(migrateFlags(), formatOption(),
			&cli.BoolFlag{Name: ignoreUsersFlag, Usage: "switch although users or roles differ, or can't be compared"},
			&cli.DurationFlag{Name: straysFlag, Value: 5 * time.Second,
				Usage: "how long to watch etcd after the switch for writes that still arrive there"}),
		Action: m.switchOver,
	}
}

// switchOver makes the target take over.
func (m *migration) switchOver(c *cli.Context) error {
	output, err := m.printer(c)
	if err != nil {
		return err
	}
	s, err := m.both(c)
	if err != nil {
		return err
	}
	notes := newStatusWriter(m.stderr)
	progress, clear := m.nodesBar("comparing")
	result, err := migrate.Switch(c.Context, s.source, s.target, migrate.SwitchOptions{
		Hidden: s.hidden, IgnoreUsers: c.Bool(ignoreUsersFlag), Note: notes.note, Progress: progress,
	})
	clear()
	if err != nil {
		return failedSwitch(err)
	}
	if err := output(result, switchedText(result)); err != nil {
		return err
	}
	return m.watchSource(c.Context, s.source, result.SourceIndex, c.Duration(straysFlag), notes)
}

// failedSwitch adds to the error of a switch that the cluster has not taken over, unless it has or may have.
func failedSwitch(err error) error {
	if errors.Is(err, migrate.ErrNotFollowing) || errors.Is(err, migrate.ErrInDoubt) {
		return err
	}
	return fmt.Errorf("%w\nNothing has changed: the etcd goes on, and the cluster has not taken over", err)
}

// switchedText describes a switch.
func switchedText(r *migrate.Switched) string {
	return fmt.Sprintf("switched: the cluster has taken over at index %d (the last of etcd is %d), with %d keys and directories\n"+
		"writes waited for %d ms\nNext: point all clients to the cluster, and stop etcd\n",
		r.Index, r.SourceIndex, r.Nodes, r.Fenced.Milliseconds())
}

// watchSource warns about writes that still arrive at the source. They are no error of the switch.
func (m *migration) watchSource(ctx context.Context, source *migrate.Source, index uint64, limit time.Duration, notes *statusWriter) error {
	count, err := migrate.WatchStrays(ctx, source, index, limit, func(text string) {
		notes.note("warning: etcd still changes, and this is not in Pando: " + text)
	})
	switch {
	case ctx.Err() != nil:
		return nil // the switch is done
	case err != nil:
		notes.note("etcd can't be watched any more: " + client.OneLine(err))
	case count > 0:
		notes.note(fmt.Sprintf("warning: etcd has changed %d times after the switch: stop the clients that still use it", count))
	}
	return nil
}
