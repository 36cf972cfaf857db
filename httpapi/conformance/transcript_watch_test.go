package conformance

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// transcriptOpen is a request in the background: its head was read, and a goroutine
// takes in what comes of its body until the connection ends or is closed.
type transcriptOpen struct {
	request  *transcriptRequest
	response *wireResponse
	news     chan struct{} // tells a waiter to look again

	mu   sync.Mutex
	text string // arrived and not collected
	err  error  // why there will be no more; io.EOF at a proper end
}

func followBody(request *transcriptRequest, response *wireResponse) *transcriptOpen {
	o := &transcriptOpen{request: request, response: response, news: make(chan struct{}, 1)}
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := response.body.Read(buffer)
			o.mu.Lock()
			o.text += string(buffer[:n])
			o.err = err
			o.mu.Unlock()
			select {
			case o.news <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	return o
}

// take waits until so many lines have come, or the end, or the patience is over;
// it takes at most that many lines out. Negative lines stand for all of them.
func (o *transcriptOpen) take(lines int, patience time.Duration) (text string, ended error) {
	deadline := time.After(patience)
	for waiting := true; waiting; {
		o.mu.Lock()
		waiting = o.err == nil && (lines < 0 || strings.Count(o.text, "\n") < lines)
		o.mu.Unlock()
		if !waiting {
			break
		}
		select {
		case <-o.news:
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

const transcriptQuiet = 150 * time.Millisecond // long enough for what should not come to come

// mustBePending checks that nothing arrives for a short while.
func (o *transcriptOpen) mustBePending() error {
	if text, err := o.take(1, transcriptQuiet); text != "" || err != nil {
		return fmt.Errorf("the request should still wait: read %q (error: %v)", text, err)
	}
	return nil
}

// collect takes what a request in the background delivered: all of it until its
// end ("collect w"), so many events of a stream ("collect w 2"), or as many as
// come before it goes quiet ("collect w 2 quiet").
func (p *transcriptPlayer) collect(o *transcriptOpen, args []string) ([]string, error) {
	lines, patience := -1, transcriptPatience
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return nil, err
		}
		lines = n
	}
	mayBeLess := len(args) > 1
	if mayBeLess {
		patience = 5 * transcriptQuiet
	}
	text, ended := o.take(lines, patience)
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
	case mayBeLess:
		return append(answer, "(nothing more)"), nil
	}
	return nil, fmt.Errorf("nothing came in time, but %q", text)
}
