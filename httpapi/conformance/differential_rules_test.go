package conformance

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"pando/members/servertest"
)

// Every deliberate difference that random requests can show is a rule here. The name of the rule is the anchor in
// docs/differences.md. A rule describes the responses of both servers as exactly as possible, so that it allows nothing else.

// These rules are used outside of the tables.
const (
	ruleFreshStore    = "fresh-store-starts-at-1"
	ruleTTLsEndOnTime = "ttls-end-on-time"
)

// exchangeRule allows a difference between two responses.
type exchangeRule struct {
	name    string
	differs func(*exchanged) bool
}

// exchangeRules are tried in order. The first that applies replaces the comparison.
var exchangeRules = []exchangeRule{
	{"path-limits", func(e *exchanged) bool {
		return len(e.request.line()) > 16<<10 &&
			e.pandoSays("400", `{"errorCode":209,"message":"Invalid field","cause":"the path is longer`)
	}},
	{"long-request-lines", func(e *exchanged) bool {
		return e.reference.none && len(e.request.line()) > 4000 && !e.pando.none && e.pando.status() < "500"
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
			e.reference.status() >= "400" && !e.reference.none
	}},
	{"not-there", func(e *exchanged) bool {
		return (strings.HasPrefix(e.request.target, "/debug/") || strings.HasPrefix(e.request.target, "/config/")) &&
			e.pando.status() == "404" && e.reference.status() != "404"
	}},
}

// orderRules are for differences that the comparison line by line does not find.
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

// line returns the request line with its repetitions expanded.
func (r *transcriptRequest) line() string {
	return r.method + " " + (&transcriptFrame{server: &servertest.Process{}}).fill(r.target) + " " + r.proto
}

// pandoSays reports whether the response of Pando has a status and a beginning of its body.
func (e *exchanged) pandoSays(status, beginning string) bool {
	return !e.pando.none && e.pando.status() == status && strings.HasPrefix(e.pando.raw, beginning)
}

// sameHeads compares the heads line by line.
func sameHeads(e *exchanged) bool {
	return slices.Equal(e.pando.head, e.reference.head)
}

// watchRule allows a difference between the events of a watch.
type watchRule struct {
	name string
	// adjust returns the result of the reference without the difference. It reports false if the rule does not apply.
	adjust func(o *openPair, reference, pando watchResult) (watchResult, bool)
}

// watchRules are applied one after the other until the results are the same.
var watchRules = []watchRule{
	{"stream-tells-deletion-once", removeRepeatedDeletion},
	{"history-scan-hides-hidden", func(o *openPair, reference, pando watchResult) (watchResult, bool) {
		return skipWrongEvent(o, reference, pando, func(e watchedEvent) bool {
			return o.has("recursive") && hiddenBelow(e.key, o.path())
		})
	}},
	{"history-scan-whole-names", func(o *openPair, reference, pando watchResult) (watchResult, bool) {
		return skipWrongEvent(o, reference, pando, func(e watchedEvent) bool {
			removes := e.action == "delete" || e.action == "expire" || e.action == "compareAndDelete"
			path := o.path()
			return removes && strings.HasPrefix(path, e.key) && !strings.HasPrefix(path, e.key+"/") && path != e.key
		})
	}},
	{"stream-past-waitindex", continueStream},
}

// has reports whether the watch's request has a parameter.
func (o *openPair) has(name string) bool {
	return strings.Contains(o.sides[1].request.target, name+"=")
}

// path returns the watched path without escapes.
func (o *openPair) path() string {
	target, _, _ := strings.Cut(o.sides[1].request.target, "?")
	if path, err := url.PathUnescape(target); err == nil {
		target = path
	}
	return strings.TrimSuffix(strings.TrimPrefix(target, "/v2/keys"), "/")
}

// removeRepeatedDeletion removes a deletion that follows the same deletion: the reference sends the deletion of the watched node
// twice to a stream.
func removeRepeatedDeletion(o *openPair, reference, _ watchResult) (watchResult, bool) {
	if !o.has("stream") {
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

// hiddenBelow reports whether a key has a hidden name below the path.
func hiddenBelow(key, path string) bool {
	rest, below := strings.CutPrefix(key, path+"/")
	return below && strings.Contains("/"+rest, "/_")
}

// skipWrongEvent allows that Pando skips the first event that the reference finds in the history, if that event is wrong, and
// delivers a later one.
func skipWrongEvent(o *openPair, reference, pando watchResult, wrong func(watchedEvent) bool) (watchResult, bool) {
	if !o.has("waitIndex") || len(reference.lines) == 0 {
		return reference, false
	}
	first, ok := parseWatched(reference.lines[0])
	if !ok || !wrong(first) {
		return reference, false
	}
	previous := first.index
	for _, line := range pando.lines {
		e, ok := parseWatched(line)
		if !ok || e.index <= previous || wrong(e) {
			return reference, false
		}
		previous = e.index
	}
	return pando, true
}

// continueStream allows that Pando sends more than one event to a stream from the past: the reference sends only one. If the stream
// began at the oldest event, the history may drop its next event, and the stream ends with error 401.
func continueStream(o *openPair, reference, pando watchResult) (watchResult, bool) {
	if !o.has("stream") || !o.has("waitIndex") || len(reference.lines) != 1 || reference.end != "" {
		return reference, false
	}
	events := pando.lines
	if n := len(events); n > 0 && pando.end == "(ended)" && strings.HasPrefix(events[n-1], `{"errorCode":401,`) {
		events = events[:n-1]
	} else if pando.end != "" {
		return reference, false
	}
	if len(events) == 0 || adoptCloseTTLs(events[0], reference.lines[0]) != reference.lines[0] {
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

// ruleNames returns the names of the rules that sequences without auth use, sorted.
func ruleNames() []string {
	names := append([]string{ruleFreshStore, ruleTTLsEndOnTime}, ruleNamesOf(orderRules, nil)...)
	names = append(names, ruleNamesOf(exchangeRules, watchRules)...)
	slices.Sort(names)
	return names
}

func ruleNamesOf(exchanges []exchangeRule, watches []watchRule) []string {
	var names []string
	for _, rule := range exchanges {
		names = append(names, rule.name)
	}
	for _, rule := range watches {
		names = append(names, rule.name)
	}
	return names
}
