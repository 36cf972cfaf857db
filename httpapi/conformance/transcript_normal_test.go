package conformance

import (
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pando/members/servertest"
)

// Normalising replaces the values that differ between servers and runs by placeholders. It keeps every other byte of a response.

// transcriptFrame has the values that placeholders stand for on one server in one run.
type transcriptFrame struct {
	server   *servertest.Process
	base     uint64 // index that @+0 stands for
	counters map[string]int64
	now      func() time.Time
}

// decimalID returns the member's ID in decimal, as on the peer port.
func (f *transcriptFrame) decimalID() string {
	id, err := strconv.ParseUint(f.server.MemberID, 16, 64)
	if err != nil {
		return f.server.MemberID
	}
	return strconv.FormatUint(id, 10)
}

var (
	relativeIndex = regexp.MustCompile(`(@@?)([+-]\d+)`)
	repetition    = regexp.MustCompile(`\$\{(.+?)\*(\d+)\}`)
)

// fill replaces the placeholders of a request by the values of this server and run.
func (f *transcriptFrame) fill(text string) string {
	text = repetition.ReplaceAllStringFunc(text, func(s string) string {
		m := repetition.FindStringSubmatch(s)
		n, _ := strconv.Atoi(m[2]) // the pattern allows only digits; a number that overflows repeats nothing
		return strings.Repeat(m[1], n)
	})
	text = relativeIndex.ReplaceAllStringFunc(text, func(s string) string {
		m := relativeIndex.FindStringSubmatch(s)
		n, _ := strconv.ParseInt(m[2], 10, 64)
		if m[1] == "@@" {
			return fmt.Sprintf("%020d", int64(f.base)+n)
		}
		return strconv.FormatInt(int64(f.base)+n, 10)
	})
	return strings.NewReplacer(
		"{member}", f.server.MemberID,
		"{MEMBER}", strings.ToUpper(f.server.MemberID),
		"{client}", f.server.Client,
		"{peer}", f.server.Peer,
	).Replace(text)
}

// relative returns an index relative to the base. 0 means no index and stays.
func (f *transcriptFrame) relative(digits string) string {
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || n == 0 {
		return digits
	}
	return fmt.Sprintf("@%+d", int64(n-f.base))
}

var (
	indexField   = regexp.MustCompile(`"(modifiedIndex|createdIndex|index)":(\d+)`)
	sentID       = regexp.MustCompile(`(?m)^id: (\d+)\b`) // of a server-sent event
	inOrderName  = regexp.MustCompile(`\b0\d{19}\b`)
	causeIndexes = regexp.MustCompile(`\[(\d+)( != |/)(\d+)\]`)
	expiryField  = regexp.MustCompile(`"expiration":"([^"]*)"(?:,"ttl":(-?\d+))?`)
	momentField  = regexp.MustCompile(`"(startTime)":"([^"]*)"`)
	uptimeField  = regexp.MustCompile(`"uptime":"([^"]*)"`)
	versionField = regexp.MustCompile(`"(etcdserver|etcdcluster|pando)":"[^"]+"`)
	counterField = regexp.MustCompile(`"([a-zA-Z]+(?:Success|Fail|Count))":(\d+)|"(watchers)":(\d+)`)
	// Requests contain larger indexes as they are, so errors repeat them.
	literalIndexes = uint64(900_000)
)

// body normalises the body of a response to the given request.
func (f *transcriptFrame) body(text string, request *transcriptRequest) string {
	text = strings.NewReplacer(
		f.server.MemberID, "{member}", f.decimalID(), "{member in decimal}", f.server.Client, "{client}", f.server.Peer, "{peer}",
	).Replace(text)
	text = servertest.ReplaceGroups(indexField, text, func(m []string) string {
		return fmt.Sprintf("%q:%s", m[1], f.relative(m[2]))
	})
	text = servertest.ReplaceGroups(sentID, text, func(m []string) string { return "id: " + f.relative(m[1]) })
	text = inOrderName.ReplaceAllStringFunc(text, func(name string) string {
		return "@" + f.relative(strings.TrimLeft(name, "0"))
	})
	if request.comparesIndexes() {
		text = servertest.ReplaceGroups(causeIndexes, text, func(m []string) string {
			return "[" + f.causeIndex(m[1]) + m[2] + f.causeIndex(m[3]) + "]"
		})
	}
	text = f.times(text)
	text = servertest.ReplaceGroups(versionField, text, func(m []string) string {
		return fmt.Sprintf("%q:\"{version}\"", m[1])
	})
	if strings.HasPrefix(request.target, "/v2/stats/store") {
		text = f.relativeCounters(text)
	}
	if !request.asksSorted() {
		text = sortNodes(text)
	}
	return collapseRuns(text)
}

func (f *transcriptFrame) causeIndex(digits string) string {
	if n, err := strconv.ParseUint(digits, 10, 64); err != nil || n >= literalIndexes {
		return digits
	}
	return f.relative(digits)
}

