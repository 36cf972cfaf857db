package ctl

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

// entry is one line of an export.
type entry struct {
	Key string `json:"key"`
	Dir bool   `json:"dir,omitempty"`
	// Value is nil for a directory, and for nothing else.
	Value *string `json:"value,omitempty"`
	// TTL is the number of seconds that were left at the time of the export, Expiration the time when they end. Both are
	// absent if the entry has no TTL.
	TTL        int64      `json:"ttl,omitempty"`
	Expiration *time.Time `json:"expiration,omitempty"`
}

// The formats of export.
const (
	exportJSON   = "json"
	exportScript = "etcdctl"
)

func (p *program) exportCommand() *cli.Command {
	var format string
	return p.command(&cli.Command{
		Name: "export", Usage: "print keys, values, directories and their TTLs as JSON lines or as a script", ArgsUsage: "[key...]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Destination: &format, Value: exportJSON,
				Usage: "`FORMAT` of the output: json, or etcdctl for a shell script of commands of the legacy etcdctl"},
		},
		Description: `DESCRIPTION:
   Prints one JSON object a line: {"key","value"} for a key, {"key","dir":true} for a directory, each with "ttl" (the
   seconds that are left) and "expiration" (when it expires) if it has a TTL. Directories come before what is in them.
   Each key that is named, or the whole store, is read as it is at one moment, with every write that was acknowledged
   before. No listing shows hidden keys (their name begins with '_'): name them to export them too.
   The v2 API can't carry bytes that are not UTF-8; it replaces them by U+FFFD. Values with that character are counted on
   stderr. Keys of the v3 API that the v2 API does not show, and leases, are not exported either; an export of the whole store
   counts those of a server of Pando on stderr. Users and roles are not exported. Snapshot save has all of these.
   A script of --format etcdctl runs one command of etcdctl for each key: about a hundred in a second.

` + p.examples(
			`export > all.jsonl`, "everything that is not hidden",
			`export / /_locks > all.jsonl`, "and a hidden directory",
			`export /services | jq -r .key`, "use it in a pipe",
			`import < all.jsonl`, "put it into another store; see help import",
			`export --format etcdctl > all.sh`, "for a machine with etcdctl and without pando",
			`--endpoints http://etcd:2379 import all.jsonl`, "go back to etcd"),
		Action: p.inFormats(p.readingSubtrees(func(ctx context.Context, cl *client.Client, args []string) error {
			return p.export(ctx, cl, format, args)
		}), formatSimple, formatJSON),
	})
}

func (p *program) export(ctx context.Context, cl *client.Client, format string, args []string) error {
	if format != exportJSON && format != exportScript {
		return badArguments("--format is %q; it must be %s or %s", format, exportJSON, exportScript)
	}
	out := bufio.NewWriter(p.stdout)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	script := &scriptWriter{out: out}
	write := func(e *entry) error { return lines.Encode(e) }
	if format == exportScript {
		io.WriteString(out, scriptHead)
		write = func(e *entry) error { script.write(e); return nil }
	}
	replaced := 0 // values with U+FFFD
	dirs, whole := exportedDirs{}, false
	for _, key := range keysOrRoot(args) {
		whole = whole || strings.Trim(key, "/") == ""
		e, err := cl.Get(ctx, key, client.GetOptions{Recursive: true, Sorted: true, Quorum: true})
		if err != nil {
			return serverFailure(err)
		}
		for _, r := range entriesOf(e.Node, nil) {
			if r.hasReplacement() {
				replaced++
			}
			if r.Dir {
				dirs[r.Key] = true
			}
			if err := write(r); err != nil {
				return err
			}
		}
		script.end()
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if replaced > 0 {
		fmt.Fprintf(p.stderr, "values that contain U+FFFD: %d. The server may have put it in place of bytes that are not UTF-8\n", replaced)
	}
	if whole {
		p.warnOfV3(ctx, cl, dirs)
	}
	if script.leftOut > 0 {
		return failWith(exitServer, fmt.Errorf("keys with the byte 0 in their names, which the script has in comments alone: %d; "+
			"export them as JSON lines", script.leftOut))
	}
	return nil
}

// entriesOf appends the entries of n and of everything in it, each directory before what is in it. The root has no entry.
func entriesOf(n *client.Node, entries []*entry) []*entry {
	if strings.Trim(n.Key, "/") != "" {
		entries = append(entries, entryOf(n))
	}
	for _, child := range n.Nodes {
		entries = entriesOf(child, entries)
	}
	return entries
}

// entryOf returns the entry of n alone.
func entryOf(n *client.Node) *entry {
	r := &entry{Key: n.Key, Dir: n.Dir, TTL: n.TTL, Expiration: n.Expiration}
	if !n.Dir {
		r.Value = &n.Value
	}
	return r
}

// hasReplacement reports whether the value has U+FFFD, which may stand for bytes that JSON can't carry.
func (r *entry) hasReplacement() bool {
	return r.Value != nil && strings.ContainsRune(*r.Value, utf8.RuneError)
}
