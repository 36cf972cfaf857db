package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"pando/members/servertest"
)

// A sequence is a list of differentialSteps that starts with an empty tree. Any part of it is a sequence too, which
// lets a failing one be shrunk.

// differentialStep is one thing to do to both servers.
type differentialStep struct {
	request *transcriptRequest
	// watch leaves the request open to the end of the sequence: what it delivers is compared there.
	watch bool
	// fresh sends the request on a new connection.
	fresh bool
	// expiring writes nodes that live for a second at most, and is over when all of them are gone.
	expiring []*transcriptRequest
}

// String is the step as a transcript has it.
func (s *differentialStep) String() string {
	requests := s.expiring
	if requests == nil {
		requests = []*transcriptRequest{s.request}
	}
	var b strings.Builder
	for _, r := range requests {
		if s.watch {
			b.WriteString("background w\n")
		}
		if s.fresh {
			b.WriteString("# on a new connection\n")
		}
		fmt.Fprintf(&b, "> %s %s", r.method, r.target)
		if r.proto != "HTTP/1.1" {
			b.WriteString(" " + r.proto)
		}
		b.WriteString("\n")
		for _, h := range r.headers {
			b.WriteString("> " + h + "\n")
		}
		if r.hasBody {
			fmt.Fprintf(&b, "body: %q\n", r.body)
		}
	}
	if s.expiring != nil {
		b.WriteString("(wait until these have expired)\n")
	}
	return b.String()
}

// differentialPair is the reference and Pando, side by side. One goroutine uses it.
type differentialPair struct {
	reference, pando *differentialSide
	rules            *firedRules
	patience         time.Duration // with events of watches
	open             []*openPair
	compared         int
}

// unexplained is an error: a difference that no rule knows.
type unexplained struct {
	at   int // number of the step
	what string
}

func (u *unexplained) Error() string { return u.what }

// errTooSlow says that the machine was too busy to write all that is to expire before it expires.
var errTooSlow = errors.New("what should expire together could not be written together")

// play starts from an empty tree and plays the steps. Its error is *unexplained for a difference.
func (p *differentialPair) play(steps []*differentialStep) error {
	if err := p.reset(); err != nil {
		return err
	}
	defer p.closeWatches()
	for i, step := range steps {
		if err := p.step(i, step); err != nil {
			return err
		}
		for _, o := range p.open {
			p.take(o) // now, while the times in it are right
		}
	}
	return p.settleWatches()
}

func (p *differentialPair) step(i int, step *differentialStep) error {
	switch {
	case step.expiring != nil:
		return p.expire(i, step)
	case step.watch:
		return p.watch(i, step)
	}
	if step.fresh {
		p.hangUp()
	}
	_, err := p.exchange(i, step.request)
	return err
}

// exchange sends one request to both and compares the answers. It returns Pando's.
func (p *differentialPair) exchange(i int, request *transcriptRequest) (*sideAnswer, error) {
	var answers [2]*sideAnswer
	err := p.both(func(n int, side *differentialSide) (err error) {
		answers[n], err = side.do(request)
		return err
	})
	for tries := 0; tries < 3 && err == nil && !answers[0].hung && droppedChange(request, answers[0].head[0]); tries++ {
		answers[0], err = p.reference.do(request)
	}
	if err != nil {
		return nil, &unexplained{i, err.Error()}
	}
	return answers[1], p.judge(i, &exchanged{request: request, reference: answers[0], pando: answers[1]})
}

// judge finds the rule for a difference, if there is one.
func (p *differentialPair) judge(i int, e *exchanged) error {
	p.compared++
	p.rules.answered(e.pando)
	names, ok := explain(e)
	p.rules.fire(names...)
	if ok {
		return nil
	}
	return &unexplained{i, fmt.Sprintf("reference:\n    %s\npando:\n    %s", e.reference, e.pando)}
}

// both does the same to both sides at the same time. An error tells the side.
func (p *differentialPair) both(do func(n int, side *differentialSide) error) error {
	var wait sync.WaitGroup
	var problems [2]error
	for n, side := range []*differentialSide{p.reference, p.pando} {
		wait.Go(func() {
			if err := do(n, side); err != nil {
				problems[n] = fmt.Errorf("%s: %w", []string{"reference", "pando"}[n], err)
			}
		})
	}
	wait.Wait()
	return errors.Join(problems[:]...)
}

