package conformance

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// transcriptOpen is a request in the background. The head of its response was read, and a goroutine reads the body until the
// connection ends or is closed.
type transcriptOpen struct {
	request  *transcriptRequest
	response *wireResponse
	changed  chan struct{} // has an element after text or err has changed

	mu   sync.Mutex
	text string // received and not collected yet
	err  error  // why no more will arrive; io.EOF at the end of the body
}

// readBody starts to read the body of a response in the background.
func readBody(request *transcriptRequest, response *wireResponse) *transcriptOpen {
	o := &transcriptOpen{request: request, response: response, changed: make(chan struct{}, 1)}
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := response.body.Read(buffer)
			o.mu.Lock()
			o.text += string(buffer[:n])
			o.err = err
			o.mu.Unlock()
			select {
			case o.changed <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	return o
}

// take waits for a number of lines, for the end of the body, or until timeout has passed. It returns and removes at most that many
// lines. A negative number stands for all lines.
func (o *transcriptOpen) take(lines int, timeout time.Duration) (text string, ended error) {
	deadline := time.After(timeout)
	for waiting := true; waiting; {
		o.mu.Lock()
		waiting = o.err == nil && (lines < 0 || strings.Count(o.text, "\n") < lines)
		o.mu.Unlock()
		if !waiting {
			break
		}
		select {
		case <-o.changed:
		case <-deadline:
			waiting = false
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	parts := strings.SplitAfterN(o.text, "\n", lines+1)
	if lines < 0 || len(parts) <= lines {
		text, o.text = o.text, ""
		return text, o.err
	}
	text, o.text = strings.Join(parts[:lines], ""), parts[lines]
	return text, nil
}

// transcriptQuiet is how long a test waits for something that must not arrive.
const transcriptQuiet = 150 * time.Millisecond

// mustBePending checks that nothing arrives within transcriptQuiet.
func (o *transcriptOpen) mustBePending() error {
	if text, err := o.take(1, transcriptQuiet); text != "" || err != nil {
		return fmt.Errorf("the request should still wait: read %q (error: %v)", text, err)
	}
	return nil
}

// collect returns what a request in the background has received: everything until its end ("collect w"), a number of events of a
// stream ("collect w 2"), or at most that number if no more arrive for a while ("collect w 2 quiet"). On a busy machine the events in
// want may take longer than that while.
func (p *transcriptPlayer) collect(o *transcriptOpen, args, want []string) ([]string, error) {
	lines, timeout := -1, transcriptTimeout
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return nil, err
		}
		lines = n
	}
	fewerAllowed, expected := len(args) > 1, ""
	if fewerAllowed {
		events := len(slices.DeleteFunc(slices.Clone(want), func(line string) bool { return strings.HasPrefix(line, "(") }))
		expected, _ = o.take(min(events, lines), timeout) // the next call returns the end, too
		timeout = 5 * transcriptQuiet
	}
	text, ended := o.take(lines-strings.Count(expected, "\n"), timeout)
	text = expected + text
	answer := bodyLines(p.frame.body(text, o.request))
	switch {
	case errors.Is(ended, io.EOF) && (text == "" || lines >= 0):
		return append(answer, "(ended)"), nil
	case errors.Is(ended, io.EOF):
		return answer, nil
	case ended != nil:
		return append(answer, "(cut off)"), nil
	case strings.Count(text, "\n") == lines:
		return answer, nil
	case fewerAllowed:
		return append(answer, "(nothing more)"), nil
	}
	return nil, fmt.Errorf("only %q arrived in time", text)
}
