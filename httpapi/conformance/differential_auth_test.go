package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pando/members/servertest"
)

// authSequenceLength is the number of steps of a sequence with auth on. The reference needs a tenth of a second for each password.
const authSequenceLength = 60

// allAuthRulesFire is the number of requests with auth on after which every rule for them must have been used.
const allAuthRulesFire = 5000

// TestDifferentialAuth is TestDifferential with auth on: several users send requests while their rights change.
func TestDifferentialAuth(t *testing.T) {
	servertest.SkipShort(t, "the reference verifies a password with each request")
	t.Parallel()
	run := &differentialRun{seed: *differentialSeed, want: int64(*differentialRequests) / 50, rules: newFiredRules()}
	if *referencePasswords {
		run.want *= 20
	}
	run.generate = func(seed uint64) []*differentialStep { return newGenerator(seed).authSequence(authSequenceLength) }
	var pairs []*differentialPair
	for range differentialPairs {
		pair := newDifferentialPair(t, run.rules)
		pair.before = pair.resetAuth
		pairs = append(pairs, pair)
	}
	run.play(t, pairs)
	t.Logf("%d requests compared in %d sequences", run.compared.Load(), run.next.Load())
	t.Logf("answers: %v", run.rules.answers)
	t.Logf("rules: %v", run.rules.times)
	for _, kind := range []string{"200", "201", "400", "401", "401/110", "403", "404", "409"} {
		if run.compared.Load() >= 450 && run.rules.answers[kind] == 0 {
			t.Errorf("no response was %s: the generator no longer makes requests for it", kind)
		}
	}
	for _, name := range ruleNamesOf(authRules, authWatchRules) {
		if run.compared.Load() >= allAuthRulesFire && run.rules.times[name] == 0 {
			t.Errorf("rule %s was never used", name)
		}
	}
}

// resetAuth disables auth and deletes all users and roles of both servers, with the same requests.
func (p *differentialPair) resetAuth() error {
	names := map[string][]string{}
	err := p.both(func(_ int, side *differentialSide) error {
		answer, err := side.do(plainRequest("DELETE", "/v2/auth/enable").by(rootLogin))
		if err != nil || answer.status() != "200" && answer.status() != "409" {
			return fmt.Errorf("disabling auth: %v (error: %w)", answer, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, kind := range []string{"users", "roles"} {
		for n := range 2 {
			more, err := p.side(n).authNames(kind)
			if err != nil {
				return err
			}
			names[kind] = append(names[kind], more...)
		}
		slices.Sort(names[kind])
		for _, name := range slices.Compact(names[kind]) {
			if kind == "roles" && name == "root" {
				continue
			}
			err := p.both(func(_ int, side *differentialSide) error {
				_, err := side.do(plainRequest("DELETE", "/v2/auth/"+kind+"/"+name))
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// authNames returns the names of all users or roles of a side.
func (s *differentialSide) authNames(kind string) ([]string, error) {
	answer, err := s.do(plainRequest("GET", "/v2/auth/"+kind))
	if err != nil {
		return nil, err
	}
	var list map[string][]map[string]any
	if err := json.Unmarshal([]byte(answer.raw), &list); err != nil {
		return nil, fmt.Errorf("listing %s: %w: %s", kind, err, answer)
	}
	var names []string
	for _, element := range list[kind] {
		name, ok := element[strings.TrimSuffix(kind, "s")].(string)
		if !ok {
			return nil, errors.New("an element of " + kind + " has no name")
		}
		names = append(names, name)
	}
	return names, nil
}
