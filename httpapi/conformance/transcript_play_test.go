package conformance

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pando/members/servertest"
)

// transcriptMode says what to do with the responses.
type transcriptMode int

const (
	expectReference transcriptMode = iota // compare them with the recorded ones
	expectPando                           // compare them, and accept the named differences
	recordReference                       // record them
)

// transcriptPlayer plays one script to one server.
type transcriptPlayer struct {
	t        *testing.T
	script   *transcriptScript
	frame    *transcriptFrame
	mode     transcriptMode
	open     map[string]*transcriptOpen
	lastTerm uint64
	dial     func(addr string) (net.Conn, error) // opens the connections for the requests of the script
}

func playTranscript(t *testing.T, script *transcriptScript, server *servertest.Process, mode transcriptMode) {
	t.Helper()
	playTranscriptOver(t, script, server, mode, dialWire)
}

// playTranscriptOver is playTranscript on connections of dial.
func playTranscriptOver(
	t *testing.T, script *transcriptScript, server *servertest.Process, mode transcriptMode, dial func(addr string) (net.Conn, error),
) {
	t.Helper()
	p := &transcriptPlayer{
		t: t, script: script, mode: mode,
		frame: &transcriptFrame{server: server, now: time.Now},
		open:  make(map[string]*transcriptOpen),
		dial:  dial,
	}
	if mode == expectPando {
		p.dial = describedDial(t, server.Addr(), dial)
	}
	defer p.closeAll()
	if err := p.rebase(); err != nil {
		t.Fatal(err)
	}
	for _, step := range script.steps {
		if !p.play(step) {
			return
		}
	}
}

