package ctl

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"

	"pando/ctl/client"
	"pando/ctl/terminal"
)

// duOptions are the options of du.
type duOptions struct {
	depth                       int
	order                       string
	hidden, exact, keys, quorum bool
	limit                       int
}

// The values of du --sort.
const (
	byBytes = "bytes"
	byKeys  = "keys"
	byName  = "name"
)

func (p *program) duCommand() *cli.Command {
	o := &duOptions{}
	return p.command(&cli.Command{
		Name: "du", Usage: "count the keys and bytes of each directory", ArgsUsage: "[key...]",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "depth", Aliases: []string{"L"}, Destination: &o.depth, Value: 1,
				Usage: "print directories of this many levels below the key; 0: only the key itself"},
			&cli.StringFlag{Name: "sort", Destination: &o.order, Value: byBytes, Usage: "largest first, by bytes or keys; or by name"},
			&cli.IntFlag{Name: "limit", Aliases: []string{"n"}, Destination: &o.limit, Usage: "print only the first `N` directories; 0: all"},
			boolFlag(&o.keys, "print keys, too, and not only directories", "all", "a"),
			hiddenOption(&o.hidden),
			boolFlag(&o.exact, "print bytes as numbers on a terminal, too", "bytes", "b"),
			quorumOption(&o.quorum), p.outputOption(),
		},
		Description: `DESCRIPTION:
   Prints a line for each directory: the bytes of the paths and values in it, its keys, its directories, and its path. The
   last line is the key that is named, or the whole store. The bytes of the whole store with --hidden are the SIZE of
   endpoint status. What the keys take in memory and on the disk is more.
   On a terminal, the lines are a table with a title and sizes are rounded. Elsewhere, they are numbers between tabs. With
   -o json, each line is a JSON object. Pando sends the keys by pages of one moment, etcd as one answer.

` + p.examples(
			`du`, "the directories of the root, the largest first",
			`du /services --depth 2 -n 10`, "the ten largest of two levels",
			`du / --hidden --sort keys`, "where most of the keys are",
			`du /logs --all`, "single keys, too",
			`-o json du / | jq -s 'map(.bytes) | max'`, "use it in a pipe"),
		Action: p.inFormats(p.readingSubtrees(func(ctx context.Context, cl *client.Client, args []string) error {
			if o.order != byBytes && o.order != byKeys && o.order != byName {
				return badArguments("--sort is %q; it must be %s, %s or %s", o.order, byBytes, byKeys, byName)
			}
			if o.limit < 0 || o.depth < 0 {
				return badArguments("--limit and --depth are 0 or more")
			}
			var all []*usage
			for _, key := range keysOrRoot(args) {
				list, err := p.measure(ctx, cl, key, o)
				if err != nil {
					return serverFailure(err)
				}
				all = append(all, list...)
			}
			return p.printUsage(all, o)
		}), formatSimple, formatJSON),
	})
}

// usage is what a directory and everything in it takes, or a key. As JSON it is a line of du.
type usage struct {
	Key   string `json:"key"`
	Dir   bool   `json:"dir"`
	Bytes int64  `json:"bytes"` // of the paths and values, its own path included
	Keys  int64  `json:"keys"`
	Dirs  int64  `json:"dirs"` // below it
}

func (u *usage) add(n *client.Node) {
	if n.Key != "/" { // the root takes nothing
		u.Bytes += int64(len(n.Key) + len(n.Value))
	}
	switch {
	case !n.Dir:
		u.Keys++
	case n.Key != u.Key:
		u.Dirs++
	}
}

// measure returns the usage of the directories below a key, sorted, and then that of the key. The memory depends on the number of
// these directories alone.
func (p *program) measure(ctx context.Context, cl *client.Client, key string, o *duOptions) ([]*usage, error) {
	bar := terminal.NewBar(p.stderr, "counting", -1, progressbar.OptionShowCount())
	defer func() { _ = bar.Clear() }()
	var root *usage
	var all, open []*usage // open: the directories above the next node that are in all, from the root on
	for n, err := range cl.Walk(ctx, key, client.WalkOptions{Hidden: o.hidden, Quorum: o.quorum, Note: p.note}) {
		if err != nil {
			return nil, err
		}
		_ = bar.Add(1)
		for len(open) > 0 && !isBelow(n.Key, open[len(open)-1].Key) {
			open = open[:len(open)-1]
		}
		own := &usage{Key: n.Key, Dir: n.Dir}
		switch {
		case root == nil:
			root = own
			open = append(open, own)
		case depthOf(n.Key)-depthOf(root.Key) > o.depth:
		case n.Dir:
			all, open = append(all, own), append(open, own)
		case o.keys:
			all = append(all, own)
			own.add(n)
		}
		for _, u := range open {
			u.add(n)
		}
	}
	slices.SortFunc(all, func(a, b *usage) int {
		first := 0
		switch o.order {
		case byBytes:
			first = cmp.Compare(b.Bytes, a.Bytes)
		case byKeys:
			first = cmp.Compare(b.Keys, a.Keys)
		}
		return cmp.Or(first, client.CompareKeys(a.Key, b.Key))
	})
	if o.limit > 0 && len(all) > o.limit {
		all = all[:o.limit]
	}
	return append(all, root), nil
}

func (p *program) printUsage(all []*usage, o *duOptions) error {
	out := bufio.NewWriter(p.stdout)
	switch {
	case p.globals.output == formatJSON:
		lines := json.NewEncoder(out)
		for _, u := range all {
			_ = lines.Encode(u) // out keeps the first error
		}
	case terminal.Is(p.stdout):
		out.Write(usageTable(all, o.exact))
	default:
		for _, u := range all {
			fmt.Fprintf(out, "%d\t%d\t%d\t%s\n", u.Bytes, u.Keys, u.Dirs, u.path())
		}
	}
	return out.Flush()
}

// path returns the key, with a slash at the end of that of a directory.
func (u *usage) path() string { return dirSlash(u.Key, u.Dir) }

// dirSlash appends a slash to the key of a directory.
func dirSlash(key string, dir bool) string {
	if dir && !strings.HasSuffix(key, "/") {
		return key + "/"
	}
	return key
}

// usageTable returns the lines for a terminal.
func usageTable(all []*usage, exact bool) []byte {
	var table bytes.Buffer
	aligned := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(aligned, "BYTES\tKEYS\tDIRS\t  PATH")
	for _, u := range all {
		size := humanize.IBytes(uint64(u.Bytes))
		if exact {
			size = strconv.FormatInt(u.Bytes, 10)
		}
		fmt.Fprintf(aligned, "%s\t%d\t%d\t  %s\n", size, u.Keys, u.Dirs, printable(u.path()))
	}
	_ = aligned.Flush() // a buffer takes everything
	return table.Bytes()
}
