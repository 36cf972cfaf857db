package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	"go.uber.org/zap"

	"pando/members"
	"pando/members/config"
	"pando/members/server"
	"pando/raft"
	"pando/raft/offline"
	"pando/storage"
	"pando/storage/etcdv2"
	"pando/storage/etcdv3"
)

// Exit codes of the program. docs/operations.md explains them to operators. Another start can help only after ExitFailure;
// docs/deploy/pando.service lists the other codes in RestartPreventExitStatus.
const (
	ExitFailure = 1 // the server could not start or did not end well
	ExitUsage   = 2 // a flag, environment variable or configuration file is wrong; nothing was started
	ExitTaken   = 3 // another process uses an address or the data directory
	ExitData    = 4 // the data directory holds something that this program can't use
	ExitMember  = 5 // the cluster refuses this member

	ExitInterrupted = 130 // CTRL+C ended a command; shells use the same code
)

// exitCodes lists the errors that have an exit code of their own.
var exitCodes = []struct {
	err  error
	code int
}{
	{syscall.EADDRINUSE, ExitTaken},
	{storage.ErrLocked, ExitTaken},
	{syscall.ENOTDIR, ExitData},
	{storage.ErrForeign, ExitData},
	{storage.ErrNewerFormat, ExitData},
	{storage.ErrOlderFormat, ExitData},
	{storage.ErrCorrupt, ExitData},
	{etcdv2.ErrDamaged, ExitData},
	{etcdv2.ErrNotEtcd, ExitData},
	{etcdv2.ErrClash, ExitData},
	{etcdv2.ErrInexact, ExitData},
	{etcdv3.ErrDamaged, ExitData},
	{etcdv2.ErrRunning, ExitTaken},
	{raft.ErrNotSkipped, ExitUsage},
	{offline.ErrOtherRuns, ExitUsage},
	{raft.ErrRemoved, ExitMember},
	{raft.ErrBroken, ExitMember},
	{server.ErrStartedBefore, ExitMember},
	{server.ErrAddedElsewhere, ExitMember},
	{raft.ErrContradiction, ExitMember},
	{members.ErrFull, ExitMember},
	{members.ErrRegistered, ExitMember},
	{members.ErrDuplicateName, ExitMember},
}

// report prints err and returns its exit code.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	if code, ok := errors.AsType[silentExit](err); ok {
		return int(code)
	}
	_, usage := errors.AsType[*config.UsageError](err)
	if _, logged := errors.AsType[*loggedError](err); !logged {
		for line := range strings.SplitSeq(strings.TrimRight(err.Error(), "\n"), "\n") {
			fmt.Fprintln(stderr, "pando: "+line)
		}
		if usage {
			fmt.Fprintln(stderr, "pando: "+usageHint(err))
		}
	}
	if usage {
		return ExitUsage
	}
	for _, e := range exitCodes {
		if errors.Is(err, e.err) {
			return e.code
		}
	}
	if _, ok := errors.AsType[*raft.EntryError](err); ok {
		return ExitData
	}
	return ExitFailure
}

// commandError is the error of a command that starts no server.
type commandError struct {
	err     error
	command string // as the user types it
}

func (e *commandError) Error() string { return e.err.Error() }
func (e *commandError) Unwrap() error { return e.err }

// usageHint names the help that explains a wrong command line.
func usageHint(err error) string {
	if e, ok := errors.AsType[*commandError](err); ok {
		return e.command + " --help explains it"
	}
	return "nothing was started; pando --help lists every flag"
}

// endedBySignal returns nil in place of the error of a start that a signal interrupted.
func endedBySignal(ctx context.Context, err error, log *zap.Logger) error {
	if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
		return err
	}
	log.Info("stopped before the server was ready")
	return nil
}

// loggedError marks an error that is already in the JSON log on the standard error. To print it again would break the JSON.
type loggedError struct{ err error }

func (e *loggedError) Error() string { return e.err.Error() }
func (e *loggedError) Unwrap() error { return e.err }

// logEnd writes the error that ends the server to the log, if the log goes to a file or is JSON. Otherwise the log is text on
// the standard error, and report prints the error there.
func logEnd(cfg *config.Config, err error, log *zap.Logger) error {
	asJSON, onStderr := cfg.LogFormat == config.LogFormatJSON, slices.Contains(cfg.LogOutputs, "stderr")
	if err == nil || onStderr && len(cfg.LogOutputs) == 1 && !asJSON {
		return err
	}
	log.Error("the server ends", zap.Error(err))
	if asJSON && onStderr {
		return &loggedError{err}
	}
	return err
}
