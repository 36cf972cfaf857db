package ctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"

	"pando/ctl/client"
	"pando/ctl/diff"
	"pando/ctl/terminal"
	"pando/tree"
)

// diffOptions are the options of diff, and the clients of its two sides.
type diffOptions struct {
	ttl, indexes, hidden, keysOnly, brief, absent bool
	connected, unconnected                        *client.Client // for keys, and for URLs; nil before the first use
}

func (p *program) diffCommand() *cli.Command {
	o := &diffOptions{}
	c := p.command(&cli.Command{
		Name: "diff", Usage: "compare two subtrees, servers, exports or snapshots", ArgsUsage: "<a> <b>",
		Flags: []cli.Flag{
			boolFlag(&o.ttl, "compare the times of expiry, too; a second is no difference", "ttl"),
			boolFlag(&o.indexes, "compare createdIndex and modifiedIndex, too", "indexes"),
			hiddenOption(&o.hidden),
			boolFlag(&o.keysOnly, "compare only which keys and directories there are", "keys-only"),
			boolFlag(&o.brief, "print only the keys that differ, without values", "brief", "q"),
			boolFlag(&o.absent, "treat a subtree that does not exist as empty", "new-file", "N"),
			p.outputOption(),
		},
		Description: diffHelp + p.examples(
			`diff /config/blue /config/green`, "two subtrees of the cluster",
			`diff http://old:2379 http://new:2379`, "two servers; etcd or Pando",
			`diff http://old:2379 http://new:2379/config`, "a part of them",
			`diff all.jsonl /`, "what has changed since an export",
			`diff --hidden monday.snap tuesday.snap`, "two snapshots, with hidden keys",
			`diff --ttl --indexes monday.snap /config`, "a part of a snapshot, and the cluster",
			`diff - /config < other.jsonl`, "an export of a cluster that needs another user or other certificates",
			`diff -q a.jsonl b.jsonl && echo same`, "for scripts: the exit code"),
		Action: p.withTrouble(p.inFormats(func(c *cli.Context) error {
			args := c.Args().Slice()
			if len(args) != 2 || args[0] == "-" && args[1] == "-" {
				return badArguments("diff takes two subtrees, such as /a /b, URL URL or FILE /; at most one of them may be -")
			}
			ctx, cancel := p.globals.limitedIfSet(c.Context)
			defer cancel()
			return p.diff(ctx, args[0], args[1], o)
		}, formatSimple, formatJSON)),
	})
	usage := c.OnUsageError
	c.OnUsageError = func(ctx *cli.Context, err error, sub bool) error { return asTrouble(usage(ctx, err, sub)) }
	return c
}

const diffHelp = `DESCRIPTION:
   <a> and <b> are each one of
      /KEY          a subtree of the cluster of the global options
      URL[/KEY]     a subtree of another server, with the certificates and the user of the global options
      FILE[:/KEY]   an export (pando ctl export), or a snapshot (pando snapshot save); file:/PATH for an absolute path
      -             an export on standard input
   Without a /KEY, a URL or a file stands for the key that the other one names, or for all. Keys are compared relative
   to <a> and <b>. A line is printed for each difference: - if only <a> has the key, + if only <b> has it, ~ if both have
   it and it differs. Values of several lines are shown as diff -u shows them.
   Without --hidden, hidden keys count on neither side; etcd does not list them, and an export has those that were named.
   Keys of the v3 API that the v2 API does not show, and leases, are not compared.
   Pando is read by pages, and files are sorted on the disk, so the size does not matter; etcd sends one answer. Where
   one side is a server or an export, bytes that are not UTF-8 count as U+FFFD, because JSON can't carry them.
   With -o json, each line is a JSON object with "key" (relative), "change" and the nodes "a" and "b".
   Exit code 0: no difference. 1: differences. 2: the comparison failed.

`

// withTrouble returns an action with the exit codes of diff(1): each failure but that of a difference is 2.
func (p *program) withTrouble(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error { return asTrouble(action(c)) }
}

