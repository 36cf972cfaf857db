package conformance

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"pando/members/servertest"
)

// Every deliberate difference that random requests can show is a rule here. Its name is the anchor in
// docs/differences.md. A rule says what both servers do, as exactly as it can: everything else stays unexplained.

// Names of rules that are used outside of the tables.
const (
	ruleFreshStore    = "fresh-store-starts-at-1"
	ruleTTLsEndOnTime = "ttls-end-on-time"
)

// exchangeRule is a difference between two answers.
type exchangeRule struct {
	name    string
	differs func(*exchanged) bool
}

// exchangeRules are asked in turn before the answers are compared.
var exchangeRules = []exchangeRule{
	{"path-limits", func(e *exchanged) bool {
		return len(e.request.line()) > 16<<10 && e.pandoSays("400", `{"errorCode":209,"message":"Invalid field","cause":"the path is longer`)
	}},
	{"long-request-lines", func(e *exchanged) bool {
		return e.reference.hung && len(e.request.line()) > 4000 && !e.pando.hung && e.pando.status() < "500"
	}},
	{"huge-ttl", func(e *exchanged) bool {
		return e.pandoSays("400", `{"errorCode":202,`) && strings.Contains(e.pando.raw, "is beyond the year 2262") &&
			!strings.Contains(e.reference.raw, `"errorCode":202`) && e.reference.status() != "200"
	}},
	{"stats-count-requests", func(e *exchanged) bool {
		names := func(body string) string { return storeCounter.ReplaceAllString(body, `"$1":n`) }
		return strings.HasPrefix(e.request.target, "/v2/stats/store") && e.pando.status() == "200" &&
			e.pando.body != e.reference.body && names(e.pando.body) == names(e.reference.body) && sameHeads(e)
	}},
	{"version-names-pando", func(e *exchanged) bool {
		return e.pando.body == strings.TrimSuffix(e.reference.body, "}")+`,"pando":"{version}"}` && sameHeads(e)
	}},
	{"moving-the-leadership", func(e *exchanged) bool {
		path, _, _ := strings.Cut(e.request.target, "?")
		return e.request.method == "POST" && strings.HasSuffix(path, "/leader") &&
			(e.pando.status() == "204" || e.pandoSays("404", `{"message":"No such member: `)) &&
			e.reference.status() >= "400" && !e.reference.hung
	}},
	{"not-there", func(e *exchanged) bool {
		return (strings.HasPrefix(e.request.target, "/debug/") || strings.HasPrefix(e.request.target, "/config/")) &&
			e.pando.status() == "404" && e.reference.status() != "404"
	}},
}

// orderRules concern what the comparison line by line leaves out.
var orderRules = []exchangeRule{
	{"listings-are-sorted", func(e *exchanged) bool {
		return !slices.Equal(e.reference.keys, e.pando.keys)
	}},
	{"large-answers-tell-their-length", func(e *exchanged) bool {
		return len(e.pando.raw) > bufferedBody && e.pando.sized && !e.reference.sized
	}},
	{"quorum-reads-write-nothing", func(e *exchanged) bool {
		return strings.Contains(e.request.target, "quorum=true") && strings.HasSuffix(e.reference.body, "\n") &&
			e.request.method == "GET" && e.reference.grew && !e.pando.grew
	}},
}

var storeCounter = regexp.MustCompile(`"(\w+)":@?[+-]?\d+`)

// line is the request line, its repetitions written out.
func (r *transcriptRequest) line() string {
	return r.method + " " + (&transcriptFrame{server: &servertest.Process{}}).fill(r.target) + " " + r.proto
}

func (e *exchanged) pandoSays(status, beginning string) bool {
	return !e.pando.hung && e.pando.status() == status && strings.HasPrefix(e.pando.raw, beginning)
}

// sameHeads compares heads whose bodies differ in length.
func sameHeads(e *exchanged) bool {
	return slices.Equal(e.pando.head, e.reference.head)
}

// watchRule turns what the reference delivered into what Pando has to deliver.
type watchRule struct {
	name string
	// adjust tells whether the rule has anything to say, and gives the reference's result with the difference undone.
	adjust func(o *openPair, reference, pando watchResult) (watchResult, bool)
}

