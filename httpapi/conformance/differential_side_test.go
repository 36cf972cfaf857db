package conformance

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"pando/members/servertest"
)

// differentialSide is one of the two servers of a pair, with a connection that is reused for the next request. Only one goroutine
// may use it.
type differentialSide struct {
	player *transcriptPlayer // for its frame and its head method
	conn   net.Conn          // nil while there is none
	reader *bufio.Reader
	used   bool                // the connection has served a request
	now    uint64              // the last X-Etcd-Index
	raft   uint64              // the last X-Raft-Index
	tamper func(string) string // changes bodies, to test the comparison; may be nil
}

// historySize is the number of events in the history of either server.
const historySize = 1000

func newDifferentialSide(server *servertest.Process) *differentialSide {
	return &differentialSide{player: &transcriptPlayer{frame: &transcriptFrame{server: server, now: time.Now}}}
}

// sideAnswer is a response of one side, as it was sent and as it is compared.
type sideAnswer struct {
	none  bool // the connection was closed without a response
	head  []string
	body  string // normalised
	raw   string
	keys  []string // in the order of the body
	grew  bool     // X-Raft-Index has grown
	sized bool     // there is a Content-Length
}

func (a *sideAnswer) status() string {
	if a.none {
		return ""
	}
	status, _, _ := strings.Cut(strings.TrimPrefix(a.head[0], "HTTP/1.0 "), " ")
	return status
}

// String returns the response for error messages.
func (a *sideAnswer) String() string {
	if a.none {
		return "(closed without an answer)"
	}
	return strings.Join(append(append([]string{}, a.head...), bodyLines(a.body)...), "\n    ")
}

var nowPlaceholder = regexp.MustCompile(`\{now([+-]\d+)?\}`)

// fill replaces the placeholders of a request by the values of this server. {now-3} is relative to the last index that the server
// sent. It is at least the first index of this sequence, unless the placeholder is more than 1000 events back.
func (s *differentialSide) fill(r *transcriptRequest) *transcriptRequest {
	frame := s.player.frame
	text := func(text string) string {
		return nowPlaceholder.ReplaceAllStringFunc(frame.fill(text), func(m string) string {
			back, _ := strconv.ParseInt(strings.Trim(m, "{now}"), 10, 64) // 0 if there is no number
			index := int64(s.now) + back
			if back > 1-historySize {
				index = max(index, int64(frame.base)+1)
			}
			return servertest.Itoa(index)
		})
	}
	filled := *r
	filled.target, filled.body, filled.headers = text(r.target), text(r.body), nil
	for _, h := range r.headers {
		filled.headers = append(filled.headers, text(h))
	}
	return &filled
}

// do sends a request and reads the whole response. It uses a new connection if the server has closed the old one.
func (s *differentialSide) do(r *transcriptRequest) (*sideAnswer, error) {
	request := s.fill(r)
	for {
		answer, err := s.attempt(request)
		if !lostConnection(err) {
			return answer, err
		}
		fresh := !s.used
		s.hangUp()
		if fresh {
			return &sideAnswer{none: true}, nil
		}
	}
}

// lostConnection reports whether the server closed the connection without a response.
func lostConnection(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func (s *differentialSide) attempt(request *transcriptRequest) (*sideAnswer, error) {
	if s.conn == nil {
		conn, err := net.DialTimeout("tcp", servertest.URLHost(s.player.frame.server.Client), transcriptTimeout)
		if err != nil {
			return nil, fmt.Errorf("connecting: %w", err)
		}
		s.conn, s.reader, s.used = conn, bufio.NewReader(conn), false
	}
	response, err := exchangeWire(s.conn, s.reader, request)
	if err != nil {
		return nil, err
	}
	body, err := response.readAll()
	s.used = true
	if err != nil {
		s.hangUp()
		return nil, fmt.Errorf("%s\nreading the body after %q: %s", response.status, body, err) // do must not repeat the request
	}
	if response.header("Connection") == "close" || request.proto == "HTTP/1.0" {
		s.hangUp()
	}
	return s.answered(request, response, body), nil
}

// answered normalises a response and records the indexes in it.
func (s *differentialSide) answered(request *transcriptRequest, w *wireResponse, body string) *sideAnswer {
	if s.tamper != nil {
		body = s.tamper(body)
	}
	if n, err := strconv.ParseUint(w.header("X-Etcd-Index"), 10, 64); err == nil && n > 0 {
		s.now = n
	}
	answer := &sideAnswer{raw: body, keys: s.keysIn(body), head: s.player.head(w, body), body: s.normalised(body, request)}
	answer.sized = w.header("Content-Length") != ""
	if n, err := strconv.ParseUint(w.header("X-Raft-Index"), 10, 64); err == nil {
		answer.grew, s.raft = n > s.raft, n
	}
	if answer.status() == "301" {
		s.normaliseRedirect(answer)
	}
	return answer
}

// normalised returns a body for the comparison. It sorts all lists: explain compares the order of keys.
func (s *differentialSide) normalised(body string, request *transcriptRequest) string {
	unsorted := *request
	unsorted.target = strings.ReplaceAll(request.target, "sorted=", "in_any_order=")
	unsorted.body = strings.ReplaceAll(request.body, "sorted=", "in_any_order=")
	return s.player.frame.body(body, &unsorted)
}

var keyField = regexp.MustCompile(`"key":"((?:[^"\\]|\\.)*)"`)

// keysIn returns the keys in a body in their order, with in-order names relative to the base.
func (s *differentialSide) keysIn(body string) []string {
	var keys []string
	for _, m := range keyField.FindAllStringSubmatch(body, -1) {
		keys = append(keys, inOrderName.ReplaceAllStringFunc(m[1], func(name string) string {
			return s.player.frame.relative(strings.TrimLeft(name, "0"))
		}))
	}
	return keys
}

var indexParameter = regexp.MustCompile(`Index=(\d+)`)

// normaliseRedirect normalises the indexes of the request, which a redirect repeats.
func (s *differentialSide) normaliseRedirect(answer *sideAnswer) {
	relative := func(text string) string {
		return servertest.ReplaceGroups(indexParameter, text, func(m []string) string {
			return "Index=" + s.player.frame.causeIndex(m[1])
		})
	}
	for i, line := range answer.head {
		answer.head[i] = relative(line)
	}
	answer.body = relative(answer.body)
}

// open sends a request for a watch on a new connection and returns after the head of the response.
func (s *differentialSide) open(r *transcriptRequest) (*sideAnswer, *transcriptOpen, error) {
	request := s.fill(r)
	response, err := sendWire(servertest.URLHost(s.player.frame.server.Client), request)
	if lostConnection(err) {
		return &sideAnswer{none: true}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if err := response.conn.SetDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	answer := s.answered(request, response, "")
	return answer, readBody(request, response), nil
}

// hangUp closes the connection, if there is one.
func (s *differentialSide) hangUp() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}
