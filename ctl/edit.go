package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
	"pando/ctl/diff"
	"pando/ctl/terminal"
	"pando/tree"
)

// editOptions are the options of edit.
type editOptions struct {
	create, hex, keepNewline bool
	ttl                      int
	ttlGiven                 bool
	editor                   string
}

func (p *program) editCommand() *cli.Command {
	o := &editOptions{}
	return p.command(&cli.Command{
		Name: "edit", Usage: "change the value of a key in an editor", ArgsUsage: "<key>",
		Flags: []cli.Flag{
			boolFlag(&o.create, "make the key if it does not exist", "create"),
			boolFlag(&o.hex, "edit the bytes as hexadecimal digits; the default for values that are not text", "hex"),
			boolFlag(&o.keepNewline, "store the file as it is, with the line break that editors add at the end", "keep-newline"),
			&cli.IntFlag{Name: "ttl", Destination: &o.ttl, DefaultText: "the key expires when it would have", Usage: "seconds to live; 0: forever"},
			&cli.StringFlag{Name: "editor", Destination: &o.editor, EnvVars: []string{"VISUAL", "EDITOR"}, Value: "vi", Usage: "the `COMMAND`"},
		},
		Description: `DESCRIPTION:
   Opens the value in $VISUAL, $EDITOR or vi, in a file that only you can read, and writes it if nobody else has written
   the key meanwhile. If somebody has, edit shows the differences and asks what to do. It never loses the text: it names
   the file if it ends without having written it. An empty or unchanged file is not written.
   If the value does not end in a line break, or is new, one line break at the end of the file is removed, because editors
   add it. The key expires when it would have: edit sends the seconds that are left, because a write without a TTL would
   make the key live forever.

` + p.examples(
			`edit /config/app.yml`, "change a value",
			`edit --create /config/new.json`, "or make it",
			`edit --editor 'code --wait' /config/app.yml`, "with another editor, which must not end before the file is closed",
			`edit --ttl 0 /session`, "and let the key live forever"),
		Action: p.inFormats(p.waiting(func(ctx context.Context, cl *client.Client, args []string) error {
			if len(args) != 1 {
				return badArguments("edit takes one key")
			}
			return p.edit(ctx, cl, args[0], o)
		}), formatSimple),
		Before: func(c *cli.Context) error {
			if strings.TrimSpace(o.editor) == "" { // a variable may be set to nothing
				o.editor = cmp.Or(strings.TrimSpace(os.Getenv("EDITOR")), "vi")
			}
			if o.ttlGiven = c.IsSet("ttl"); o.ttl < 0 {
				return badArguments("--ttl counts seconds: 1 or more, or 0 for a key that lives forever")
			}
			if !terminal.Is(p.stdin) || !terminal.Is(p.stdout) {
				return badArguments("edit needs a terminal for the editor and its questions; scripts use get, and set --swap-with-index")
			}
			return nil
		},
	})
}

// editing is one run of edit.
type editing struct {
	p      *program
	client *client.Client
	o      *editOptions
	key    string
	old    *client.Node // the node that is edited; nil if it does not exist
	read   time.Time    // when old was read
	file   *editFile
	text   string // the value of the file
}

// edit reads a key, lets the user edit it, and writes it.
func (p *program) edit(ctx context.Context, cl *client.Client, key string, o *editOptions) (err error) {
	ctx, signals := holdInterrupts(ctx)
	defer signals.stop()
	e := &editing{p: p, client: cl, o: o, key: key}
	if err := e.get(ctx); err != nil {
		return err
	}
	if e.old == nil && !o.create {
		return serverFailure(fmt.Errorf("%s does not exist; --create makes it", key))
	}
	asHex := o.hex || !isText(e.value())
	if e.file, err = newEditFile(key, e.value(), asHex, o.keepNewline); err != nil {
		return failWith(exitBadArguments, err)
	}
	defer func() { e.end(err) }()
	for {
		if err := signals.during(func() error { return e.file.run(o.editor, p.stdin, p.stdout, p.stderr) }); err != nil {
			return failWith(exitBadArguments, err)
		}
		if e.text, err = e.file.value(e.value()); err != nil {
			fmt.Fprintln(p.stderr, err)
			if again, err := e.ask(ctx, "[e]dit again or [q]uit? ", "eq"); err != nil || again != "e" {
				return e.unwritten(err)
			}
			continue
		}
		switch {
		case e.text == "" && e.value() != "" || e.text == "" && e.old == nil:
			fmt.Fprintln(p.stderr, "the file is empty: nothing was written")
			e.file.written = true
			return nil
		case e.old != nil && e.text == e.value():
			fmt.Fprintln(p.stderr, "unchanged: nothing was written")
			e.file.written = true
			return nil
		}
		again, err := e.write(ctx)
		if !again {
			return err
		}
	}
}

// value returns the value that is edited.
func (e *editing) value() string {
	if e.old == nil {
		return ""
	}
	return e.old.Value
}