// watchRules are applied one after the other, as far as they fit, until the results are the same.
var watchRules = []watchRule{
	{"stream-tells-deletion-once", withoutRepetition},
	{"history-scan-hides-hidden", func(o *openPair, reference, pando watchResult) (watchResult, bool) {
		return laterThanWrong(o, reference, pando, func(e watchedEvent) bool {
			return o.asks("recursive") && hiddenBelow(e.key, o.path())
		})
	}},
	{"history-scan-whole-names", func(o *openPair, reference, pando watchResult) (watchResult, bool) {
		return laterThanWrong(o, reference, pando, func(e watchedEvent) bool {
			removes := e.action == "delete" || e.action == "expire" || e.action == "compareAndDelete"
			path := o.path()
			return removes && strings.HasPrefix(path, e.key) && !strings.HasPrefix(path, e.key+"/") && path != e.key
		})
	}},
	{"stream-past-waitindex", continuedStream},
}

// asks tells whether the watch's request has a parameter.
func (o *openPair) asks(name string) bool {
	return strings.Contains(o.sides[1].request.target, name+"=")
}

// path is the watched path, without escapes.
func (o *openPair) path() string {
	target, _, _ := strings.Cut(o.sides[1].request.target, "?")
	if path, err := url.PathUnescape(target); err == nil {
		target = path
	}
	return strings.TrimSuffix(strings.TrimPrefix(target, "/v2/keys"), "/")
}

// withoutRepetition: the reference sends a stream the removal of its node twice.
func withoutRepetition(o *openPair, reference, _ watchResult) (watchResult, bool) {
	if !o.asks("stream") {
		return reference, false
	}
	once := slices.CompactFunc(slices.Clone(reference.lines), func(a, b string) bool {
		e, ok := parseWatched(a)
		return ok && a == b && (e.action == "delete" || e.action == "expire" || e.action == "compareAndDelete")
	})
	fits := len(once) < len(reference.lines)
	reference.lines = once
	return reference, fits
}

// hiddenBelow tells whether a key has a hidden name below the path.
func hiddenBelow(key, path string) bool {
	rest, below := strings.CutPrefix(key, path+"/")
	return below && strings.Contains("/"+rest, "/_")
}

// laterThanWrong: the first event that the reference found in the history is not one that Pando tells; Pando goes on
// to a later one.
func laterThanWrong(o *openPair, reference, pando watchResult, wrong func(watchedEvent) bool) (watchResult, bool) {
	if !o.asks("waitIndex") || len(reference.lines) == 0 {
		return reference, false
	}
	told, ok := parseWatched(reference.lines[0])
	if !ok || !wrong(told) {
		return reference, false
	}
	previous := told.index
	for _, line := range pando.lines {
		e, ok := parseWatched(line)
		if !ok || e.index <= previous || wrong(e) {
			return reference, false
		}
		previous = e.index
	}
	return pando, true
}

// continuedStream: the reference falls silent after one event of the past; Pando goes on with later ones. One that
// began at the far end of the history may fall off it there, and is told so.
func continuedStream(o *openPair, reference, pando watchResult) (watchResult, bool) {
	if !o.asks("stream") || !o.asks("waitIndex") || len(reference.lines) != 1 || reference.end != "" {
		return reference, false
	}
	events := pando.lines
	if n := len(events); n > 0 && pando.end == "(ended)" && strings.HasPrefix(events[n-1], `{"errorCode":401,`) {
		events = events[:n-1]
	} else if pando.end != "" {
		return reference, false
	}
	if len(events) == 0 || forgiveLateTTLs(events[0], reference.lines[0]) != reference.lines[0] {
		return reference, false
	}
	previous := int64(0)
	for i, line := range events {
		e, ok := parseWatched(line)
		if !ok || i > 0 && e.index <= previous {
			return reference, false
		}
		previous = e.index
	}
	return pando, true
}

// ruleNames lists all rules.
func ruleNames() []string {
	names := []string{ruleFreshStore, ruleTTLsEndOnTime}
	for _, rule := range exchangeRules {
		names = append(names, rule.name)
	}
	for _, rule := range orderRules {
		names = append(names, rule.name)
	}
	for _, rule := range watchRules {
		names = append(names, rule.name)
	}
	slices.Sort(names)
	return names
}
