package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"

	"pando/ctl/client"
	"pando/ctl/terminal"
)

// importOptions are the options of import.
type importOptions struct {
	from, below      string
	force, renewTTLs bool
}

func (p *program) importCommand() *cli.Command {
	o := &importOptions{}
	return p.command(&cli.Command{
		Name: "import", Usage: "copy an export, or the content of another server, to the cluster", ArgsUsage: "[file]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Destination: &o.from, Usage: "read from the etcd (v2) or Pando at these `URLs`, not from a file"},
			&cli.StringFlag{Name: "below", Destination: &o.below, Usage: "only `KEY` and what is below it"},
			boolFlag(&o.force, "overwrite keys that have another value", "force"),
			boolFlag(&o.renewTTLs,
				"restart each TTL with the seconds that were left at the export; without it, a key expires at the time that the export names",
				"renew-ttl"),
		},
		Description: `DESCRIPTION:
   Reads JSON lines (see help export) from [file], or from stdin, or reads everything that is not hidden from a running
   server. It reads and checks everything before it writes anything. If there is nothing to import, that is an error.
   A key or directory that exists with the same value is left alone, so an import that was interrupted can be repeated. If
   a key exists with another value, the import is refused and nothing is written, unless --force is given. Directories are
   merged. A directory is never replaced by a key.
   Keys that have expired since the export are left out. createdIndex and modifiedIndex are the new store's own.
   --from uses the certificates and the user of the global options.

` + p.examples(
			`import all.jsonl`, "everything that is in a file",
			`import --below /services all.jsonl`, "only a part",
			`--endpoints http://old:2379 export | ssh new pando ctl import`, "through a pipe",
			`--endpoints http://new:2379 import --from http://old:2379`, "move from etcd to Pando",
			`import --force --renew-ttl all.jsonl`, "go back to an older state, and start all TTLs anew"),
		Before: func(c *cli.Context) error {
			if c.NArg() > 0 && o.from != "" || c.NArg() > 1 {
				return badArguments("too many sources: give one file, or --from URLs, or neither for stdin; --below KEY takes a part")
			}
			o.below = "/" + strings.Trim(o.below, "/")
			return nil
		},
		Action: p.inFormats(p.readingSubtrees(func(ctx context.Context, cl *client.Client, args []string) error {
			entries, err := p.entriesToImport(ctx, cl, o, args)
			if err != nil {
				return err
			}
			return p.importEntries(ctx, &importing{client: cl, options: o}, entries)
		}), formatSimple),
	})
}

// importEntries compares the entries with what exists, and writes those that are missing or different.
func (p *program) importEntries(ctx context.Context, im *importing, entries []*entry) error {
	entries, err := im.compare(ctx, im.unexpired(entries, time.Now()))
	if err != nil {
		return err
	}
	bar := terminal.NewBar(p.stderr, "importing", int64(len(entries)),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond))
	err = im.write(ctx, entries, bar)
	_ = bar.Clear()
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return &failure{code: exitInterrupted, text: "interrupted; " + im.progress(len(entries)) + "\n"}
		}
		return serverFailure(fmt.Errorf("%w; %s", err, im.progress(len(entries))))
	}
	_, err = fmt.Fprintf(p.stdout, "imported %s; %d were there already, %d have expired\n",
		counted(int(im.written.Load()), "key or directory", "keys and directories"), im.same, im.expired)
	return err
}

// entriesToImport reads the entries to import, from --from, a file or stdin.
func (p *program) entriesToImport(ctx context.Context, cl *client.Client, o *importOptions, args []string) ([]*entry, error) {
	if o.from != "" {
		return p.readServer(ctx, cl, o)
	}
	file := ""
	if len(args) > 0 {
		file = args[0]
	}
	entries, err := terminal.Interruptible(ctx, func() ([]*entry, error) { return p.readFile(file, o.below) })
	if err != nil {
		return nil, failWith(exitBadArguments, err)
	}
	return entries, nil
}

// readServer reads the entries of the server of --from.
func (p *program) readServer(ctx context.Context, cl *client.Client, o *importOptions) ([]*entry, error) {
	endpoints, err := client.ParseEndpoints(o.from)
	if err != nil {
		return nil, badArguments("--from: %w", err)
	}
	e, err := cl.WithEndpoints(endpoints...).Get(ctx, o.below, client.GetOptions{Recursive: true, Sorted: true, Quorum: true})
	if err != nil {
		return nil, serverFailure(fmt.Errorf("--from %s: %w", o.from, err))
	}
	entries := entriesOf(e.Node, nil)
	for _, e := range entries {
		if e.hasReplacement() {
			fmt.Fprintf(p.stderr, "the value of %s contains U+FFFD: the server may have put it in place of bytes that are not UTF-8\n", e.Key)
		}
	}
	if len(entries) == 0 {
		return nil, serverFailure(fmt.Errorf("nothing to import: %s has nothing that is not hidden at and below %s", o.from, o.below))
	}
	return entries, nil
}

// readFile reads the entries at and below a key from a file, or from stdin if the name is empty.
func (p *program) readFile(name, below string) ([]*entry, error) {
	if name == "" {
		p.announceStdin("the export")
		return readEntries(p.stdin, "standard input", below)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readEntries(f, name, below)
}

// readEntries reads JSON lines and returns the entries at and below a key. It returns an error if there are none. name names
// the input in errors.
func readEntries(in io.Reader, name, below string) ([]*entry, error) {
	var entries []*entry
	lines := &entryReader{lines: json.NewDecoder(in), name: name}
	for {
		r, err := lines.next()
		switch {
		case errors.Is(err, io.EOF) && lines.n == 0:
			return nil, fmt.Errorf("nothing to import: %s is empty", name)
		case errors.Is(err, io.EOF) && len(entries) == 0:
			return nil, fmt.Errorf("nothing to import: none of the %s in %s is at or below %s", counted(lines.n, "entry", "entries"), name, below)
		case errors.Is(err, io.EOF):
			return entries, nil
		case err != nil:
			return nil, fmt.Errorf("%w; nothing was written", err)
		}
		if isBelow(r.Key, below) {
			entries = append(entries, r)
		}
	}
}

// entryReader reads an export. name names the input in errors.
type entryReader struct {
	lines *json.Decoder
	name  string
	n     int // entries that were read
}

// next returns the next entry, with a slash in front of its key. It returns io.EOF at the end.
func (l *entryReader) next() (*entry, error) {
	r := &entry{}
	switch err := l.lines.Decode(r); {
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, fmt.Errorf("object %d of %s: %w", l.n+1, l.name, err)
	case strings.Trim(r.Key, "/") == "":
		return nil, fmt.Errorf("object %d of %s has no \"key\"; is it an export?", l.n+1, l.name)
	case r.Dir == (r.Value != nil):
		return nil, fmt.Errorf("object %d of %s (%s) needs either a \"value\" or \"dir\":true", l.n+1, l.name, r.Key)
	}
	l.n++
	r.Key = cleanKey(r.Key)
	return r, nil
}

// isBelow reports whether key is at or below other.
func isBelow(key, other string) bool {
	return other == "/" || key == other || strings.HasPrefix(key, other+"/")
}
