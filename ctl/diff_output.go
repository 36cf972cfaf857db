package ctl

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pando/ctl/client"
	"pando/ctl/diff"
	"pando/ctl/terminal"
)

// differences is the output of one diff.
type differences struct {
	o        *diffOptions
	a, b     *side
	criteria diff.Criteria
	stdout   io.Writer
	out      *bufio.Writer // of stdout; keeps its first error
	format   string
	colors   terminal.Palette
	count    int
	replaced int // values with U+FFFD that were compared
}

// The changes of a node from <a> to <b>, as -o json shows them.
const (
	nodeRemoved = "removed"
	nodeAdded   = "added"
	nodeChanged = "changed"
)

// differenceLine is a line of -o json. A node is absent if there is none.
type differenceLine struct {
	Key    string     `json:"key"` // relative to <a> and <b>
	Change string     `json:"change"`
	A      *foundNode `json:"a,omitempty"`
	B      *foundNode `json:"b,omitempty"`
}

// print prints the difference of a pair.
func (d *differences) print(pair diff.Pair) error {
	change := nodeChanged
	switch {
	case pair.B == nil:
		change = nodeRemoved
	case pair.A == nil:
		change = nodeAdded
	}
	if d.format == formatJSON {
		return json.NewEncoder(d.out).Encode(&differenceLine{Key: pair.Key(), Change: change, A: d.a.whole(pair.A), B: d.b.whole(pair.B)})
	}
	if d.count == 1 {
		fmt.Fprintf(d.out, "%s\n%s\n", d.colors.Bold("--- "+d.a.name), d.colors.Bold("+++ "+d.b.name))
	}
	switch change {
	case nodeRemoved:
		d.line(d.colors.Red, "- ", d.a, pair.A, d.single(pair.A))
	case nodeAdded:
		d.line(d.colors.Green, "+ ", d.b, pair.B, d.single(pair.B))
	default:
		d.changed(pair.A, pair.B)
	}
	if terminal.Is(d.stdout) {
		return d.out.Flush() // people see a difference when it is found
	}
	_, err := d.out.Write(nil) // an earlier error, such as that of a reader that is gone, ends the comparison
	return err
}

// whole returns a node with its whole key for JSON, or nil if there is none.
func (s *side) whole(n *client.Node) *foundNode {
	if n == nil {
		return nil
	}
	whole := *n
	whole.Key = s.absolute(n.Key)
	return foundNodeOf(&whole)
}

// line prints the line of a node: a sign, the key, and a text about it.
func (d *differences) line(color func(string) string, sign string, s *side, n *client.Node, text string) {
	if text != "" {
		text = " " + text
	}
	fmt.Fprintln(d.out, color(sign+printable(dirSlash(s.absolute(n.Key), n.Dir))+text))
}

// single describes a node that only one side has.
func (d *differences) single(n *client.Node) string {
	if n.Dir || d.o.brief || d.o.keysOnly {
		return ""
	}
	return quoteValue(n.Value)
}

// maxQuoted is the number of characters of a value that is printed on one line.
const maxQuoted = 80

// quoteValue returns a value on one line, shortened if it is long.
func quoteValue(value string) string {
	if !isText(value) {
		return fmt.Sprintf("(%d bytes, not text)", len(value))
	}
	if runes := []rune(value); len(runes) > maxQuoted {
		return strconv.Quote(string(runes[:maxQuoted])) + fmt.Sprintf("... (%d bytes)", len(value))
	}
	return strconv.Quote(value)
}

// isText reports whether people can read a value: it is UTF-8 without control characters, except for tabs and line breaks.
func isText(value string) bool {
	return utf8.ValidString(value) && !strings.ContainsFunc(value, func(r rune) bool {
		return unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r'
	})
}

// changed prints in which respects two nodes with the same key differ.
func (d *differences) changed(a, b *client.Node) {
	if d.o.brief {
		d.line(d.colors.Yellow, "~ ", d.a, a, "")
		return
	}
	var texts, hunks []string
	switch {
	case a.Dir != b.Dir:
		texts = append(texts, d.kind(a)+" -> "+d.kind(b))
	case !d.criteria.EqualValues(a, b):
		if isText(a.Value) && isText(b.Value) && (isLong(a.Value) || isLong(b.Value)) {
			hunks = diff.Hunks(a.Value, b.Value)
		} else {
			texts = append(texts, quoteValue(a.Value)+" -> "+quoteValue(b.Value))
		}
	}
	if !d.criteria.EqualExpiry(a, b) {
		texts = append(texts, "expires: "+expiryOf(a)+" -> "+expiryOf(b))
	}
	if d.o.indexes && a.CreatedIndex != b.CreatedIndex {
		texts = append(texts, fmt.Sprintf("createdIndex: %d -> %d", a.CreatedIndex, b.CreatedIndex))
	}
	if d.o.indexes && a.ModifiedIndex != b.ModifiedIndex {
		texts = append(texts, fmt.Sprintf("modifiedIndex: %d -> %d", a.ModifiedIndex, b.ModifiedIndex))
	}
	d.line(d.colors.Yellow, "~ ", d.a, a, strings.Join(texts, ", "))
	for _, line := range coloredHunks(d.colors, hunks) {
		fmt.Fprintln(d.out, "    "+line)
	}
}

// coloredHunks returns the lines of diff.Hunks in their colors.
func coloredHunks(colors terminal.Palette, lines []string) []string {
	colored := make([]string, len(lines))
	for i, line := range lines {
		line = visible(line)
		switch line[0] {
		case '@':
			line = colors.Cyan(line)
		case '-':
			line = colors.Red(line)
		case '+':
			line = colors.Green(line)
		}
		colored[i] = line
	}
	return colored
}

// visible replaces the carriage returns of a line, and the characters that change the direction of a text. A terminal would show another
// text than that of the line.
func visible(line string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\u240d' // the symbol for it
		case unicode.Is(unicode.Bidi_Control, r):
			return unicode.ReplacementChar
		}
		return r
	}, line)
}

// isLong reports whether a value is shown by its lines.
func isLong(value string) bool {
	return strings.Contains(value, "\n") || utf8.RuneCountInString(value) > maxQuoted
}

// kind describes a node whose kind is the difference.
func (d *differences) kind(n *client.Node) string {
	if n.Dir {
		return "directory"
	}
	return strings.TrimSpace("key " + d.single(n))
}

func expiryOf(n *client.Node) string {
	if n.Expiration == nil {
		return "never"
	}
	return n.Expiration.UTC().Format(time.RFC3339)
}
