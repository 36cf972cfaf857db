package ctl

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
	"pando/ctl/terminal"
)

// findOptions are the options of find. A node is found if it meets all conditions.
type findOptions struct {
	name, value, kind             string
	hasTTL, empty, hidden, quorum bool
	newer, older                  uint64 // modifiedIndex; 0: any
	larger                        int64  // bytes of the value; less than 0: any
	depth                         int    // levels below the keys; 0: all
	long, null                    bool
	valuePattern                  *regexp.Regexp
}

func (p *program) findCommand() *cli.Command {
	o := &findOptions{}
	return p.command(&cli.Command{
		Name: "find", Usage: "print the keys and directories that meet conditions", ArgsUsage: "[key...]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "name", Destination: &o.name, Usage: "only those whose last part matches this `GLOB` (*, ?, [a-z])"},
			&cli.StringFlag{Name: "value", Destination: &o.value, Usage: "only keys whose value matches this `REGEXP` (syntax of RE2)"},
			&cli.StringFlag{Name: "type", Destination: &o.kind, Usage: "only keys or only directories: key or dir"},
			boolFlag(&o.hasTTL, "only those that expire", "has-ttl"),
			boolFlag(&o.empty, "only keys with an empty value, and directories with nothing that would be listed", "empty"),
			&cli.Uint64Flag{Name: "newer", Destination: &o.newer,
				Usage: "only those that were changed after `INDEX`: their modifiedIndex is larger"},
			&cli.Uint64Flag{Name: "older", Destination: &o.older, Usage: "only those that were last changed before `INDEX`"},
			&cli.Int64Flag{Name: "larger", Destination: &o.larger, Value: -1, DefaultText: "any",
				Usage: "only keys whose value is longer than `BYTES`"},
			depthOption(&o.depth, "look at most this many levels below the key; 0: all"),
			hiddenOption(&o.hidden),
			boolFlag(&o.long, "print type, bytes, modifiedIndex and TTL, too", "long", "l"),
			boolFlag(&o.null, "end each key with a byte 0 in place of a line break, for xargs -0", "print0", "0"),
			quorumOption(&o.quorum), p.outputOption(),
		},
		Description: `DESCRIPTION:
   Looks at the keys that are named and at everything below them, or at the whole store. Without conditions, it prints all.
   Directories come before what is in them. On a terminal, keys with characters that can't be printed are quoted. Pando
   sends the list by pages of one moment, so that a list of millions needs little memory; etcd sends it as one answer, and
   never lists hidden keys. With -o json, each line is a JSON object.

` + p.examples(
			`find /services --name 'web-*'`, "keys and directories by their name",
			`find --value 'error|fail' --long`, "keys by their value",
			`find / --type dir --empty`, "directories with nothing in them",
			`find / --hidden --has-ttl`, "everything that will expire",
			`find /services --newer 1047`, "what was changed after an index",
			`find /old --type key --print0 | xargs -0 -n 1 `+p.name+` rm`, "use it in a pipe"),
		Action: p.inFormats(p.readingSubtrees(func(ctx context.Context, cl *client.Client, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			for _, key := range keysOrRoot(args) {
				if err := p.find(ctx, cl, key, o); err != nil {
					return err
				}
			}
			return nil
		}), formatSimple, formatJSON),
	})
}

func depthOption(destination *int, usage string) cli.Flag {
	return &cli.IntFlag{Name: "depth", Aliases: []string{"L"}, Destination: destination, Usage: usage}
}

func hiddenOption(destination *bool) cli.Flag {
	return boolFlag(destination, "with hidden keys (a part of their name begins with '_'), if the server lists them", "hidden")
}

// check checks the conditions and prepares them.
func (o *findOptions) check() error {
	if _, err := path.Match(o.name, ""); err != nil {
		return badArguments("--name %q is no pattern: close each [ with ], and write \\* for a star itself", o.name)
	}
	var err error
	if o.valuePattern, err = regexp.Compile(o.value); err != nil {
		return badArguments("--value: %w", err)
	}
	switch o.kind {
	case "f", "file":
		o.kind = "key"
	case "d", "directory":
		o.kind = "dir"
	case "", "key", "dir":
	default:
		return badArguments("--type is %q; it must be key or dir", o.kind)
	}
	return checkDepth(o.depth)
}

func checkDepth(depth int) error {
	if depth < 0 {
		return badArguments("--depth counts levels: 1 or more, or 0 for all of them")
	}
	return nil
}

