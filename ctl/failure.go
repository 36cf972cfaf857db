package ctl

import (
	"errors"
	"fmt"

	"pando/ctl/client"
)

// Exit codes. Those up to 5 are the legacy client's.
const (
	exitOK            = 0
	exitBadArguments  = 1   // wrong or missing arguments, a wrong setting; commands about members, users and roles: any refusal
	exitProblem       = 1   // tls check: something is wrong
	exitNotAllHealthy = 1   // endpoint: at least one endpoint is not healthy; the code of later legacy clients
	exitDifferent     = 1   // diff: there are differences
	exitTrouble       = 2   // diff: the comparison failed
	exitBadConnection = 2   // no endpoint could be connected to
	exitUnknown       = 3   // no such command
	exitServer        = 4   // the server refused, or failed, or did not answer
	exitUnhealthy     = 5   // cluster-health: at least one member is not healthy
	exitLost          = 6   // lock, elect: the lock was lost and may be another's by now
	exitTimedOut      = 7   // lock, elect: the lock was not acquired within --wait
	exitElse          = 8   // txn: the conditions did not hold, and "else" was executed
	exitInterrupted   = 130 // the user interrupted the command
)

// errAnswered ends a run after the answer to --help or --version was printed. It is no failure.
var errAnswered = errors.New("answered")

// failure is an error with an exit code. Main prints text to stderr as it is. cause is the error behind it, or nil.
type failure struct {
	code  int
	text  string
	cause error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.cause }

// failWith returns a failure with the text of err in the legacy client's form. It returns a failure unchanged.
func failWith(code int, err error) error {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	text := fmt.Sprintf("Error:  %v\n", err)
	if cluster, ok := errors.AsType[*client.ClusterError](err); ok {
		text += cluster.Detail() + "\n"
	}
	return &failure{code, text, err}
}

// serverFailure returns the failure of a command whose request failed.
func serverFailure(err error) error { return failWith(exitServer, err) }

// badArguments returns the failure of a command with wrong arguments.
func badArguments(format string, args ...any) error {
	return failWith(exitBadArguments, fmt.Errorf(format, args...))
}

// bareFailure returns a failure whose text is err alone, as the commands about members, users and roles print it.
func bareFailure(err error) error {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	return &failure{exitBadArguments, err.Error() + "\n", err}
}

// bareMessage returns a failure with the exit code for wrong arguments and a text of its own.
func bareMessage(text string) error { return &failure{code: exitBadArguments, text: text + "\n"} }
