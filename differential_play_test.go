package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
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

// openPair is a watch at both servers.
type openPair struct {
	step  *differentialStep
	at    int
	sides [2]*transcriptOpen // nil where the connection was closed instead
	got   [2]watchResult
}

func (o *openPair) close() {
	for _, side := range o.sides {
		if side != nil {
			side.response.conn.Close()
		}
	}
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

// watch opens a watch at both and compares the heads. What is no watch, but an error, is complete at once.
func (p *differentialPair) watch(i int, step *differentialStep) error {
	var answers [2]*sideAnswer
	opened := &openPair{step: step, at: i}
	err := p.both(func(n int, side *differentialSide) (err error) {
		answers[n], opened.sides[n], err = side.open(step.request)
		return err
	})
	waiting := 0
	for n, side := range opened.sides {
		if side == nil {
			continue
		}
		if err == nil && answers[n].status() == "200" && side.response.header("Content-Length") == "" {
			waiting++
			continue
		}
		text, _ := side.take(-1, transcriptPatience) // cut short, it differs
		answers[n] = p.side(n).answered(side.request, side.response, text)
	}
	if waiting == len(opened.sides) {
		p.open = append(p.open, opened)
	} else {
		opened.close()
	}
	if err != nil {
		return &unexplained{i, err.Error()}
	}
	return p.judge(i, &exchanged{request: step.request, reference: answers[0], pando: answers[1]})
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
	var root struct{ Node keyNode }
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

// watchResult is what a watch has delivered.
type watchResult struct {
	lines []string
	raw   string // all lines as they were sent
	part  string // of a line that has not arrived whole
	end   string // how it ended; empty while it goes on
}

func (r watchResult) String() string {
	end := r.end
	if end == "" {
		end = "(goes on)"
	}
	return strings.Join(append(bodyLines(strings.Join(r.lines, "")), end), "\n    ")
}

var expiredPart = regexp.MustCompile(`\{off by [^}]*\}`)

// Patience with events: watchPatience for those that must come, watchSettle for those that should not. A sequence
// that is being shrunk has shown already that something does not come; there shrinkPatience is enough.
const (
	watchPatience  = 3 * time.Second
	shrinkPatience = 300 * time.Millisecond
	watchSettle    = 15 * time.Millisecond
)

// settleWatches compares what the open watches have delivered.
func (p *differentialPair) settleWatches() error {
	if len(p.open) == 0 {
		return nil
	}
	deadline := time.Now().Add(p.patience)
	for settled := false; !settled; {
		settled = true
		for _, o := range p.open {
			p.take(o)
			if _, ok := explainWatch(o); !ok && time.Now().Before(deadline) {
				settled = false
			}
		}
		<-time.After(watchSettle)
	}
	for _, o := range p.open {
		p.take(o)
		names, ok := explainWatch(o)
		p.rules.fire(names...)
		if !ok {
			return &unexplained{o.at, fmt.Sprintf("the watch of\n    %s %s\nreference:\n    %s\npando:\n    %s",
				o.step.request.method, o.step.request.target, o.got[0], o.got[1])}
		}
	}
	return nil
}

// take adds what has arrived by now to what a watch has delivered.
func (p *differentialPair) take(o *openPair) {
	for n, open := range o.sides {
		got := &o.got[n]
		text, ended := open.take(-1, 0)
		text = got.part + text
		whole := strings.LastIndexByte(text, '\n') + 1
		if ended != nil {
			whole = len(text)
		}
		text, got.part = text[:whole], text[whole:]
		got.raw += text
		for line := range strings.Lines(p.side(n).normalised(text, open.request)) {
			// An event of the past was written when more of its TTL was left.
			got.lines = append(got.lines, expiredPart.ReplaceAllString(line, "{in ttl}"))
		}
		switch {
		case errors.Is(ended, io.EOF):
			got.end = "(ended)"
		case ended != nil:
			got.end = "(cut off)"
		}
	}
}

func (p *differentialPair) closeWatches() {
	for _, o := range p.open {
		o.close()
	}
	p.open = nil
}