// play performs one step. It reports whether the rest of the script can be played.
func (p *transcriptPlayer) play(step *transcriptStep) bool {
	if step.request == nil && step.action == "" {
		return true
	}
	got, err := p.perform(step)
	for tries := 0; tries < 3 && err == nil && p.dropped(step, got); tries++ {
		got, err = p.perform(step)
	}
	if step.eventually && err == nil {
		got, err = p.await(step, got)
	}
	if err != nil {
		p.t.Errorf("%s:%d: %s\n%v", p.script.path, step.line, strings.Join(step.text, "\n"), err)
		return false
	}
	want := step.answer(p.mode)
	matched := sameAnswer(got, want)
	if p.mode == recordReference {
		if !matched {
			step.want = got
		}
		return true
	}
	if !matched {
		p.t.Errorf("%s:%d: %s\ngot:\n  %s\nwant:\n  %s", p.script.path, step.line,
			strings.Join(step.text, "\n"), strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	return true
}

// dropped reports whether the reference has dropped the request.
func (p *transcriptPlayer) dropped(step *transcriptStep, got []string) bool {
	return p.mode != expectPando && step.request != nil && droppedChange(step.request, got[0])
}

// await repeats a step until its response is the expected one or a timeout is reached, for responses that depend on work that
// the server does in the background.
func (p *transcriptPlayer) await(step *transcriptStep, got []string) (_ []string, err error) {
	deadline := time.Now().Add(transcriptTimeout / 2)
	want := step.answer(p.mode)
	for !sameAnswer(got, want) && time.Now().Before(deadline) && err == nil {
		got, err = p.perform(step)
	}
	return got, err
}

// sameAnswer compares two responses line by line. If the last line of want is "...", got may have any lines there: their text is
// Pando's own.
func sameAnswer(got, want []string) bool {
	if n := len(want) - 1; n > 0 && want[n] == "..." && len(got) > n {
		got, want = got[:n], want[:n]
	}
	return slices.EqualFunc(got, want, func(g, w string) bool {
		return adoptCloseTTLs(g, w) == w
	})
}

func (p *transcriptPlayer) perform(step *transcriptStep) ([]string, error) {
	if step.request != nil {
		return p.send(step)
	}
	if step.action == "rebase" {
		return nil, p.rebase()
	}
	if step.action == "shutdown" {
		p.frame.server.Signal(syscall.SIGTERM) // the next steps check its connections while it stops
		return nil, nil
	}
	if len(step.args) == 0 || p.open[step.args[0]] == nil {
		return nil, errors.New("no such request in the background")
	}
	open := p.open[step.args[0]]
	switch step.action {
	case "collect":
		return p.collect(open, step.args[1:], step.answer(p.mode))
	case "pending":
		return nil, open.mustBePending()
	default:
		delete(p.open, step.args[0])
		return nil, open.response.conn.Close()
	}
}

// send sends the request of a step and returns the lines of the response.
func (p *transcriptPlayer) send(step *transcriptStep) ([]string, error) {
	request := p.filled(step)
	target := servertest.URLHost(p.frame.server.Client)
	if step.peer {
		target = servertest.URLHost(p.frame.server.Peer)
	}
	if step.background != "" {
		response, err := sendWireOver(p.dial, target, request)
		if err != nil {
			return nil, err
		}
		if err := response.conn.SetDeadline(time.Time{}); err != nil {
			return nil, err
		}
		p.open[step.background] = readBody(request, response)
		return p.head(response, ""), nil
	}
	conn, err := p.dial(target)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for n := 1; ; n++ {
		response, err := exchangeWire(conn, reader, request)
		if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return []string{"(closed without an answer)"}, nil
		}
		if err != nil {
			return nil, err
		}
		body, err := response.readAll()
		if err != nil {
			return nil, fmt.Errorf("%s\nreading the body after %q: %w", response.status, body, err)
		}
		if n == step.repeat {
			return append(p.head(response, body), p.bodyBelowHead(body, request)...), nil
		}
	}
}

// filled returns the request of a step with the values of its placeholders and with the header for its user.
func (p *transcriptPlayer) filled(step *transcriptStep) *transcriptRequest {
	r := step.request
	filled := *r
	filled.target, filled.body = p.frame.fill(r.target), p.frame.fill(r.body)
	filled.headers = nil
	for _, h := range r.headers {
		filled.headers = append(filled.headers, p.frame.fill(h))
	}
	if step.user != "" {
		credentials := base64.StdEncoding.EncodeToString([]byte(p.frame.fill(step.user)))
		filled.headers = append(filled.headers, "Authorization: Basic "+credentials)
	}
	return &filled
}

func (p *transcriptPlayer) bodyBelowHead(body string, request *transcriptRequest) []string {
	lines := bodyLines(p.frame.body(body, request))
	if len(lines) > 0 {
		lines = append([]string{""}, lines...)
	}
	return lines
}

// rebase makes the current index the base of @+0, and the current counters the base of theirs.
func (p *transcriptPlayer) rebase() error {
	server := p.frame.server
	for range 2 {
		header, err := servertest.GetJSON(server.Client+"/v2/keys/", &struct{}{})
		if err != nil {
			return err
		}
		p.frame.base, err = strconv.ParseUint(header.Get("X-Etcd-Index"), 10, 64)
		if err != nil {
			return fmt.Errorf("X-Etcd-Index of the root: %w", err)
		}
		if p.frame.base > 0 {
			break
		}
		// An index of 0 means no index, so it can't be the base. A write raises it.
		if _, err := sendOnly(server, "PUT", "/v2/keys/base?value=x"); err != nil {
			return err
		}
		if _, err := sendOnly(server, "DELETE", "/v2/keys/base"); err != nil {
			return err
		}
	}
	p.frame.counters = make(map[string]int64)
	var counters map[string]json.Number
	if _, err := servertest.GetJSON(server.Client+"/v2/stats/store", &counters); err != nil {
		return err
	}
	for name, n := range counters {
		p.frame.counters[name], _ = n.Int64()
	}
	return nil
}

// sendOnly sends a request and reads its response.
func sendOnly(server *servertest.Process, method, target string) (string, error) {
	response, err := sendWire(servertest.URLHost(server.Client), &transcriptRequest{method: method, target: target, proto: "HTTP/1.1"})
	if err != nil {
		return "", err
	}
	defer response.conn.Close()
	return response.readAll()
}

func (p *transcriptPlayer) closeAll() {
	for _, open := range p.open {
		open.response.conn.Close()
	}
}
