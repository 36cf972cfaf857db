package program

import (
	"fmt"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"

	"pando/ctl/migrate"
	"pando/ctl/terminal"
)

const compareHelp = `Compares all keys and directories of the etcd and of the cluster of Pando that follows it: values, indexes, TTLs,
hidden keys, users and roles, but not passwords, which no API shows. Clients may write meanwhile; pando migrate must be running.
Keys that change all the time are only counted here; switch compares them. Exit code 0: equal; 1: different, or not compared.

Examples:
  pando migrate compare --from http://etcd:2379 --to http://pando:2379
  pando migrate compare --from http://etcd:2379 --to http://pando:2379 --format json`

func (m *migration) compareCommand() *cli.Command {
	return &cli.Command{
		Name: "compare", Usage: "compare the etcd with the cluster that follows it", Description: compareHelp,
		Flags: append(migrateFlags(), formatOption()), Action: m.compare,
	}
}

// compare prints the differences. It returns an exit code if there are any.
func (m *migration) compare(c *cli.Context) error {
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
	result, err := migrate.Compare(c.Context, s.source, s.target, migrate.CompareOptions{
		Hidden: s.hidden, Note: notes.note, Progress: progress,
	})
	clear()
	if err != nil {
		return err
	}
	if err := output(result, comparisonText(result)); err != nil {
		return err
	}
	if !result.Equal {
		return silentExit(ExitFailure)
	}
	return nil
}

// comparisonText describes a comparison.
func comparisonText(r *migrate.Comparison) string {
	verdict := "equal"
	if !r.Equal {
		verdict = "different"
	}
	text := fmt.Sprintf("%s: %d keys and directories compared (%d hidden ones by their paths), source at index %d, target at %d\n",
		verdict, r.Nodes, r.Hidden, r.SourceIndex, r.TargetIndex)
	if r.Changing > 0 {
		text += fmt.Sprintf("%d keys and directories changed until the end, and were left out: pando migrate switch compares them\n", r.Changing)
	}
	return text + r.Text()
}

// nodesBar returns a function that shows the number of compared nodes on a terminal, and one that removes it.
func (m *migration) nodesBar(label string) (progress func(nodes int64), clear func()) {
	bar := terminal.NewBar(m.stderr, label, -1, progressbar.OptionShowCount())
	return func(nodes int64) { _ = bar.Set64(nodes) }, func() { _ = bar.Clear() }
}
