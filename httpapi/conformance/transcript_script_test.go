package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// transcriptScript is one parsed file. Comments and blank lines are steps, too, so that save writes the same file.
type transcriptScript struct {
	path  string
	name  string
	steps []*transcriptStep
}

// transcriptStep is one request or action, with its lines in the file and the expected response.
type transcriptStep struct {
	line int      // of the file, for error messages
	text []string // the lines in the file, without the responses

	request    *transcriptRequest // nil for actions, comments and blank lines
	background string             // name of a request whose response stays open after its headers
	repeat     int                // how often to send the request; the last response is compared
	eventually bool               // repeat the request until the response is the expected one
	peer       bool               // send to the peer URL, not to the client URL
	user       string             // "name:password" for Basic authentication; may contain placeholders

	action string   // collect, pending, close, rebase or shutdown
	args   []string // of the action

	want       []string // the normalised response of the reference, without the "< "
	difference string   // anchor in docs/differences.md; empty if Pando responds alike
	differs    []string // the response of Pando if there is a difference
}

// transcriptRequest is a request of a transcript. It may contain placeholders.
type transcriptRequest struct {
	method, target, proto string
	headers               []string
	body                  string
	hasBody               bool
}

// spoilsServer reports whether the script leaves its server in a state in which no other script can be played: shut down, or with
// users.
func (script *transcriptScript) spoilsServer() bool {
	return slices.ContainsFunc(script.steps, func(s *transcriptStep) bool {
		return s.action == "shutdown" || s.request != nil && s.request.method == "PUT" && strings.HasPrefix(s.request.target, "/v2/auth/")
	})
}

// answer returns the expected response of a server.
func (s *transcriptStep) answer(mode transcriptMode) []string {
	if mode == expectPando && s.difference != "" {
		return s.differs
	}
	return s.want
}

const transcriptFormType = "application/x-www-form-urlencoded"

// parseTranscript parses a script. A step gets lines until it is complete. A response belongs to the step before it.
func parseTranscript(path, text string) (*transcriptScript, error) {
	script := &transcriptScript{
		path: path,
		name: strings.TrimSuffix(filepath.Base(path), ".txt"),
	}
	var open *transcriptStep // gets modifiers, request lines and responses
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		if startsStep(word, open) {
			open = &transcriptStep{line: i + 1, repeat: 1}
			script.steps = append(script.steps, open)
		}
		if err := open.take(line, word, rest); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
	}
	return script, nil
}

// startsStep reports whether a line that begins with word is the first of a new step. open is the step before it.
func startsStep(word string, open *transcriptStep) bool {
	if open == nil {
		return true
	}
	answered := open.action != "" || len(open.want) > 0 || open.difference != ""
	complete := answered || open.request != nil || open.isRemark()
	switch word {
	case "<", "!difference":
		return false
	case ">":
		return answered || open.isRemark()
	case "form:", "body:":
		return false
	default:
		return complete
	}
}

func (s *transcriptStep) isRemark() bool {
	return len(s.text) == 1 && (s.text[0] == "" || s.text[0][0] == '#')
}

// take adds one line to the step.
func (s *transcriptStep) take(line, word, rest string) (err error) {
	switch {
	case word == "<" && s.difference != "":
		s.differs = append(s.differs, rest)
		return nil
	case word == "<" && (s.request != nil || s.action != ""):
		s.want = append(s.want, rest)
		return nil
	case word == "!difference" && (s.request != nil || s.action != "") && rest != "":
		s.difference = rest
		return nil
	}
	s.text = append(s.text, line)
	switch {
	case line == "" || strings.HasPrefix(line, "#"):
	case word == ">" && s.request == nil:
		return s.takeRequestLine(rest)
	case word == ">":
		s.request.headers = append(s.request.headers, rest)
	case (word == "form:" || word == "body:") && s.request != nil:
		return s.takeBody(word, rest)
	case word == "background" && rest != "":
		s.background = rest
	case word == "repeat":
		s.repeat, err = strconv.Atoi(rest)
	case line == "eventually":
		s.eventually = true
	case line == "peer":
		s.peer = true
	case word == "user":
		s.user = rest
	case word == "collect", word == "pending", word == "close", word == "rebase", word == "shutdown":
		s.action, s.args = word, strings.Fields(rest)
	default:
		err = fmt.Errorf("line %q is not allowed here", line)
	}
	return err
}

func (s *transcriptStep) takeRequestLine(rest string) error {
	method, target, ok := strings.Cut(rest, " ")
	if !ok {
		return fmt.Errorf("request line %q has no target", rest)
	}
	s.request = &transcriptRequest{method: method, target: target, proto: "HTTP/1.1"}
	if before, found := strings.CutSuffix(target, " HTTP/1.0"); found {
		s.request.target, s.request.proto = before, "HTTP/1.0"
	}
	return nil
}

// takeBody parses a body. A body in double quotes is a Go string literal, for bytes that a line of text can't contain.
func (s *transcriptStep) takeBody(word, rest string) error {
	s.request.body, s.request.hasBody = rest, true
	if strings.HasPrefix(rest, `"`) {
		body, err := strconv.Unquote(rest)
		if err != nil {
			return fmt.Errorf("body %s: %w", rest, err)
		}
		s.request.body = body
	}
	if word == "form:" {
		s.request.headers = append(s.request.headers, "Content-Type: "+transcriptFormType)
	}
	return nil
}

// save writes the script to its file, with its current responses.
func (script *transcriptScript) save(t *testing.T) {
	t.Helper()
	var b strings.Builder
	for _, s := range script.steps {
		for _, line := range s.text {
			b.WriteString(line + "\n")
		}
		writeAnswer(&b, s.want)
		if s.difference != "" {
			b.WriteString("!difference " + s.difference + "\n")
			writeAnswer(&b, s.differs)
		}
	}
	if err := os.WriteFile(script.path, []byte(b.String()), 0o644); err != nil {
		t.Error(err)
	}
}

func writeAnswer(b *strings.Builder, lines []string) {
	for _, line := range lines {
		b.WriteString(strings.TrimSuffix("< "+line, " ") + "\n")
	}
}
