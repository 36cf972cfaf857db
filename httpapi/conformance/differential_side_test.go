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

// differentialSide is one of the two servers that the differential test plays to, with a connection that it keeps
// open from one request to the next. One goroutine uses it.
type differentialSide struct {
	player *transcriptPlayer // its frame and its way to write down heads
	conn   net.Conn          // nil while there is none
	reader *bufio.Reader
	used   bool   // the connection has answered a request already
	now    uint64 // the last X-Etcd-Index that it told
	raft   uint64 // the last X-Raft-Index that it told
	tamper func(string) string
}

// historySize is the number of events that either server remembers.
const historySize = 1000

func newDifferentialSide(server *servertest.Process) *differentialSide {
	return &differentialSide{player: &transcriptPlayer{frame: &transcriptFrame{server: server, now: time.Now}}}
}

// sideAnswer is an answer of one side, as it was sent and as it is compared.
type sideAnswer struct {
	hung  bool // the connection ended without an answer
	head  []string
	body  string // normalised
	raw   string
	keys  []string // in the order of the answer
	grew  bool     // X-Raft-Index did
	sized bool     // the head tells the length of the body
}

func (a *sideAnswer) status() string {
	if a.hung {
		return ""
	}
	status, _, _ := strings.Cut(strings.TrimPrefix(a.head[0], "HTTP/1.0 "), " ")
	return status
}

// String is the answer for people.
func (a *sideAnswer) String() string {
	if a.hung {
		return "(closed without an answer)"
	}
	return strings.Join(append(append([]string{}, a.head...), bodyLines(a.body)...), "\n    ")
}

var nowPlaceholder = regexp.MustCompile(`\{now([+-]\d+)?\}`)

// fill puts the indexes and names of this server into a request. {now-3} is relative to the last index that the
// server told; it stays within what this sequence wrote, unless it asks for more than a thousand events back.
func (s *differentialSide) fill(r *transcriptRequest) *transcriptRequest {
	frame := s.player.frame
	text := func(text string) string {
		return nowPlaceholder.ReplaceAllStringFunc(frame.fill(text), func(m string) string {
			back, _ := strconv.ParseInt(strings.Trim(m, "{now}"), 10, 64) // none is none
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

// do sends a request and reads its whole answer.
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
			return &sideAnswer{hung: true}, nil
		}
	}
}

// lostConnection tells whether the server closed the connection instead of answering.
func lostConnection(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func (s *differentialSide) attempt(request *transcriptRequest) (*sideAnswer, error) {
	if s.conn == nil {
		conn, err := net.DialTimeout("tcp", servertest.URLHost(s.player.frame.server.Client), transcriptPatience)
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
		return nil, fmt.Errorf("%s\nreading the body after %q: %s", response.status, body, err) // not to be sent again
	}
	if response.header("Connection") == "close" || request.proto == "HTTP/1.0" {
		s.hangUp()
	}
	return s.answered(request, response, body), nil
}

// answered normalises an answer and takes notice of the indexes in it.
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
		s.repeated(answer)
	}
	return answer
}

// normalised is a body as it is compared. Its lists are put in order: the order itself is compared elsewhere.
func (s *differentialSide) normalised(body string, request *transcriptRequest) string {
	unsorted := *request
	unsorted.target = strings.ReplaceAll(request.target, "sorted=", "in_any_order=")
	unsorted.body = strings.ReplaceAll(request.body, "sorted=", "in_any_order=")
	return s.player.frame.body(body, &unsorted)
}

var keyField = regexp.MustCompile(`"key":"((?:[^"\\]|\\.)*)"`)

// keysIn gives the keys in a body in their order, those made of an index relative to the base.
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

// repeated normalises the indexes of the request, which a redirect repeats.
func (s *differentialSide) repeated(answer *sideAnswer) {
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

// open sends a request that may wait on a connection of its own, and returns when the head of the answer is there.
func (s *differentialSide) open(r *transcriptRequest) (*sideAnswer, *transcriptOpen, error) {
	request := s.fill(r)
	response, err := sendWire(servertest.URLHost(s.player.frame.server.Client), request)
	if lostConnection(err) {
		return &sideAnswer{hung: true}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if err := response.conn.SetDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	answer := s.answered(request, response, "")
	return answer, followBody(request, response), nil
}

// hangUp closes the connection, if there is one.
func (s *differentialSide) hangUp() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}
