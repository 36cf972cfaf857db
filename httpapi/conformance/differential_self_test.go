package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pando/members/servertest"
)

// These tests check that the comparison finds differences: otherwise it would prove nothing.

// TestDifferentialRules checks that the documentation explains each rule.
func TestDifferentialRules(t *testing.T) {
	anchors := documentedDifferences(t)
	names := append(ruleNames(), ruleNamesOf(authRules, authWatchRules)...)
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("two rules have the same name: %q", names)
	}
	for _, name := range names {
		if !anchors[name] {
			t.Errorf("rule %s has no heading in %s", name, differencesDoc)
		}
	}
}

// TestDifferentialFindsDifferences uses two servers of the same kind and changes the responses of one. The comparison must find the
// change, and shrink must find the request for it.
func TestDifferentialFindsDifferences(t *testing.T) {
	rules := newFiredRules()
	pair := &differentialPair{
		reference: newDifferentialSide(servertest.StartSingle(t, servertest.Member.StartPando)),
		pando:     newDifferentialSide(servertest.StartSingle(t, servertest.Member.StartPando)),
		rules:     rules,
		timeout:   watchTimeout,
	}
	steps := func(n int) []*differentialStep {
		var all []*differentialStep
		for seed := range uint64(n) {
			all = append(all, newGenerator(seed).sequence(sequenceLength)...)
		}
		return slices.DeleteFunc(all, func(s *differentialStep) bool {
			return s.expiring != nil || s.watch && farBack.MatchString(s.request.target)
		})
	}
	if err := pair.play(steps(4)); err != nil {
		t.Fatalf("the same server differs from itself: %v", err)
	}
	pair.timeout = shrinkTimeout
	for _, test := range []struct{ name, from, to, request string }{
		{"another action", `"action":"create"`, `"action":"set"`, "POST"},
		{"another value", `"value":"two"`, `"value":"three"`, "two"},
		{"another cause", `"cause":"[`, `"cause":"<`, "prev"},
		{"pretty printed", `{"action":"delete"`, `{ "action":"delete"`, "DELETE"},
		{"shorter ttl", `"ttl":2000`, `"ttl":1990`, "ttl=2000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			pair.pando.tamper = func(body string) string { return strings.ReplaceAll(body, test.from, test.to) }
			defer func() { pair.pando.tamper = nil }()
			for try := 1; ; try++ {
				found, ok := errors.AsType[*unexplained](pair.play(steps(6)))
				if !ok {
					t.Fatal("not found")
				}
				shrunk, _ := shrink(servertest.Timeout, steps(6), found, pair.play)
				text := fmt.Sprint(shrunk)
				if len(shrunk) <= 5 && strings.Contains(text, test.request) {
					return
				}
				// On a busy machine an event may come after shrinkTimeout, which is another difference.
				if try == 3 {
					t.Fatalf("shrunk to %d steps:\n%s", len(shrunk), text)
				}
			}
		})
	}
}

// TestDifferentialShrinks shrinks a sequence whose difference needs two of its steps.
func TestDifferentialShrinks(t *testing.T) {
	steps := newGenerator(7).sequence(sequenceLength)
	first, second := steps[11], steps[60]
	tries := 0
	shrunk, _ := shrink(shrinkTime, steps, &unexplained{at: 60}, func(steps []*differentialStep) error {
		tries++
		at := slices.Index(steps, second)
		if before := slices.Index(steps, first); before < 0 || at < before {
			return nil
		}
		return &unexplained{at: at}
	})
	if !slices.Equal(shrunk, []*differentialStep{first, second}) {
		t.Errorf("shrunk to %d steps: %v", len(shrunk), shrunk)
	}
	if tries > 60 {
		t.Errorf("that took %d tries", tries)
	}
}

// TestDifferentialRepeats checks that a seed always generates the same sequence.
func TestDifferentialRepeats(t *testing.T) {
	text := func(seed uint64) string { return fmt.Sprint(newGenerator(seed).sequence(sequenceLength)) }
	five := text(5)
	if again := text(5); again != five {
		t.Error("the same seed generated two sequences")
	}
	if five == text(6) {
		t.Error("two seeds generated the same sequence")
	}
}

// TestDifferentialWatchRules checks which differences the rules for watches allow, and which they do not.
func TestDifferentialWatchRules(t *testing.T) {
	event := func(action, key string, index int) string {
		return fmt.Sprintf(`{"action":"%s","node":{"key":"%s","modifiedIndex":@%+d,"createdIndex":@+1}}`+"\n", action, key, index)
	}
	for _, test := range []struct {
		name, target     string
		reference, pando []string
		rule             string // empty if no rule allows the difference
	}{
		{"stream goes on", "/v2/keys/a?wait=true&stream=true&waitIndex=1",
			[]string{event("set", "/a", 2)}, []string{event("set", "/a", 2), event("set", "/a", 3)}, "stream-past-waitindex"},
		{"stream goes back", "/v2/keys/a?wait=true&stream=true&waitIndex=1",
			[]string{event("set", "/a", 2)}, []string{event("set", "/a", 2), event("set", "/a", 1)}, ""},
		{"live stream with another event", "/v2/keys/a?wait=true&stream=true",
			[]string{event("set", "/a", 2)}, []string{event("set", "/a", 2), event("set", "/a", 3)}, ""},
		{"deletion sent twice", "/v2/keys/a?wait=true&stream=true",
			[]string{event("delete", "/a", 2), event("delete", "/a", 2)}, []string{event("delete", "/a", 2)}, "stream-tells-deletion-once"},
		{"change sent twice", "/v2/keys/a?wait=true&stream=true",
			[]string{event("set", "/a", 2), event("set", "/a", 2)}, []string{event("set", "/a", 2)}, ""},
		{"hidden in the history", "/v2/keys/a?wait=true&recursive=true&waitIndex=1",
			[]string{event("set", "/a/_h", 2)}, nil, "history-scan-hides-hidden"},
		{"not hidden", "/v2/keys/a/_h?wait=true&recursive=true&waitIndex=1",
			[]string{event("set", "/a/_h/b", 2)}, nil, ""},
		{"whole names", "/v2/keys/foobar?wait=true&waitIndex=1",
			[]string{event("delete", "/foo", 2)}, []string{event("set", "/foobar", 3)}, "history-scan-whole-names"},
		{"deleted above", "/v2/keys/foo/bar?wait=true&waitIndex=1",
			[]string{event("delete", "/foo", 2)}, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			side := &transcriptOpen{request: plainRequest("GET", test.target)}
			o := &openPair{sides: [2]*transcriptOpen{side, side}, got: [2]watchResult{{lines: test.reference}, {lines: test.pando}}}
			rules, ok := explainWatch(o)
			if ok != (test.rule != "") || ok && !slices.Contains(rules, test.rule) {
				t.Errorf("explained: %v, by %q; want %q", ok, rules, test.rule)
			}
		})
	}
}
