package top

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/dustin/go-humanize"

	"pando/ctl/terminal"
)

// unknown stands for a value that a member does not report.
const unknown = "-"

// Lines returns a report as lines for a screen of a width and a height, or all of it if they are 0. key is the key whose events are
// counted.
func (r *Report) Lines(key string, colors terminal.Palette, width, height int) []string {
	var lines []string
	add := func(text string, color func(string) string) { lines = append(lines, color(cut(text, width))) }
	plain := func(text string) string { return text }
	add(r.title(), colors.Bold)
	add("", plain)
	table := r.memberTable()
	for i, line := range table {
		switch {
		case i == 0:
			add(line, colors.Reverse)
		case r.Members[i-1].Role == roleDown:
			add(line, colors.Red)
		case !r.Members[i-1].Healthy:
			add(line, colors.Yellow)
		case r.Members[i-1].Role == roleLeader:
			add(line, colors.Green)
		default:
			add(line, plain)
		}
	}
	add("", plain)
	switch {
	case r.EventError != "":
		add("No events: "+printable(r.EventError), colors.Red)
	case r.EventSeconds == 0:
		add("No events yet: the stream has not begun", plain)
	default:
		add(fmt.Sprintf("Events at and below %s in the last %.0f s: %s/s. Hidden keys have none here.", printable(key), r.EventSeconds,
			number(&r.EventRate)), plain)
	}
	if len(r.Subtrees) > 0 {
		add(fmt.Sprintf("%10s %6s  %s", "EVENTS/S", "SHARE", "SUBTREE"), colors.Reverse)
	}
	for _, s := range r.Subtrees {
		if height > 0 && len(lines) >= height {
			break
		}
		add(fmt.Sprintf("%10s %5.1f%%  %s", number(&s.EventRate), 100*s.EventRate/r.EventRate, printable(s.Key)), plain)
	}
	if height > 0 && len(lines) > height {
		lines = lines[:height]
	}
	return lines
}

// title is the first line: the whole cluster.
func (r *Report) title() string {
	leader := "no leader"
	if r.Leader != "" {
		leader = "leader " + printable(r.Leader)
	}
	text := fmt.Sprintf("%s   %d of %d members up   %s", r.Time.Format("15:04:05"), r.Up, len(r.Members), leader)
	if r.Term > 0 {
		text += fmt.Sprintf("   term %d", r.Term)
	}
	if r.Index > 0 {
		text += fmt.Sprintf("   index %d", r.Index)
	}
	return text
}

// memberTable returns a title and a line for each member.
func (r *Report) memberTable() []string {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLE\tREADS/S\tWRITES/S\tREAD P99\tWRITE P99\tLAG\tWATCHERS\tCONNS\tNODES\tSIZE\tPING\tVERSION\tERROR")
	for i := range r.Members {
		m := &r.Members[i]
		size := unknown
		if m.Bytes != nil {
			size = humanize.IBytes(*m.Bytes)
		}
		ping := unknown
		if m.PingMillis > 0 {
			ping = milliseconds(&m.PingMillis)
		}
		fmt.Fprintln(w, strings.Join([]string{
			printable(m.name()), m.Role, number(m.Reads), number(m.Writes), milliseconds(m.ReadP99), milliseconds(m.WriteP99), count(m.Lag),
			count(m.Watchers), count(m.Connections), count(m.Nodes), size, ping, orUnknown(m.Version), printable(m.Error),
		}, "\t"))
	}
	_ = w.Flush() // a buffer takes everything
	lines := strings.Split(strings.TrimSuffix(table.String(), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

func orUnknown(text string) string {
	if text == "" {
		return unknown
	}
	return printable(text)
}

func number(f *float64) string {
	switch {
	case f == nil:
		return unknown
	case *f >= 100 || *f == 0:
		return strconv.FormatFloat(*f, 'f', 0, 64)
	}
	return strconv.FormatFloat(*f, 'f', 1, 64)
}

func milliseconds(ms *float64) string {
	if ms == nil {
		return unknown
	}
	if *ms < 1 {
		return strconv.FormatFloat(*ms, 'f', 2, 64) + "ms"
	}
	return number(ms) + "ms"
}

func count(n *uint64) string {
	if n == nil {
		return unknown
	}
	return strconv.FormatUint(*n, 10)
}

// printable replaces characters that would move the cursor. Names and keys come from servers.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// cut returns the beginning of a text that fits into a width. 0 is any width.
func cut(text string, width int) string {
	if runes := []rune(text); width > 0 && len(runes) > width {
		return string(runes[:width])
	}
	return text
}
