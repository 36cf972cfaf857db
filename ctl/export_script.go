package ctl

import (
	"fmt"
	"io"
	"strings"
)

// scriptHead begins the script of export --format etcdctl.
const scriptHead = `#!/bin/sh
# Keys and directories, written by pando ctl export --format etcdctl. This script needs the legacy etcdctl (v2) alone:
#   ETCDCTL="etcdctl --endpoints http://HOST:2379" sh FILE
# It replaces keys that exist, and leaves others alone. It stops at the first error, and may be run again. What has expired
# since the export is left out; other TTLs end at the same time as before.
set -eu
ETCDCTL_API=2
export ETCDCTL_API
: "${ETCDCTL:=etcdctl}"
# left TIME prints the seconds until TIME, in seconds since 1970. It fails if none are left.
left() { left=$(($1 - $(date +%s))); [ "$left" -gt 0 ] && echo "$left"; }
# key KEY [TTL] sets a key to the value in stdin, and empty KEY [TTL] to the empty value.
key() { $ETCDCTL set ${2:+--ttl "$2"} -- "$1" >/dev/null; }
empty() { $ETCDCTL set ${2:+--ttl "$2"} -- "$1" '' >/dev/null; }
# dir KEY [TTL] makes a directory, unless there is one.
dir() {
	if ! $ETCDCTL mkdir ${2:+--ttl "$2"} -- "$1" >/dev/null 2>&1; then
		$ETCDCTL ls -- "$1" >/dev/null
		if [ -n "${2:-}" ]; then $ETCDCTL updatedir --ttl "$2" -- "$1" >/dev/null; fi
	fi
}
`

// scriptWriter writes entries as commands of a shell. Directories must come before what is in them. Errors of the writer are left to
// the caller, who must flush it.
type scriptWriter struct {
	out     io.Writer
	open    []string // directories with a TTL whose block is open
	leftOut int      // keys that no command line can carry
}

// write adds the command of an entry. What is in a directory with a TTL is in a block that does nothing if the TTL has ended.
func (w *scriptWriter) write(e *entry) {
	w.closeBlocks(e.Key)
	if strings.ContainsRune(e.Key, 0) {
		w.leftOut++
		fmt.Fprintf(w.out, "# left out, because no command line can have the byte 0: %q\n", e.Key)
		return
	}
	ttl := ""
	if e.Expiration != nil {
		fmt.Fprintf(w.out, "if t=$(left %d); then\n", e.Expiration.Unix())
		w.open = append(w.open, e.Key)
		ttl = ` "$t"`
	}
	switch {
	case e.Dir:
		fmt.Fprintf(w.out, "dir %s%s\n", quoteWord(e.Key), ttl)
	case *e.Value == "":
		fmt.Fprintf(w.out, "empty %s%s\n", quoteWord(e.Key), ttl)
	default:
		fmt.Fprintf(w.out, "printf '%s' | key %s%s\n", printfFormat(*e.Value), quoteWord(e.Key), ttl)
	}
}

// closeBlocks ends the blocks that a key is not in.
func (w *scriptWriter) closeBlocks(key string) {
	for n := len(w.open); n > 0 && !strings.HasPrefix(key, w.open[n-1]+"/"); n-- {
		fmt.Fprintln(w.out, "fi")
		w.open = w.open[:n-1]
	}
}

// end ends all blocks.
func (w *scriptWriter) end() { w.closeBlocks("") }

// quoteWord returns a text as one word of a shell. The text must not contain the byte 0.
func quoteWord(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// printfFormat returns the format, within single quotes of a shell, with which printf prints a text. It is one line. A command line
// could not carry the byte 0, nor more than 128 KiB; printf is a part of the shell, so it can.
func printfFormat(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case c == '%':
			b.WriteString("%%")
		case c == '\\':
			b.WriteString(`\\`)
		case c == '\n':
			b.WriteString(`\n`)
		case c < ' ' || c == '\'' || c == 0x7f || c == '-' && i == 0: // printf takes a dash for an option
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
