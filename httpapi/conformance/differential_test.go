package conformance

import (
	"errors"
	"flag"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pando/members/servertest"
)

// The differential test sends the same random requests to the reference and to Pando, and compares everything that clients can
// see. differential_gen*_test.go generate the requests, differential_play_test.go sends them, differential_compare_test.go compares
// the responses, and differential_rules_test.go has the deliberate differences.

var (
	differentialRequests = flag.Int("differential.n", 5000, "number of requests of the differential test; -short sends a fifth of them")
	differentialSeed     = flag.Uint64("differential.seed", 1, "seed of the first sequence of the differential test")
)

const (
	sequenceLength     = 80     // steps of a sequence
	differentialPairs  = 2      // pairs of servers that work in parallel
	differentialFailed = 3      // failed sequences after which the test ends
	allRulesFire       = 50_000 // requests after which every rule must have been used
)

// TestDifferential checks that clients can't tell Pando from the reference, except for the deliberate differences.
func TestDifferential(t *testing.T) {
	t.Parallel()
	run := &differentialRun{seed: *differentialSeed, want: int64(*differentialRequests), rules: newFiredRules()}
	run.generate = func(seed uint64) []*differentialStep { return newGenerator(seed).sequence(sequenceLength) }
	if testing.Short() {
		run.want /= 5
	}
	var pairs []*differentialPair
	for range differentialPairs {
		pairs = append(pairs, newDifferentialPair(t, run.rules))
	}
	run.play(t, pairs)
	t.Logf(
		"%d requests compared in %d sequences, seeds %d to %d",
		run.compared.Load(),
		run.next.Load(),
		run.seed,
		run.seed+run.next.Load()-1,
	)
	run.report(t)
}

// report logs which responses and rules occurred. After a long run it reports those that did not as errors.
func (r *differentialRun) report(t *testing.T) {
	long := r.compared.Load() >= allRulesFire
	t.Logf("answers: %v", r.rules.answers)
	for _, kind := range allAnswers {
		if long && r.rules.answers[kind] == 0 {
			t.Errorf("no response was %s: the generator no longer makes requests for it", kind)
		}
	}
	t.Logf("rules: %v", r.rules.times)
	for _, name := range ruleNames() {
		if long && r.rules.times[name] == 0 {
			t.Errorf(
				"rule %s was never used: either the difference is gone, then remove the rule here and in %s, "+
					"or the generator no longer makes requests for it",
				name,
				differencesDoc,
			)
		}
	}
}

// newDifferentialPair starts a reference and a Pando and fills their histories.
func newDifferentialPair(t *testing.T, rules *firedRules) *differentialPair {
	t.Helper()
	p := &differentialPair{
		reference: newDifferentialSide(servertest.StartSingle(t, servertest.Member.StartEtcd)),
		pando:     newDifferentialSide(servertest.StartSingle(t, startComparedPando)),
		rules:     rules,
		timeout:   watchTimeout,
	}
	if err := p.reset(); err != nil {
		t.Fatal(err)
	}
	if p.reference.player.frame.base > 1 && p.pando.player.frame.base == 1 {
		rules.fire(ruleFreshStore)
	}
	if err := p.fillHistory(2 * historySize); err != nil {
		t.Fatal(err)
	}
	return p
}

// differentialRun is the state that the pairs share.
type differentialRun struct {
	seed     uint64
	generate func(seed uint64) []*differentialStep
	want     int64
	next     atomic.Uint64 // number of the next sequence
	compared atomic.Int64
	failed   atomic.Int64
	rules    *firedRules
}

func (r *differentialRun) play(t *testing.T, pairs []*differentialPair) {
	var wait sync.WaitGroup
	for _, pair := range pairs {
		wait.Go(func() {
			for r.compared.Load() < r.want && r.failed.Load() < differentialFailed {
				seed := r.seed + r.next.Add(1) - 1
				if err := r.sequence(pair, seed); err != nil {
					r.failed.Add(1)
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
}

// sequence plays one sequence, and shrinks it if the servers differ.
func (r *differentialRun) sequence(pair *differentialPair, seed uint64) error {
	steps := r.generate(seed)
	err := pair.playInTime(steps)
	r.compared.Add(int64(pair.compared))
	pair.compared = 0
	found, differs := errors.AsType[*unexplained](err)
	if !differs {
		return err
	}
	pair.timeout = shrinkTimeout
	defer func() { pair.timeout = watchTimeout }()
	steps, found = shrink(shrinkTime, steps, found, func(steps []*differentialStep) error {
		if err := pair.replaceHistory(steps); err != nil {
			return err
		}
		return pair.playInTime(steps)
	})
	if err := errors.Join(pair.reset(), pair.fillHistory(historySize)); err != nil {
		return err
	}
	var text strings.Builder
	for _, step := range steps {
		text.WriteString(step.String())
	}
	return fmt.Errorf(
		"Pando differs from the reference; repeat it with -differential.seed=%d -differential.n=1\n\n%s\n%w",
		seed,
		text.String(),
		found,
	)
}

// playInTime plays the steps. It repeats them if the machine was too busy to write nodes that must expire together.
func (p *differentialPair) playInTime(steps []*differentialStep) (err error) {
	const tries = 10
	for range tries {
		if err = p.play(steps); !errors.Is(err, errTooSlow) {
			break
		}
	}
	return err
}

// replaceHistory writes a new history if the steps read events from before their sequence: sequences that differed have left
// different events there.
func (p *differentialPair) replaceHistory(steps []*differentialStep) error {
	for _, step := range steps {
		if step.watch && farBack.MatchString(step.request.target) {
			return errors.Join(p.reset(), p.fillHistory(historySize))
		}
	}
	return nil
}

// farBack matches indexes from before the sequence.
var farBack = regexp.MustCompile(`\{now-\d{3,}`)
