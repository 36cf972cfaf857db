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

// A sequence is a list of differentialSteps that starts with an empty tree. Any part of a sequence is a sequence, too, so a
// failing one can be shrunk.

// differentialStep is one request to both servers, or a group of requests for nodes that expire.
type differentialStep struct {
	request *transcriptRequest
	// watch keeps the response open until the end of the sequence, where the events are compared.
	watch bool
	// fresh sends the request on a new connection.
	fresh bool
	// expiring are requests that write nodes with a TTL of at most a second. The step ends when all of them have expired.
	expiring []*transcriptRequest
}

// String returns the step in the form of a transcript.
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

// differentialPair is a reference and a Pando that get the same requests. Only one goroutine may use it.
type differentialPair struct {
	reference, pando *differentialSide
	rules            *firedRules
	timeout          time.Duration // how long to wait for events of watches
	before           func() error  // runs before the trees are emptied; may be nil
	open             []*openPair
	compared         int
}

// unexplained is the error for a difference that no rule allows.
type unexplained struct {
	at   int // number of the step
	what string
}

func (u *unexplained) Error() string { return u.what }

// errTooSlow means that the machine was too busy to write all nodes of a step before the first of them expired.
var errTooSlow = errors.New("nodes that should expire together could not be written in time")

// play plays the steps on empty trees. Its error is *unexplained if the servers differ.
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
			p.take(o) // now, while the TTLs in the events are right
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

// exchange sends one request to both servers and compares the responses. It returns that of Pando.
func (p *differentialPair) exchange(i int, request *transcriptRequest) (*sideAnswer, error) {
	var answers [2]*sideAnswer
	err := p.both(func(n int, side *differentialSide) (err error) {
		answers[n], err = side.do(request)
		return err
	})
	for tries := 0; tries < 3 && err == nil && !answers[0].none && droppedChange(request, answers[0].head[0]); tries++ {
		answers[0], err = p.reference.do(request)
	}
	if err != nil {
		return nil, &unexplained{i, err.Error()}
	}
	return answers[1], p.compare(i, &exchanged{request: request, reference: answers[0], pando: answers[1]})
}

// compare returns an error if the responses differ and no rule allows it.
func (p *differentialPair) compare(i int, e *exchanged) error {
	p.compared++
	p.rules.answered(e.pando)
	names, ok := explain(e)
	p.rules.fire(names...)
	if ok {
		return nil
	}
	return &unexplained{i, fmt.Sprintf("reference:\n    %s\npando:\n    %s", e.reference, e.pando)}
}

// both calls do for both sides in parallel. Its error names the side.
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

// hangUp closes the connections. The next requests use new ones.
func (p *differentialPair) hangUp() {
	p.reference.hangUp()
	p.pando.hangUp()
}

func (p *differentialPair) side(n int) *differentialSide {
	return [2]*differentialSide{p.reference, p.pando}[n]
}

// expiryWindow bounds how long it may take to write nodes that must expire together.
const expiryWindow = 700 * time.Millisecond

// expire writes nodes with a short TTL, and waits until all of them have expired on both servers.
func (p *differentialPair) expire(i int, step *differentialStep) error {
	begin := time.Now()
	var keys []string
	for _, request := range step.expiring {
		answer, err := p.exchange(i, request)
		if err != nil && time.Since(begin) > expiryWindow {
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
	if time.Since(begin) > expiryWindow {
		return errTooSlow
	}
	var gone [2]time.Time
	err := p.both(func(n int, side *differentialSide) error {
		for deadline := time.Now().Add(transcriptTimeout); ; <-time.After(5 * time.Millisecond) {
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

// remaining returns how many of the keys exist.
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

// reset deletes all keys of both servers, with the same requests if possible, and makes the current indexes their base.
func (p *differentialPair) reset() error {
	p.hangUp()
	if p.before != nil {
		if err := p.before(); err != nil {
			return err
		}
	}
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

// topKeys returns the keys in the root. It also updates the index.
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

// fillHistory writes the same number of events to both servers.
func (p *differentialPair) fillHistory(events int) error {
	return p.both(func(_ int, side *differentialSide) error {
		for range events {
			r := &transcriptRequest{method: "PUT", target: "/v2/keys/past?value=x", proto: "HTTP/1.1"}
			if answer, err := side.do(r); err != nil || answer.none {
				return fmt.Errorf("filling the history: %v (error: %w)", answer, err)
			}
		}
		return nil
	})
}
