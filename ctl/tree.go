package ctl

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/urfave/cli/v2"
)

const (
	depthFlag = "depth"
	asciiFlag = "ascii"
)

// patience is how long a member may take for an answer that holds a whole subtree, unless the user set --timeout.
const patience = 5 * time.Minute

// unhurried returns the context of a command that moves whole subtrees, and gives its client the time for them. Limits
// that the user set himself stay.
func unhurried(c *cli.Context, cl *client) (context.Context, context.CancelFunc) {
	if !c.IsSet(timeoutFlag) {
		cl.headerTimeout = patience
	}
	return reading(c)
}

func (p *program) treeCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "tree", Usage: "draw directories with all that is in them", ArgsUsage: "[key...]", Action: inFormats(p.tree, formatSimple),
		Flags: []cli.Flag{
			&cli.IntFlag{Name: depthFlag, Aliases: []string{"L"}, Usage: "draw at most this many levels; 0: all"},
			&cli.BoolFlag{Name: asciiFlag, Usage: "draw with plain ASCII characters", DisableDefaultText: true},
			quorumOption(),
		},
		Description: `DESCRIPTION:
   Draws the whole store, or the keys that are named, as tree(1) draws files. Directories end in a slash; the counts at
   the end are of what was drawn below the keys that were named. No listing of a server shows hidden keys (their name
   begins with '_'), so there is no -a: name them to see what is in them.

` + p.examples(
			`tree`, "everything",
			`tree --depth 2 /services`, "two levels of a part",
			`tree / /_locks`, "a hidden directory too"),
	})
}

func (p *program) tree(c *cli.Context) error {
	if c.Int(depthFlag) < 0 {
		return badArguments("--depth counts levels: 1 or more, or 0 for all")
	}
	cl, err := p.connect(c)
	if err != nil {
		return err
	}
	keys := keysOrRoot(c)
	depth := c.Int(depthFlag)
	if depth < 0 {
		return badArguments("--depth counts levels: 1 or more, or 0 for all of them")
	}
	ctx, cancel := unhurried(c, cl)
	defer cancel()
	d := &drawing{out: bufio.NewWriter(p.stdout), depth: depth, lines: &unicodeLines}
	if c.Bool(asciiFlag) {
		d.lines = &asciiLines
	}
	for _, key := range keys {
		e, err := cl.read(ctx, key, readOptions{recursive: depth != 1, sorted: true, quorum: c.Bool(quorumFlag)})
		if err != nil {
			return serverFailure(err)
		}
		d.root(e.Node)
	}
	fmt.Fprintf(d.out, "\n%s, %s\n", counted(d.dirs, "directory", "directories"), counted(d.keys, "key", "keys"))
	return d.out.Flush()
}

// lines are the pieces that a tree is drawn with, all of one width.
type lines struct{ branch, last, trunk, gap string }

var (
	unicodeLines = lines{"├── ", "└── ", "│   ", "    "}
	asciiLines   = lines{"|-- ", "`-- ", "|   ", "    "}
)

// drawing is a tree on its way to a writer, which keeps its first error.
type drawing struct {
	out        *bufio.Writer
	lines      *lines
	depth      int // levels; 0: all
	dirs, keys int // drawn below the roots
}

func (d *drawing) root(n *node) {
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

// below draws what is in n, at a level counted from 1.
func (d *drawing) below(n *node, indent string, level int) {
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

// printable quotes a name that would spoil the drawing.
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