// needsValues reports whether the conditions or the output need the values of keys.
func (o *findOptions) needsValues(format string) bool {
	return o.value != "" || o.empty || o.larger >= 0 || o.long || format == formatJSON
}

// find prints the nodes at and below a key that meet the conditions.
func (p *program) find(ctx context.Context, cl *client.Client, key string, o *findOptions) error {
	walk := client.WalkOptions{
		Depth: o.depth, Hidden: o.hidden, Quorum: o.quorum, KeysOnly: !o.needsValues(p.globals.output), Note: p.note,
	}
	if o.empty && o.depth > 0 {
		walk.Depth++ // shows whether a directory of the last level is empty
	}
	f := &finding{o: o, out: bufio.NewWriter(p.stdout), format: p.globals.output, quote: terminal.Is(p.stdout) && !o.null}
	var err error
	for n, failed := range cl.Walk(ctx, key, walk) {
		if err = failed; err == nil {
			err = f.next(n)
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = f.end()
	}
	if flushed := f.out.Flush(); flushed != nil {
		return flushed
	}
	if err != nil {
		return serverFailure(err)
	}
	return nil
}

// note prints a line about a list to stderr.
func (p *program) note(text string) { fmt.Fprintln(p.stderr, text) }

// finding is the output of find for one key.
type finding struct {
	o      *findOptions
	out    *bufio.Writer
	format string
	quote  bool         // quote keys with characters that would move the cursor
	base   int          // the number of slashes in the root's key
	begun  bool         // whether the root was seen
	dir    *client.Node // the last node, if it is a directory: the next node shows whether it is empty
}

// next takes the next node of the list.
func (f *finding) next(n *client.Node) error {
	if !f.begun {
		f.begun, f.base = true, depthOf(n.Key)
	}
	if dir := f.dir; dir != nil {
		f.dir = nil
		if err := f.take(dir, !isBelow(n.Key, dir.Key)); err != nil {
			return err
		}
	}
	if n.Dir {
		f.dir = n
		return nil
	}
	return f.take(n, n.Value == "")
}

// end takes the last directory.
func (f *finding) end() error {
	if f.dir == nil {
		return nil
	}
	return f.take(f.dir, true)
}

// take prints a node if it meets the conditions.
func (f *finding) take(n *client.Node, empty bool) error {
	if f.o.depth > 0 && depthOf(n.Key)-f.base > f.o.depth || !f.o.matches(n, empty) {
		return nil
	}
	return f.print(n)
}

// depthOf returns the number of levels of a key below the root.
func depthOf(key string) int {
	if key == "/" {
		return 0
	}
	return strings.Count(key, "/")
}

func (o *findOptions) matches(n *client.Node, empty bool) bool {
	if o.name != "" {
		if ok, _ := path.Match(o.name, path.Base(n.Key)); !ok { // check has checked the pattern
			return false
		}
	}
	switch {
	case o.kind != "" && n.Dir != (o.kind == "dir"),
		n.Dir && (o.value != "" || o.larger >= 0),
		!o.valuePattern.MatchString(n.Value),
		int64(len(n.Value)) <= o.larger,
		o.hasTTL && n.Expiration == nil,
		o.empty && !empty,
		o.newer > 0 && n.ModifiedIndex <= o.newer,
		o.older > 0 && n.ModifiedIndex >= o.older:
		return false
	}
	return true
}

// foundNode is a node as JSON in the output of find. The value is absent for a directory.
type foundNode struct {
	entry
	ModifiedIndex uint64 `json:"modifiedIndex"`
	CreatedIndex  uint64 `json:"createdIndex"`
}

func foundNodeOf(n *client.Node) *foundNode {
	return &foundNode{*entryOf(n), n.ModifiedIndex, n.CreatedIndex}
}

func (f *finding) print(n *client.Node) error {
	if f.format == formatJSON {
		return json.NewEncoder(f.out).Encode(foundNodeOf(n))
	}
	if f.o.long {
		kind, size, ttl := "key", strconv.Itoa(len(n.Value)), unknown
		if n.Dir {
			kind, size = "dir", unknown
		}
		if n.Expiration != nil {
			ttl = strconv.FormatInt(n.TTL, 10)
		}
		fmt.Fprintf(f.out, "%s %9s %10d %8s ", kind, size, n.ModifiedIndex, ttl)
	}
	end := byte('\n')
	if f.o.null {
		end = 0
	}
	key := n.Key
	if f.quote {
		key = printable(key)
	}
	f.out.WriteString(key)
	return f.out.WriteByte(end)
}