// get reads the node. A value that JSON can't carry is read as bytes.
func (e *editing) get(ctx context.Context) error {
	ctx, cancel := e.p.globals.limited(ctx)
	defer cancel()
	for {
		answer, err := e.client.Get(ctx, e.key, client.GetOptions{Quorum: true})
		e.read = time.Now()
		switch {
		case client.HasCode(err, tree.CodeKeyNotFound):
			e.old = nil
			return nil
		case err != nil:
			return serverFailure(err)
		case answer.Node.Dir:
			return badArguments("%s is a directory", e.key)
		}
		e.old = answer.Node
		if !strings.ContainsRune(e.old.Value, utf8.RuneError) {
			return nil
		}
		value, modified, ok, err := e.client.GetRaw(ctx, e.key)
		switch {
		case err != nil:
			return serverFailure(err)
		case !ok:
			return serverFailure(fmt.Errorf("the value of %s contains U+FFFD: the server may have put it in place of bytes that are not UTF-8, "+
				"and does not send the bytes themselves, so edit would destroy them; write the whole value with set", e.key))
		case modified == e.old.ModifiedIndex:
			e.old.Value = value
			return nil
		} // it was changed between the two requests
	}
}

// write writes the text if the key is as it was read. again is true if the user wants to edit again.
func (e *editing) write(ctx context.Context) (again bool, err error) {
	for {
		err = e.put(ctx)
		switch {
		case err == nil:
			e.file.written = true
			_, err = fmt.Fprintf(e.p.stdout, "%s was written\n", e.key)
			return false, err
		case !client.HasCode(err, tree.CodeCompareFailed) && !client.HasCode(err, tree.CodeKeyNotFound) &&
			!client.HasCode(err, tree.CodeKeyExists):
			return false, serverFailure(err)
		}
		if err := e.get(ctx); err != nil {
			return false, err
		}
		e.showConflict()
		answer, err := e.ask(ctx, "[e]dit again, [o]verwrite or [q]uit? ", "eoq")
		switch {
		case err != nil || answer == "q":
			return false, e.unwritten(err)
		case answer == "e":
			return true, nil
		}
	}
}

// put sends the text with the condition that the key is as it was read, and with the TTL that is left.
func (e *editing) put(ctx context.Context) error {
	ctx, cancel := e.p.globals.limited(ctx)
	defer cancel()
	o := client.PutOptions{Existence: client.MustNotExist}
	if e.old != nil {
		o = client.PutOptions{PrevIndex: e.old.ModifiedIndex}
		if e.old.Expiration != nil {
			o.TTL = max(1, int(e.old.TTL)-int(time.Since(e.read)/time.Second))
		}
	}
	if e.o.ttlGiven {
		o.TTL = e.o.ttl
	}
	_, err := e.client.Put(ctx, e.key, e.text, o)
	if err != nil && ctx.Err() == nil && client.IsUnavailable(err) {
		return fmt.Errorf("%w; it may have been written all the same: look at the key before you write again", err)
	}
	return err
}

// showConflict prints the differences between the value of the server and the text.
func (e *editing) showConflict() {
	out, colors := e.p.stdout, terminal.Colors(e.p.stdout)
	if e.old == nil {
		fmt.Fprintf(out, "%s was removed meanwhile; overwrite makes it again\n", e.key)
		return
	}
	fmt.Fprintf(out, "%s was changed meanwhile, at index %d\n", e.key, e.old.ModifiedIndex)
	switch {
	case e.old.Value == e.text:
		fmt.Fprintln(out, "its value is yours already")
	case !isText(e.old.Value) || !isText(e.text):
		fmt.Fprintf(out, "the server has %d bytes, you have %d\n", len(e.old.Value), len(e.text))
	default:
		fmt.Fprintf(out, "%s\n%s\n", colors.Bold("--- the server"), colors.Bold("+++ your text"))
		for _, line := range coloredHunks(colors, diff.Hunks(e.old.Value, e.text)) {
			fmt.Fprintln(out, line)
		}
	}
}

// ask asks until the answer is one of the letters. The end of the input is "q".
func (e *editing) ask(ctx context.Context, question, letters string) (string, error) {
	for {
		fmt.Fprint(e.p.stdout, question)
		line, err := terminal.ReadLine(ctx, e.p.stdin)
		if err != nil {
			return "", err
		}
		line = strings.ToLower(strings.TrimSpace(line))
		if line == "" {
			return "q", nil // CTRL+D, or nothing
		}
		if strings.Contains(letters, line[:1]) {
			return line[:1], nil
		}
	}
}

// unwritten returns the failure of a text that the user has not written. err is the error of the question, or nil.
func (e *editing) unwritten(err error) error {
	if err != nil && errors.Is(err, context.Canceled) {
		return &failure{code: exitInterrupted, cause: err}
	}
	return &failure{code: exitServer, text: "nothing was written\n", cause: err}
}

// end removes the file, or names it if it has a text that was not written.
func (e *editing) end(err error) {
	switch {
	case e.file.hasUnsaved():
		fmt.Fprintf(e.p.stderr, "the editor has left files in %s; a text that was not saved may be in them\n", e.file.dir)
	case e.file.written || err != nil && !e.file.changed():
		_ = os.RemoveAll(e.file.dir) // it is a temporary directory
	default:
		fmt.Fprintf(e.p.stderr, "the text is in %s\n", e.file.path)
	}
}
