package conformance

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// exchanged is a request with the responses of both sides.
type exchanged struct {
	request          *transcriptRequest
	reference, pando *sideAnswer
}

// timesApart is the largest difference between the expirations that the two servers report for the same node.
const timesApart = time.Second

// explain reports whether the responses are the same or differ only as rules allow. It returns the names of those rules.
func explain(e *exchanged) (rules []string, ok bool) {
	for _, rule := range slices.Concat(exchangeRules, authRules) {
		if rule.differs(e) {
			return []string{rule.name}, true
		}
	}
	if e.reference.none || e.pando.none {
		return nil, e.reference.none == e.pando.none
	}
	if !slices.EqualFunc(e.pando.head, e.reference.head, sameHeadLine(e)) || !sameTimes(e.reference.raw, e.pando.raw) {
		return nil, false
	}
	if adoptCloseTTLs(e.pando.body, e.reference.body) != e.reference.body {
		return nil, false
	}
	if e.request.mustSort() && !slices.Equal(e.reference.keys, e.pando.keys) {
		return nil, false
	}
	for _, rule := range orderRules {
		if rule.differs(e) {
			rules = append(rules, rule.name)
		}
	}
	return rules, true
}

// mustSort reports whether the first sorted= of the query is true. A GET has no form.
func (r *transcriptRequest) mustSort() bool {
	_, query, _ := strings.Cut(r.target, "?")
	values, _ := url.ParseQuery(query) // an invalid query makes the response an error anyway
	sorted, _ := strconv.ParseBool(values.Get("sorted"))
	return sorted
}

// sameHeadLine returns a function that compares two lines of the heads. The bodies may have different lengths, because the indexes
// in them have. So near the size from which on bodies are sent in chunks, only one of them may be.
func sameHeadLine(e *exchanged) func(pando, reference string) bool {
	framing := strings.NewReplacer("length", "framed", "chunked", "framed")
	size := max(len(e.reference.raw), len(e.pando.raw))
	return func(pando, reference string) bool {
		if size > bufferedBody-100 {
			pando, reference = framing.Replace(pando), framing.Replace(reference)
		}
		return pando == reference
	}
}

var expirationMoment = regexp.MustCompile(`"expiration":"([^"]*)"`)

// sameTimes compares the expirations in two bodies. Their order does not matter.
func sameTimes(reference, pando string) bool {
	return slices.EqualFunc(allExpirations(reference), allExpirations(pando), func(a, b time.Time) bool {
		return a.Sub(b).Abs() <= timesApart
	})
}

func allExpirations(body string) []time.Time {
	var all []time.Time
	for _, m := range expirationMoment.FindAllStringSubmatch(body, -1) {
		at, _ := time.Parse(time.RFC3339Nano, m[1]) // normalising reports an invalid one
		all = append(all, at)
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

var eventIdentity = regexp.MustCompile(`^\{"action":"([a-zA-Z]+)","node":\{"key":"((?:[^"\\]|\\.)*)".*?"modifiedIndex":@([+-]\d+)`)

// watchedEvent has the parts of an event that rules look at.
type watchedEvent struct {
	action, key string
	index       int64 // relative
}

func parseWatched(line string) (e watchedEvent, ok bool) {
	m := eventIdentity.FindStringSubmatch(line)
	if m == nil {
		return e, false
	}
	_, err := fmt.Sscan(m[3], &e.index)
	return watchedEvent{m[1], m[2], e.index}, err == nil
}

// explainWatch reports whether a watch delivered the same events on both sides, or differs only as rules allow. It returns the
// names of those rules.
func explainWatch(o *openPair) (rules []string, ok bool) {
	reference, pando := o.got[0], o.got[1]
	if sameWatch(reference, pando) {
		return nil, sameTimes(reference.raw, pando.raw)
	}
	for _, rule := range slices.Concat(watchRules, authWatchRules) {
		adjusted, fits := rule.adjust(o, reference, pando)
		if !fits {
			continue
		}
		rules = append(rules, rule.name)
		reference = adjusted
		if sameWatch(reference, pando) {
			return rules, true
		}
	}
	return nil, false
}

func sameWatch(reference, pando watchResult) bool {
	return reference.end == pando.end && slices.EqualFunc(pando.lines, reference.lines, func(p, r string) bool {
		return adoptCloseTTLs(p, r) == r
	})
}

// firedRules counts how often each rule allowed a difference, and how often each kind of response occurred.
type firedRules struct {
	mu      sync.Mutex
	times   map[string]int
	answers map[string]int // by status and error code
}

func newFiredRules() *firedRules {
	return &firedRules{times: map[string]int{}, answers: map[string]int{}}
}

func (f *firedRules) fire(names ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range names {
		f.times[name]++
	}
}

var errorCodeField = regexp.MustCompile(`^\{"errorCode":(\d+)`)

// answered counts a response of Pando.
func (f *firedRules) answered(a *sideAnswer) {
	kind := a.status()
	if m := errorCodeField.FindStringSubmatch(a.raw); m != nil {
		kind += "/" + m[1]
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[kind]++
}

// allAnswers are the kinds of responses that must occur in a long run. Other tests check the rest, such as those of a cluster without
// a leader.
var allAnswers = []string{
	"200", "201", "301", "400/104", "400/201", "400/202", "400/203", "400/209", "400/210", "400/211", "400/212", "400/401",
	"400/107", "403/102", "403/108", "404", "404/100", "405", "409", "412/101", "412/105", "413/210", "415",
}
