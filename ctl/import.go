package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

const (
	fromFlag  = "from"
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
		Name: "import", Usage: "write what export printed, or what another server holds", ArgsUsage: "[key]", Action: p.importKeys,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: fromFlag, Usage: "read from the etcd (v2) or Pando at these `URLs`, not from stdin"},
			&cli.BoolFlag{Name: forceFlag, Usage: "overwrite keys that have another value", DisableDefaultText: true},
			&cli.BoolFlag{Name: renewFlag, Usage: "start TTLs anew with the seconds that they had left; without it they end when they would have", DisableDefaultText: true},
		},
		Description: `DESCRIPTION:
   Reads JSON lines from stdin (see help export), or everything that is not hidden from a live server; with [key], only
   what is at and below it. Nothing is written before all of it was read and looked through.
   Keys and directories that are there already: the same value is left alone, so an import that was broken off can be
   repeated; with another value, the import is refused and nothing is written, unless --force is given. Directories
   are merged. A directory is never replaced by a key.
   Keys whose TTL has ended meanwhile are left out. createdIndex and modifiedIndex are the new store's own.
   --from uses the certificates and the user of the global options.

` + p.examples(
			`import < all.jsonl`, "everything that is in a file",
			`import /services < all.jsonl`, "only a part",
			`--endpoints http://new:2379 import --from http://old:2379`, "move from etcd to Pando",
			`import --force --renew-ttl < all.jsonl`, "go back to an older state, with sessions alive"),
	})
}

func (p *program) importKeys(c *cli.Context) error {
	cl, err := p.connect(c)
	if err != nil {
		return err
	}
	below := "/" + strings.Trim(c.Args().First(), "/")
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
			err = errors.New("interrupted")
		}
		return failWith(exitServer, fmt.Errorf("%w; %d of %d were written, import again to go on", err, im.written.Load(), len(entries)))
	}
	_, err = fmt.Fprintf(p.stdout, "imported %s; %d were there already, %d have expired\n", counted(int(im.written.Load()), "key or directory", "keys and directories"), im.same, im.expired)
	return err
}

// incoming reads all that is to be imported at and below a key.
func (p *program) incoming(ctx context.Context, c *cli.Context, cl *client, below string) ([]*entry, error) {
	from := c.String(fromFlag)
	if from == "" {
		entries, err := readEntries(p.stdin, below)
		if err != nil {
			return nil, badArguments(err.Error())
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
	return entries, nil
}

// readEntries reads JSON lines and keeps those at and below a key.
func readEntries(in io.Reader, below string) ([]*entry, error) {
	var entries []*entry
	lines := json.NewDecoder(in)
	for n := 1; ; n++ {
		r := &entry{}
		switch err := lines.Decode(r); {
		case errors.Is(err, io.EOF):
			return entries, nil
		case err != nil:
			return nil, fmt.Errorf("object %d of the input: %w; nothing was written", n, err)
		case strings.Trim(r.Key, "/") == "":
			return nil, fmt.Errorf("object %d of the input has no \"key\"; is it an export? Nothing was written", n)
		case r.Dir == (r.Value != nil):
			return nil, fmt.Errorf("object %d of the input (%s) needs either a \"value\" or \"dir\":true; nothing was written", n, r.Key)
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
