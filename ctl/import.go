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

	"github.com/urfave/cli/v2"
)

const (
	fromFlag  = "from"
	belowFlag = "below"
	forceFlag = "force"
	renewFlag = "renew-ttl"
)

// importers is how many keys are written side by side: servers write them together.
const importers = 16

// writePatience is how long a member may take for one key, unless the user's --timeout is shorter.
const writePatience = 30 * time.Second

// shownConflicts is how many of them are named.
const shownConflicts = 10

func (p *program) importCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "import", Usage: "write what export printed, or what another server holds", ArgsUsage: "[file]", Action: inFormats(p.importKeys, formatSimple),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: fromFlag, Usage: "read from the etcd (v2) or Pando at these `URLs`, not from a file"},
			&cli.StringFlag{Name: belowFlag, Usage: "only `KEY` and what is below it"},
			&cli.BoolFlag{Name: forceFlag, Usage: "overwrite keys that have another value", DisableDefaultText: true},
			&cli.BoolFlag{Name: renewFlag, Usage: "start TTLs anew with the seconds that they had left; without it they end when they would have", DisableDefaultText: true},
		},
		Description: `DESCRIPTION:
   Reads JSON lines (see help export) from [file], from stdin without one, or everything that is not hidden from a live
   server. Nothing is written before all of it was read and looked through; that there is nothing to write is an error.
   Keys and directories that are there already: the same value is left alone, so an import that was broken off can be
   repeated; with another value, the import is refused and nothing is written, unless --force is given. Directories
   are merged. A directory is never replaced by a key.
   Keys whose TTL has ended meanwhile are left out. createdIndex and modifiedIndex are the new store's own.
   --from uses the certificates and the user of the global options.

` + p.examples(
			`import all.jsonl`, "everything that is in a file",
			`import --below /services all.jsonl`, "only a part",
			`--endpoints http://old:2379 export | ssh new pando ctl import`, "through a pipe",
			`--endpoints http://new:2379 import --from http://old:2379`, "move from etcd to Pando",
			`import --force --renew-ttl all.jsonl`, "go back to an older state, with sessions alive"),
	})
}

func (p *program) importKeys(c *cli.Context) error {
	if c.NArg() > 0 && c.String(fromFlag) != "" || c.NArg() > 1 {
		return badArguments("import reads one file, or stdin, or another server (--from); --below KEY takes a part of it")
	}
	cl, err := p.connect(c)
	if err != nil {
		return err
	}
	below := "/" + strings.Trim(c.String(belowFlag), "/")
	ctx, cancel := unhurried(c, cl)
	defer cancel()
	entries, err := p.incoming(ctx, c, cl, below)
	if err != nil {
		return err
	}
	im := &importing{client: cl, force: c.Bool(forceFlag), renew: c.Bool(renewFlag)}
	entries = im.living(entries, time.Now())
	if entries, err = im.compare(ctx, entries, below); err != nil {
		return err
	}
	bar := p.importBar(len(entries))
	err = im.write(ctx, entries, bar)
	_ = bar.Clear() // a bar that stays does no harm
	if err != nil {
		if ctx.Err() != nil && c.Context.Err() != nil {
			return &failure{code: exitInterrupted, text: "interrupted; " + im.progress(len(entries)) + "\n"}
		}
		return failWith(exitServer, fmt.Errorf("%w; %s", err, im.progress(len(entries))))
	}
	_, err = fmt.Fprintf(p.stdout, "imported %s; %d were there already, %d have expired\n", counted(int(im.written.Load()), "key or directory", "keys and directories"), im.same, im.expired)
	return err
}

// incoming reads all that is to be imported at and below a key.
func (p *program) incoming(ctx context.Context, c *cli.Context, cl *client, below string) ([]*entry, error) {
	from := c.String(fromFlag)
	if from == "" {
		entries, err := interruptible(ctx, func() ([]*entry, error) { return p.readFile(c.Args().First(), below) })
		if err != nil {
			return nil, failWith(exitBadArguments, err)
		}
		return entries, nil
	}
	endpoints, err := parseEndpoints(strings.Split(from, ","))
	if err != nil {
		return nil, badArguments("--from: " + err.Error())
	}
	source := *cl
	source.endpoints, source.pinned = endpoints, 0
	e, err := source.read(ctx, below, readOptions{recursive: true, sorted: true, quorum: true})
	if err != nil {
		return nil, serverFailure(fmt.Errorf("--from %s: %w", from, err))
	}
	entries := entriesOf(e.Node, nil)
	for _, r := range entries {
		if r.damaged() {
			fmt.Fprintf(p.stderr, "%s holds U+FFFD: if it held bytes that are no UTF-8, these were lost on the way\n", r.Key)
		}
	}
	if len(entries) == 0 {
		return nil, failWith(exitServer, fmt.Errorf("nothing to import: %s holds nothing that is not hidden at and below %s", from, below))
	}
	return entries, nil
}

// readFile reads the entries at and below a key from a file, or from stdin if it has no name.
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

// readEntries reads JSON lines and keeps those at and below a key. The name of the input is for errors; that nothing is
// there to keep is one.
func readEntries(in io.Reader, name, below string) ([]*entry, error) {
	var entries []*entry
	lines := json.NewDecoder(in)
	for n := 1; ; n++ {
		r := &entry{}
		switch err := lines.Decode(r); {
		case errors.Is(err, io.EOF) && n == 1:
			return nil, fmt.Errorf("nothing to import: %s is empty", name)
		case errors.Is(err, io.EOF) && len(entries) == 0:
			return nil, fmt.Errorf("nothing to import: none of the %s in %s is at or below %s", counted(n-1, "entry", "entries"), name, below)
		case errors.Is(err, io.EOF):
			return entries, nil
		case err != nil:
			return nil, fmt.Errorf("object %d of %s: %w; nothing was written", n, name, err)
		case strings.Trim(r.Key, "/") == "":
			return nil, fmt.Errorf("object %d of %s has no \"key\"; is it an export? Nothing was written", n, name)
		case r.Dir == (r.Value != nil):
			return nil, fmt.Errorf("object %d of %s (%s) needs either a \"value\" or \"dir\":true; nothing was written", n, name, r.Key)
		}
		r.Key = "/" + strings.Trim(r.Key, "/")
		if isBelow(r.Key, below) {
			entries = append(entries, r)
		}
	}
}

// isBelow says whether key is at or below another.
func isBelow(key, other string) bool {
	return other == "/" || key == other || strings.HasPrefix(key, other+"/")
}
