package conformance

import (
	"math/rand/v2"
	"net/url"
	"strings"

	"pando/members/servertest"
)

// generator generates random sequences. The same seed generates the same sequence.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) *generator { return &generator{rand.New(rand.NewPCG(seed, 0))} }

// sequence generates the steps of one sequence.
func (g *generator) sequence(steps int) []*differentialStep {
	kinds := []struct {
		weight int
		step   func() *differentialStep
	}{
		{50, g.write}, {25, g.read}, {12, g.watch}, {4, g.endpoint}, {2, g.members}, {3, g.unusual}, {8, g.prepared},
	}
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	var sequence []*differentialStep
	for range steps {
		n := g.IntN(total)
		for _, k := range kinds {
			if n -= k.weight; n < 0 {
				sequence = append(sequence, k.step())
				break
			}
		}
	}
	if g.oneIn(6) { // not more often, because the test waits for the expiry
		at := g.IntN(len(sequence))
		sequence[at] = g.expiring()
	}
	return sequence
}

func (g *generator) oneIn(n int) bool { return g.IntN(n) == 0 }

func (g *generator) pick(texts ...string) string { return texts[g.IntN(len(texts))] }

// name returns one of a few names, so that requests often use the same keys. One is a prefix of another, and one is hidden.
func (g *generator) name() string {
	switch {
	case g.oneIn(14):
		return g.pick("%C3%A9", "é", "sp%20ace", "p+q", "%25", "a.b", "...", ".h", "~", "@:!$&'()*,=", "%3Cb%3E%26%22", "%E2%80%A8",
			"x%2Fy", ";", "日本", "%5C", "%00", "%7F", "A", "-", "%F0%9F%8C%B3", "__", "a_b", "a%3Fb", "a%23b", "\"", "%22", "[0]", "null")
	case g.oneIn(9):
		return "@@+" + servertest.Itoa(g.IntN(30)+1)
	case g.oneIn(7):
		return "_h"
	}
	return g.pick("a", "a", "b", "c", "foo", "foobar", "d")
}

// key returns the escaped path of a key.
func (g *generator) key() string {
	depth := []int{1, 1, 1, 2, 2, 3}[g.IntN(6)]
	var b strings.Builder
	for i := range depth {
		name := g.name()
		for i == 0 && (name == "__" || strings.HasPrefix(name, "@@")) {
			name = g.name() // reset finds only names that the root lists
		}
		b.WriteString("/" + name)
	}
	key := b.String()
	switch {
	case g.oneIn(40):
		return g.pick("", "/")
	case g.oneIn(20):
		return key + "/"
	case g.oneIn(40):
		at := strings.LastIndex(key, "/")
		return key[:at] + g.pick("//", "/./", "/../", "/%2e%2e/", "/%2E/", "%2F", "%2F%2F", "/.%2e/", "/a/../") + key[at+1:]
	case g.oneIn(60):
		return key + g.pick("//", "/.", "/..", "/%2e", "%2F", "%", "%4", "%zz")
	case g.oneIn(150):
		return key + "/${x*" + g.pick("200", "1000", "3000") + "}"
	}
	return key
}

// parameter is an escaped name and an escaped value. With the value bare it has no "=".
type parameter struct{ name, value string }

func (p parameter) String() string {
	if p.value == bare {
		return p.name
	}
	return p.name + "=" + p.value
}

const bare = "\x00bare"

// maybe returns the parameter in one of n cases, sometimes twice.
func (g *generator) maybe(n int, name string, value func() string) []parameter {
	if !g.oneIn(n) {
		return nil
	}
	ps := []parameter{{name, value()}}
	if g.oneIn(30) {
		ps = append(ps, parameter{name, value()})
	}
	return ps
}

func (g *generator) flag() string {
	if g.oneIn(12) {
		return g.pick("1", "T", "t", "True", "TRUE", "tRUE", "0", "F", "", bare, "yes", "2", "%20true", "true%00")
	}
	if g.oneIn(6) {
		return "false"
	}
	return "true"
}

func (g *generator) value() string {
	if g.oneIn(5) {
		text := g.pick("", "hello world", "é", "<b>&\"'", "\u2028\u2029", "\x00\x01\x1f\x7f", "\xff\xfe", "日本語", `{"a":[1]}`, "a=b&c", "+",
			"%", "line\nline\r\n\ttab", "\\", "\U0001F333", "\b\f")
		return url.QueryEscape(text)
	}
	if g.oneIn(60) {
		return "${v*" + g.pick("500", "1900", "2500", "60000") + "}"
	}
	if g.oneIn(80) {
		return g.pick("%zz", "%", "a;b", "%4", bare, "a=b", "raw é")
	}
	return g.pick("one", "two", "three") // not numbers, which would look like indexes in the cause of an error
}

// index returns an index near the current one, and sometimes an invalid one.
func (g *generator) index() string {
	switch g.IntN(12) {
	case 0:
		return g.pick("0", "", "-1", "x", "900000.5", "18446744073709551615", "18446744073709551616", "0x10", "+3", "900001", "%201", bare)
	case 1:
		return "@+" + servertest.Itoa(g.IntN(40))
	}
	return "{now-" + servertest.Itoa(g.IntN(4)) + "}"
}

// ttl returns a TTL that is longer than the test, and sometimes an invalid one.
func (g *generator) ttl() string {
	if g.oneIn(4) {
		return g.pick("", "x", "-1", "1.5", "1e3", "+5", "%205", "0x10", "18446744073709551616", bare)
	}
	return g.pick("1000", "2000", "86400", "300000000", "0001000")
}

