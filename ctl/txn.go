package ctl

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
	"pando/ctl/terminal"
)

func (p *program) txnCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "txn", Usage: "change and read several keys as one, if conditions hold", ArgsUsage: "[file]",
		Flags: []cli.Flag{p.outputOption()},
		Description: txnHelp + p.examples(
			`txn move.json`, "the transaction that is in a file",
			`txn <<< '{"then":[{"action":"delete","key":"/a"},{"action":"delete","key":"/b"}]}'`, "both or neither",
			`txn < move.json || test $? = 8`, "both lists are fine, errors are not",
			`-o json txn move.json | jq '.results[0].node.modifiedIndex'`, "use the answer in a pipe"),
		Action: p.inFormats(p.waiting(func(ctx context.Context, cl *client.Client, args []string) error {
			if len(args) > 1 {
				return badArguments("txn takes one file, or none for standard input")
			}
			transaction, err := p.readTransaction(ctx, args)
			if err != nil {
				return err
			}
			ctx, cancel := p.globals.limited(ctx)
			defer cancel()
			r, err := cl.Txn(ctx, transaction)
			if err != nil {
				return serverFailure(err)
			}
			return p.printTransaction(r)
		}), formatSimple, formatJSON),
	})
}

const txnHelp = `DESCRIPTION:
   Needs Pando. Sends the JSON object in [file], or on standard input, which may look like this:
      {"compare": [{"key": "/accounts/a", "prevValue": "100"},
                   {"key": "/accounts/b", "prevExist": false}],
       "then":    [{"action": "set", "key": "/accounts/a", "value": "70"},
                   {"action": "set", "key": "/accounts/b", "value": "30"}],
       "else":    [{"action": "get", "key": "/accounts", "recursive": true}]}
   If all conditions in "compare" hold, the operations of "then" are executed, and otherwise those of "else": in their
   order, in one step, all or none. A list may be left out.
   Conditions: "prevExist", "prevValue", "prevIndex". Actions: get, set, create, update, createInOrder, delete, with the
   fields "value", "ttl", "dir", "recursive", "refresh", "prevValue" and "prevIndex" as far as they make sense.
   If an operation fails, nothing is changed; the error names it: then[1] is the second one of "then".
   On a terminal the results are printed as a table, and otherwise as the JSON of the server.
   Exit code 0: "then" was executed. 8: "else" was executed. 4: nothing was, or the outcome is not known if the error says so.

`

// readTransaction returns the content of the named file, or of stdin.
func (p *program) readTransaction(ctx context.Context, args []string) (string, error) {
	if len(args) == 0 || args[0] == "-" {
		data, err := p.readStdin(ctx, "the transaction in JSON")
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case err != nil:
			return "", badArguments("standard input: %w", err)
		case len(bytes.TrimSpace(data)) == 0:
			return "", badArguments("standard input is empty; it must be a transaction in JSON, see help txn")
		}
		return string(data), nil
	}
	data, err := terminal.Interruptible(ctx, func() ([]byte, error) { return os.ReadFile(args[0]) }) // it may be a named pipe
	if err != nil {
		return "", failWith(exitBadArguments, err)
	}
	return string(data), nil
}

// printTransaction prints the result of a transaction. It returns a failure without a text if "else" was executed.
func (p *program) printTransaction(r *client.TxnResult) error {
	output := append(bytes.TrimSuffix(r.Body, []byte("\n")), '\n')
	if p.globals.output == formatSimple && terminal.Is(p.stdout) {
		output = transactionTable(r)
	}
	if _, err := p.stdout.Write(output); err != nil {
		return err
	}
	if !r.Succeeded {
		return &failure{code: exitElse}
	}
	return nil
}

// transactionTable returns the lines for a terminal.
func transactionTable(r *client.TxnResult) []byte {
	var table bytes.Buffer
	list, reason := "then", "all conditions held"
	if !r.Succeeded {
		list, reason = "else", "not all conditions held"
	}
	fmt.Fprintf(&table, "%s: %q was executed, at index %d\n", reason, list, r.Index)
	if len(r.Results) == 0 {
		return table.Bytes()
	}
	aligned := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(aligned, "OPERATION\tACTION\tKEY\tINDEX\tVALUE\tBEFORE")
	for i, e := range r.Results {
		before := unknown
		if e.PrevNode != nil {
			before = shownValue(e.PrevNode)
		}
		value := shownValue(e.Node)
		if e.Action == "delete" || e.Action == "compareAndDelete" {
			value = unknown
		}
		key := e.Node.Key
		if key == "" { // the root has none
			key = "/"
		}
		fmt.Fprintf(aligned, "%s[%d]\t%s\t%s\t%s\t%s\t%s\n", list, i, e.Action, printable(dirSlash(key, e.Node.Dir)),
			strconv.FormatUint(e.Node.ModifiedIndex, 10), value, before)
	}
	_ = aligned.Flush() // a buffer takes everything
	return table.Bytes()
}

// shownValue returns the value of a key on one line, or what is known about a directory.
func shownValue(n *client.Node) string {
	if !n.Dir {
		return quoteValue(n.Value)
	}
	if len(n.Nodes) == 0 {
		return "(directory)"
	}
	return fmt.Sprintf("(directory: %d shown)", len(n.Nodes))
}
