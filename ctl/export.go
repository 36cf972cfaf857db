package ctl

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

// entry is one line of an export.
type entry struct {
	Key string `json:"key"`
	Dir bool   `json:"dir,omitempty"`
	// Value is nil for a directory alone.
	Value *string `json:"value,omitempty"`
	// TTL is how many seconds were left when the export was made, Expiration when they end. Both are absent for what
	// lives for ever.
	TTL        int64      `json:"ttl,omitempty"`
	Expiration *time.Time `json:"expiration,omitempty"`
}

func (p *program) exportCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "export", Usage: "print keys, values, directories and their TTLs as JSON lines", ArgsUsage: "[key...]",
		Action: inFormats(p.export, formatSimple, formatJSON),
		Description: `DESCRIPTION:
   Prints one JSON object a line: {"key","value"} for a key, {"key","dir":true} for a directory, each with "ttl" (the
   seconds that are left) and "expiration" (when they end) if it has them. Directories come before what is in them.
   Every key named, or the whole store, is seen as it is at one moment, with all that was acknowledged before.
   No listing shows hidden keys (their name begins with '_'): name them to export them too.
   Bytes that are no UTF-8 can't be read through the v2 API; values that may have had some are counted on stderr.

` + p.examples(
			`export > all.jsonl`, "everything but what is hidden",
			`export / /_locks > all.jsonl`, "and a hidden directory",
			`export /services | jq -r .key`, "use it in a pipe",
			`import < all.jsonl`, "put it into another store; see help import"),
	})
}

func (p *program) export(c *cli.Context) error {
	cl, err := p.connect(c)
	if err != nil {
		return err
	}
	keys := keysOrRoot(c)
	ctx, cancel := unhurried(c, cl)
	defer cancel()
	out := bufio.NewWriter(p.stdout)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	damaged := 0
	for _, key := range keys {
		e, err := cl.read(ctx, key, readOptions{recursive: true, sorted: true, quorum: true})
		if err != nil {
			return serverFailure(err)
		}
		for _, r := range entriesOf(e.Node, nil) {
			if r.damaged() {
				damaged++
			}
			if err := lines.Encode(r); err != nil {
				return err
			}
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if damaged > 0 {
		fmt.Fprintf(p.stderr, "%s with U+FFFD: bytes that are no UTF-8 were replaced by it on the way, if there were any\n", counted(damaged, "value", "values"))
	}
	return nil
}

// entriesOf appends the entries of n and what is in it, each directory before what is in it. The root has none.
func entriesOf(n *node, entries []*entry) []*entry {
	if strings.Trim(n.Key, "/") != "" {
		r := &entry{Key: n.Key, Dir: n.Dir, TTL: n.TTL, Expiration: n.Expiration}
		if !n.Dir {
			r.Value = &n.Value
		}
		entries = append(entries, r)
	}
	for _, child := range n.Nodes {
		entries = entriesOf(child, entries)
	}
	return entries
}

// damaged says whether the value may have been something else before it went through JSON.
func (r *entry) damaged() bool {
	return r.Value != nil && strings.ContainsRune(*r.Value, utf8.RuneError)
}