func asTrouble(err error) error {
	if err == nil || errors.Is(err, errAnswered) {
		return err
	}
	f, ok := errors.AsType[*failure](err)
	switch {
	case !ok:
		return &failure{exitTrouble, err.Error() + "\n", err}
	case f.code == exitDifferent && f.text == "", f.code == exitInterrupted:
		return err
	}
	return &failure{exitTrouble, f.text, f.cause}
}

// diff prints the differences of two sides. It returns a failure with exitDifferent if there are any.
func (p *program) diff(ctx context.Context, a, b string, o *diffOptions) error {
	sideA, err := p.openSide(ctx, a, b, o)
	if err != nil {
		return err
	}
	defer sideA.close()
	sideB, err := p.openSide(ctx, b, a, o)
	if err != nil {
		return err
	}
	defer sideB.close()
	for _, s := range []*side{sideA, sideB} {
		if o.indexes && !s.hasIndexes {
			return badArguments("%s is an export, which has no indexes; compare it without --indexes", s.name)
		}
	}
	d := &differences{
		o: o, a: sideA, b: sideB, stdout: p.stdout, out: bufio.NewWriter(p.stdout), format: p.globals.output, colors: terminal.Colors(p.stdout),
		criteria: diff.Criteria{
			Values: !o.keysOnly, Expiry: o.ttl, Slack: time.Second, Indexes: o.indexes, Text: !sideA.exact || !sideB.exact,
		},
	}
	progress := io.Discard
	if !terminal.Is(p.stdout) { // otherwise the differences are the progress
		progress = p.stderr
	}
	bar := terminal.NewBar(progress, "comparing", -1, progressbar.OptionShowCount())
	err = d.run(ctx, bar)
	_ = bar.Clear()
	if flushed := d.out.Flush(); flushed != nil {
		return flushed
	}
	if err != nil {
		return serverFailure(err)
	}
	if d.replaced > 0 {
		fmt.Fprintf(p.stderr, "values that contain U+FFFD: %d. A server may have put it in place of different bytes\n", d.replaced)
	}
	if d.count > 0 {
		return &failure{code: exitDifferent}
	}
	return nil
}

// run compares all nodes.
func (d *differences) run(ctx context.Context, bar *progressbar.ProgressBar) error {
	for pair, err := range diff.Merge(d.rooted(d.a), d.rooted(d.b)) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			_ = bar.Add(1)
			err = d.pair(pair)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rooted returns the nodes of a side. If the subtree does not exist, that is an error, unless --new-file is given.
func (d *differences) rooted(s *side) diff.Nodes {
	return func(yield func(*client.Node, error) bool) {
		empty := true
		for n, err := range s.nodes {
			if empty && d.o.absent && client.HasCode(err, tree.CodeKeyNotFound) {
				return
			}
			empty = false
			if client.HasCode(err, tree.CodeKeyNotFound) && isFile(s.name) {
				err = fmt.Errorf("%w; for the file of this name write file:%s", err, s.name)
			}
			if !yield(n, err) {
				return
			}
		}
		if empty && s.key != "/" && !d.o.absent {
			yield(nil, fmt.Errorf("%s has nothing at and below %s; --new-file compares with nothing", s.name, s.key))
		}
	}
}

// pair prints the difference of two nodes, if there is one. The directory that is the root of one side alone is no difference: what is in
// it is, if anything.
func (d *differences) pair(pair diff.Pair) error {
	a, b := pair.A, pair.B
	if pair.Key() == "/" && (a == nil && b.Dir || b == nil && a.Dir) {
		return nil
	}
	if d.criteria.Text && d.criteria.Values && a != nil && b != nil && strings.ContainsRune(a.Value, utf8.RuneError) {
		d.replaced++
	}
	if d.criteria.Equal(a, b) {
		return nil
	}
	d.count++
	return d.print(pair)
}
