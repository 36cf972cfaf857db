package v3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"pando/ctl/v3/client"
)

// Exit codes, as those of etcdctl.
const (
	exitOK            = 0
	exitError         = 1   // the server refused, failed or did not answer in time; wrong flags
	exitBadConnection = 2   // the login failed, or the connection of a stream
	exitInvalidInput  = 3   // the input of txn or watch -i can't be understood
	exitBadFeature    = 4   // a value of a flag does not exist
	exitInterrupted   = 5   // a watch or a snapshot ended early
	exitIO            = 6   // a file can't be read
	exitBadArguments  = 128 // wrong arguments
	exitSignal        = 130 // CTRL+C; shells use the same code
)

// failure is an error with an exit code.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// fail returns a failure with a text.
func fail(code int, format string, args ...any) error {
	return &failure{code, fmt.Errorf(format, args...)}
}

// badArguments returns the failure of a command with wrong arguments.
func badArguments(format string, args ...any) error { return fail(exitBadArguments, format, args...) }

// silent is an exit code of a command that has printed its errors.
type silent int

func (silent) Error() string { return "the command failed" }

// errAnswered ends a run after help was printed. It is no failure.
var errAnswered = errors.New("answered")

// report prints an error and returns its exit code.
func (p *program) report(ctx context.Context, err error) int {
	code, printed := exitError, false
	switch {
	case err == nil, errors.Is(err, errAnswered):
		return exitOK
	case errors.Is(err, syscall.EPIPE):
		return exitError // nobody reads the output any more, so no message is needed
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitSignal
	}
	if s, ok := errors.AsType[silent](err); ok {
		code, printed = int(s), true
	}
	if f, ok := errors.AsType[*failure](err); ok {
		code = f.code
	}
	if !printed {
		fmt.Fprintf(p.stderr, "Error: %v\n", err)
		p.advise(err)
	}
	return code
}

// advise prints a second line with what the user can do about an error.
func (p *program) advise(err error) {
	if problem := client.Problem(err); problem != "" {
		fmt.Fprintf(p.stderr, "No endpoint can be connected to: %s. %s\n", problem, connectionAdvice(problem))
		return
	}
	switch {
	case errors.Is(err, rpctypes.ErrUserEmpty):
		io.WriteString(p.stderr, "The cluster requires a user: give one with --user NAME, or in ETCDCTL_USER.\n")
	case errors.Is(err, rpctypes.ErrCompacted):
		io.WriteString(p.stderr, "The history before the last compaction is gone: give a later revision, or none.\n")
	}
}

// connectionAdvice says what the user can do about a problem with the connection.
func connectionAdvice(problem string) string {
	for _, known := range []struct{ part, advice string }{
		{"unknown authority", "Give the CA that has signed the certificate of the server with --cacert."},
		{"certificate required", "The server requires a certificate of the client: give it with --cert and --key."},
		{"server preface: EOF", "If the server has TLS, write https:// in the endpoint."},
		{"looked like an HTTP/1.1 header", "If the server has TLS, write https:// in the endpoint."},
		{"handshake failed: EOF", "If the server has no TLS, write http:// in the endpoint."},
		{"connection reset by peer", "If the server has no TLS, write http:// in the endpoint."},
		{"does not look like a TLS handshake", "If the server has no TLS, write http:// in the endpoint."},
	} {
		if strings.Contains(problem, known.part) {
			return known.advice
		}
	}
	return "Check --endpoints, and whether the servers run."
}
