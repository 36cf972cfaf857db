package conformance

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// openPair is a watch on both servers.
type openPair struct {
	step  *differentialStep
	at    int
	sides [2]*transcriptOpen // nil if the connection was closed without a response
	got   [2]watchResult
}

func (o *openPair) close() {
	for _, side := range o.sides {
		if side != nil {
			side.response.conn.Close()
		}
	}
}

// watch opens a watch on both servers and compares the heads. A response that is an error is compared as a whole.
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
		text, _ := side.take(-1, transcriptTimeout) // if it is incomplete, the comparison finds a difference
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
	return p.compare(i, &exchanged{request: step.request, reference: answers[0], pando: answers[1]})
}

// watchResult is what a watch has delivered so far.
type watchResult struct {
	lines []string
	raw   string // all lines as they were sent
	part  string // the beginning of a line that has not arrived completely
	end   string // how it ended; empty while it is open
}

func (r watchResult) String() string {
	end := r.end
	if end == "" {
		end = "(still open)"
	}
	return strings.Join(append(bodyLines(strings.Join(r.lines, "")), end), "\n    ")
}

var expiredPart = regexp.MustCompile(`\{off by [^}]*\}`)

// watchTimeout is how long to wait for events that must arrive, and watchSettle for those that must not. shrinkTimeout replaces
// watchTimeout while a sequence is shrunk: then it is known that an event does not arrive.
const (
	watchTimeout  = 20 * time.Second
	shrinkTimeout = 300 * time.Millisecond
	watchSettle   = 15 * time.Millisecond
)

// settleWatches waits for the events of the open watches and compares them.
func (p *differentialPair) settleWatches() error {
	if len(p.open) == 0 {
		return nil
	}
	deadline := time.Now().Add(p.timeout)
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

// take adds what has arrived to the results of a watch.
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
			// An event of the past has the TTL from the time of its write.
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