// write generates a request that may change the tree.
func (g *generator) write() *differentialStep {
	method := g.pick("PUT", "PUT", "PUT", "PUT", "POST", "DELETE", "DELETE")
	var ps []parameter
	add := func(n int, name string, value func() string) { ps = append(ps, g.maybe(n, name, value)...) }
	if method == "DELETE" {
		add(3, "recursive", g.flag)
		add(5, "dir", g.flag)
		add(12, "value", g.value)
		add(12, "prevExist", g.flag)
		add(6, "prevValue", g.value)
		add(6, "prevIndex", g.index)
	} else {
		if !g.oneIn(8) {
			ps = append(ps, parameter{"value", g.value()})
		}
		add(8, "dir", g.flag)
		add(8, "ttl", g.ttl)
		add(6, "prevExist", g.flag)
		add(7, "prevValue", g.value)
		add(7, "prevIndex", g.index)
		add(15, "recursive", g.flag)
		if g.oneIn(10) {
			ps = g.refreshing(ps)
		}
	}
	add(15, "noValueOnSuccess", g.flag)
	add(60, "wait", g.flag)
	add(60, "waitIndex", g.index)
	add(60, "stream", g.flag)
	add(30, "quorum", g.flag)
	add(30, "sorted", g.flag)
	add(40, g.pick("timeout", "consistent", "unknown", "Value", "%76alue", "a%zz", ""), g.value)
	return &differentialStep{request: g.keyRequest(method, g.key(), ps)}
}

// refreshing turns the parameters into those of a refresh, not always a valid one.
func (g *generator) refreshing(ps []parameter) []parameter {
	var kept []parameter
	for _, p := range ps {
		if p.name != "value" && p.name != "ttl" || g.oneIn(8) {
			kept = append(kept, p)
		}
	}
	kept = append(kept, parameter{"refresh", g.flag()})
	if !g.oneIn(6) {
		kept = append(kept, parameter{"ttl", g.ttl()})
	}
	if g.oneIn(2) {
		kept = append(kept, parameter{"prevExist", g.flag()})
	}
	return kept
}

func (g *generator) read() *differentialStep {
	var ps []parameter
	ps = append(ps, g.maybe(3, "recursive", g.flag)...)
	ps = append(ps, g.maybe(3, "sorted", g.flag)...)
	ps = append(ps, g.maybe(8, "quorum", g.flag)...)
	ps = append(ps, g.maybe(25, "dir", g.flag)...)
	ps = append(ps, g.maybe(25, "waitIndex", g.index)...)
	ps = append(ps, g.maybe(30, "prevExist", g.flag)...)
	ps = append(ps, g.maybe(30, "prevValue", g.value)...)
	ps = append(ps, g.maybe(30, "prevIndex", g.index)...)
	ps = append(ps, g.maybe(40, "ttl", g.ttl)...)
	ps = append(ps, g.maybe(40, "consistent", g.flag)...)
	method := "GET"
	if g.oneIn(12) {
		method = "HEAD"
		ps = append(ps, g.maybe(5, "wait", g.flag)...)
	}
	request := g.keyRequest(method, g.key(), ps)
	if g.oneIn(30) {
		request.body, request.hasBody = "recursive=true&sorted=true", true
		request.headers = append(request.headers, "Content-Type: "+transcriptFormType)
	}
	return &differentialStep{request: request}
}

// watch generates a watch from now on, from the past or from the future.
func (g *generator) watch() *differentialStep {
	ps := []parameter{{"wait", "true"}}
	if g.oneIn(15) {
		ps[0].value = g.flag()
	}
	ps = append(ps, g.maybe(2, "recursive", g.flag)...)
	ps = append(ps, g.maybe(3, "stream", g.flag)...)
	ps = append(ps, g.maybe(25, "quorum", g.flag)...)
	ps = append(ps, g.maybe(15, "sorted", g.flag)...)
	if g.oneIn(3) {
		index := "{now" + g.pick("-1", "-2", "-3", "-5", "-9", "-20", "+0", "+1", "+2", "+3", "+5", "+9") + "}"
		switch {
		case g.oneIn(15):
			index = "{now" + g.pick("-998", "-999", "-1000", "-1001", "-1500") + "}"
		case g.oneIn(15):
			index = g.index()
		}
		ps = append(ps, parameter{"waitIndex", index})
	}
	request := g.keyRequest("GET", g.key(), ps)
	return &differentialStep{request: request, watch: true}
}

// expiring generates a step with nodes that expire together, or with one that expires at once.
func (g *generator) expiring() *differentialStep {
	if g.oneIn(3) {
		return &differentialStep{expiring: []*transcriptRequest{
			plainRequest("PUT", "/v2/keys"+g.expiringKey()+"?ttl=0"+g.pick("", "&value=one", "&dir=true")),
		}}
	}
	s := &differentialStep{}
	for range 1 + g.IntN(5) {
		target := "/v2/keys" + g.expiringKey() + "?ttl=1"
		target += g.pick(
			"&value=one",
			"&value=two",
			"&dir=true",
			"&dir=true&prevExist=true",
			"&prevExist=true&value=one",
			"&refresh=true&prevExist=true",
			"&refresh=true",
		)
		s.expiring = append(s.expiring, plainRequest("PUT", target))
		if g.oneIn(3) {
			key, _, _ := strings.Cut(target, "?")
			s.expiring = append(s.expiring, plainRequest("PUT", key+"/"+g.name()+"?value=below&ttl=1"))
		}
	}
	return s
}

func (g *generator) expiringKey() string {
	return g.pick("/a", "/b", "/foo", "/foobar", "/foo/a", "/foo/b", "/_h", "/c/_h", "/a/b/c", "/d", "/d/a")
}

// plainRequest returns a request without headers and body.
func plainRequest(method, target string) *transcriptRequest {
	return &transcriptRequest{method: method, target: target, proto: "HTTP/1.1"}
}