// times replaces times if they have the right format and match the TTL beside them.
func (f *transcriptFrame) times(text string) string {
	const slack = 4 * time.Second // for a busy machine
	text = servertest.ReplaceGroups(expiryField, text, func(m []string) string {
		at, err := time.Parse(time.RFC3339Nano, m[1])
		left := at.Sub(f.now())
		ttl, _ := strconv.Atoi(m[2]) // absent if the node has expired
		off := left - time.Duration(ttl)*time.Second
		switch {
		case err != nil || !strings.HasSuffix(m[1], "Z"):
			return fmt.Sprintf(`"expiration":"{not a UTC time: %s}"`, m[1])
		case ttl < 0 && left < 0:
			return `"expiration":"{past}"` // the TTL is rounded to seconds, often to 0
		case off > slack || off < -slack:
			return fmt.Sprintf(`"expiration":"{off by %v}","ttl":%s`, off, m[2])
		case m[2] == "":
			return `"expiration":"{past}"`
		}
		return `"expiration":"{in ttl}","ttl":` + m[2]
	})
	text = servertest.ReplaceGroups(momentField, text, func(m []string) string {
		if at, err := time.Parse(time.RFC3339Nano, m[2]); err != nil || f.now().Sub(at).Abs() > time.Hour {
			return m[0]
		}
		return fmt.Sprintf(`"%s":"{time}"`, m[1])
	})
	return servertest.ReplaceGroups(uptimeField, text, func(m []string) string {
		if _, err := time.ParseDuration(m[1]); err != nil {
			return m[0]
		}
		return `"uptime":"{duration}"`
	})
}

func (f *transcriptFrame) relativeCounters(text string) string {
	return servertest.ReplaceGroups(counterField, text, func(m []string) string {
		name, digits := m[1]+m[3], m[2]+m[4]
		n, _ := strconv.ParseInt(digits, 10, 64)
		return fmt.Sprintf(`"%s":@%+d`, name, n-f.counters[name])
	})
}

// comparesIndexes reports whether the numbers in an error's cause are indexes.
func (r *transcriptRequest) comparesIndexes() bool {
	text := r.target + r.body + strings.Join(r.headers, "\n")
	return strings.Contains(text, "prevIndex") || strings.Contains(text, "waitIndex") || strings.Contains(text, "If-Match")
}

func (r *transcriptRequest) asksSorted() bool {
	return strings.Contains(r.target+r.body, "sorted=t") || strings.Contains(r.target, "limit=") || strings.Contains(r.target, "after=")
}

// sortNodes sorts the elements of every "nodes" array by their text. Without sorted=true a server may list them in any order.
func sortNodes(text string) string {
	const opening = `"nodes":[`
	start := strings.Index(text, opening)
	if start < 0 {
		return text
	}
	start += len(opening)
	elements, end := splitArray(text[start:])
	for i, element := range elements {
		elements[i] = sortNodes(element)
	}
	sort.Strings(elements)
	return text[:start] + strings.Join(elements, ",") + sortNodes(text[start+end:])
}

// splitArray splits the text after a "[" into the elements of the array. end is the position of the "]".
func splitArray(text string) (elements []string, end int) {
	depth, from, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == ',' && depth == 0:
			elements, from = append(elements, text[from:i]), i+1
		case c == ']' && depth == 0:
			return append(elements, text[from:i]), i
		case c == '}' || c == ']':
			depth--
		}
	}
	return append(elements, text[from:]), len(text)
}

// collapseRuns replaces long runs of one character, or of a slash and one character, by a repetition such as ${x*300}.
func collapseRuns(text string) string {
	const long = 100
	var b strings.Builder
	for i := 0; i < len(text); {
		unit := text[i : i+1]
		if unit == "/" && i+1 < len(text) {
			unit = text[i : i+2]
		}
		n := 1
		for strings.HasPrefix(text[i+n*len(unit):], unit) {
			n++
		}
		if n < long {
			b.WriteByte(text[i])
			i++
			continue
		}
		fmt.Fprintf(&b, "${%s*%d}", unit, n)
		i += n * len(unit)
	}
	return b.String()
}

// bodyLines splits a body into lines. A line with unprintable bytes becomes a Go string literal. A line is added if the newline at
// the end is missing.
func bodyLines(text string) []string {
	if text == "" {
		return nil
	}
	complete := strings.HasSuffix(text, "\n")
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		if !printableLine(line) {
			lines[i] = strconv.Quote(line)
		}
	}
	if !complete {
		lines = append(lines, "(no newline at the end)")
	}
	return lines
}

func printableLine(line string) bool {
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	return utf8.ValidString(line) && !strings.ContainsFunc(line, control)
}

var ttlInLine = regexp.MustCompile(`"\{in ttl\}","ttl":(\d+)`)

// adoptCloseTTLs replaces the TTLs in got by those in want if they differ by at most two seconds, which a busy machine may spend
// between two requests.
func adoptCloseTTLs(got, want string) string {
	const late = 2
	wanted := ttlInLine.FindAllStringSubmatch(want, -1)
	if len(wanted) != len(ttlInLine.FindAllString(got, -1)) {
		return got
	}
	i := -1
	return servertest.ReplaceGroups(ttlInLine, got, func(m []string) string {
		i++
		have, _ := strconv.Atoi(m[1])
		full, _ := strconv.Atoi(wanted[i][1])
		if full-have < -late || full-have > late {
			return m[0]
		}
		return wanted[i][0]
	})
}
