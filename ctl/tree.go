package ctl

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

func (p *program) treeCommand() *cli.Command {
	var o treeOptions
	return p.command(&cli.Command{
		Name: "tree", Usage: "draw directories with everything in them", ArgsUsage: "[key...]",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "depth", Aliases: []string{"L"}, Destination: &o.depth, Usage: "draw at most this many levels; 0: all"},
			boolFlag(&o.ascii, "draw with plain ASCII characters", "ascii"),
			quorumOption(&o.quorum),
		},
		Description: `DESCRIPTION:
   Draws the whole store, or the keys that are named, as tree(1) draws files. Directories end in a slash. The counts at
   the end are of what was drawn below the keys that were named. No listing of a server shows hidden keys (their name
   begins with '_'), so there is no option for them: name a hidden directory to see what is in it.

` + p.examples(
			`tree`, "everything",
			`tree --depth 2 /services`, "two levels of a part",
			`tree / /_locks`, "a hidden directory too"),
		Before: func(*cli.Context) error {
			if o.depth < 0 {
				return badArguments("--depth counts levels: 1 or more, or 0 for all of them")
			}
			return nil
		},
		Action: p.inFormats(p.readingSubtrees(func(ctx context.Context, cl *client.Client, args []string) error {
			return p.drawTrees(ctx, cl, keysOrRoot(args), o)
		}), formatSimple),
	})
}

// treeOptions are the options of tree.
type treeOptions struct {
	depth         int // levels; 0: all
	ascii, quorum bool
}

func (p *program) drawTrees(ctx context.Context, cl *client.Client, keys []string, o treeOptions) error {
	d := &drawing{out: bufio.NewWriter(p.stdout), depth: o.depth, lines: &unicodeLines}
	if o.ascii {
		d.lines = &asciiLines
	}
	for _, key := range keys {
		e, err := cl.Get(ctx, key, client.GetOptions{Recursive: o.depth != 1, Sorted: true, Quorum: o.quorum})
		if err != nil {
			return serverFailure(err)
		}
		d.root(e.Node)
	}
	fmt.Fprintf(d.out, "\n%s, %s\n", counted(d.dirs, "directory", "directories"), counted(d.keys, "key", "keys"))
	return d.out.Flush()
}

// lines are the pieces of a drawing. All have the same width.
type lines struct{ branch, last, trunk, gap string }

var (
	unicodeLines = lines{"├── ", "└── ", "│   ", "    "}
	asciiLines   = lines{"|-- ", "`-- ", "|   ", "    "}
)

// drawing is one output of tree. out keeps its first error.
type drawing struct {
	out        *bufio.Writer
	lines      *lines
	depth      int // levels; 0: all
	dirs, keys int // drawn below the roots
}

func (d *drawing) root(n *client.Node) {
	name := n.Key
	if n.Dir && !strings.HasSuffix(name, "/") {
		name += "/"
	}
	fmt.Fprintln(d.out, printable(name))
	if !n.Dir {
		d.keys++
	}
	d.below(n, "", 1)
}

// below draws the nodes below n. level is 1 for the children of a root.
func (d *drawing) below(n *client.Node, indent string, level int) {
	if d.depth > 0 && level > d.depth {
		return
	}
	for i, child := range n.Nodes {
		piece, next := d.lines.branch, d.lines.trunk
		if i == len(n.Nodes)-1 {
			piece, next = d.lines.last, d.lines.gap
		}
		name := printable(child.Key[strings.LastIndexByte(child.Key, '/')+1:])
		if child.Dir {
			d.dirs++
			name += "/"
		} else {
			d.keys++
		}
		io.WriteString(d.out, indent+piece+name+"\n")
		d.below(child, indent+next, level+1)
	}
}

// printable quotes a name with characters that would break the drawing.
func printable(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