// hangUp closes the connections: the next requests go out on new ones.
func (p *differentialPair) hangUp() {
	p.reference.hangUp()
	p.pando.hangUp()
}

func (p *differentialPair) side(n int) *differentialSide {
	return [2]*differentialSide{p.reference, p.pando}[n]
}

// together bounds the time for writing what expires together.
const together = 700 * time.Millisecond

// expire writes nodes that are to expire, and waits until both servers have none of them.
func (p *differentialPair) expire(i int, step *differentialStep) error {
	begin := time.Now()
	var keys []string
	for _, request := range step.expiring {
		answer, err := p.exchange(i, request)
		if err != nil && time.Since(begin) > together {
			return errTooSlow
		}
		if err != nil {
			return err
		}
		if status := answer.status(); status == "200" || status == "201" {
			key, _, _ := strings.Cut(request.target, "?")
			keys = append(keys, key)
		}
	}
	if time.Since(begin) > together {
		return errTooSlow
	}
	var gone [2]time.Time
	err := p.both(func(n int, side *differentialSide) error {
		for deadline := time.Now().Add(transcriptPatience); ; <-time.After(5 * time.Millisecond) {
			left, err := side.remaining(keys)
			if err == nil && left == 0 {
				gone[n] = time.Now()
				return nil
			}
			if err != nil || time.Now().After(deadline) {
				return fmt.Errorf("%d nodes of %q have not expired (error: %v)", left, keys, err)
			}
		}
	})
	if err != nil {
		return &unexplained{i, err.Error()}
	}
	if gone[0].Sub(gone[1]) > 50*time.Millisecond {
		p.rules.fire(ruleTTLsEndOnTime)
	}
	return nil
}

// remaining counts the keys that are there.
func (s *differentialSide) remaining(keys []string) (int, error) {
	left := 0
	for _, key := range keys {
		answer, err := s.do(&transcriptRequest{method: "GET", target: key, proto: "HTTP/1.1"})
		if err != nil {
			return 0, err
		}
		if answer.status() == "200" {
			left++
		}
	}
	return left, nil
}

// reset empties both trees, with the same requests where they are alike, and takes their indexes of now for zero.
func (p *differentialPair) reset() error {
	p.hangUp()
	keys := []string{"/_h"}
	for n := range 2 {
		listed, err := p.side(n).topKeys()
		if err != nil {
			return err
		}
		keys = append(keys, listed...)
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	return p.both(func(n int, side *differentialSide) error {
		for _, key := range keys {
			target := "/v2/keys" + (&url.URL{Path: key}).EscapedPath() + "?recursive=true"
			answer, err := side.do(&transcriptRequest{method: "DELETE", target: target, proto: "HTTP/1.1"})
			if err != nil {
				return err
			}
			if status := answer.status(); status != "200" && status != "404" {
				return fmt.Errorf("emptying the tree: DELETE %s answered %s", target, answer)
			}
		}
		left, err := side.topKeys()
		if err != nil || len(left) > 0 {
			return fmt.Errorf("emptying the tree: %q are left (error: %v)", left, err)
		}
		return side.player.rebase()
	})
}

// topKeys lists the root, and learns the index.
func (s *differentialSide) topKeys() ([]string, error) {
	answer, err := s.do(&transcriptRequest{method: "GET", target: "/v2/keys/", proto: "HTTP/1.1"})
	if err != nil {
		return nil, err
	}
	var root struct{ Node servertest.KeyNode }
	if err := json.Unmarshal([]byte(answer.raw), &root); err != nil {
		return nil, fmt.Errorf("listing the root: %w: %s", err, answer)
	}
	var keys []string
	for _, node := range root.Node.Nodes {
		keys = append(keys, node.Key)
	}
	return keys, nil
}

// fillHistory writes the same events to both.
func (p *differentialPair) fillHistory(events int) error {
	return p.both(func(_ int, side *differentialSide) error {
		for range events {
			r := &transcriptRequest{method: "PUT", target: "/v2/keys/past?value=x", proto: "HTTP/1.1"}
			if answer, err := side.do(r); err != nil || answer.hung {
				return fmt.Errorf("filling the history: %v (error: %w)", answer, err)
			}
		}
		return nil
	})
}
