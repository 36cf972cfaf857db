package raft

import (
	"fmt"
	"slices"

	"go.uber.org/zap"
)

// raftLogger passes the lines of the raft library to the program's logger. Its Info lines, about elections and
// configurations, become Debug lines, because the core logs these events for the operator.
type raftLogger struct{ s *zap.SugaredLogger }

func newRaftLogger(l *zap.Logger) raftLogger {
	return raftLogger{l.WithOptions(zap.AddCallerSkip(1)).Named("raft").Sugar()}
}

func (l raftLogger) Debug(v ...any)                   { l.s.Debug(v...) }
func (l raftLogger) Debugf(format string, v ...any)   { l.s.Debugf(format, v...) }
func (l raftLogger) Info(v ...any)                    { l.s.Debug(v...) }
func (l raftLogger) Infof(format string, v ...any)    { l.s.Debugf(format, v...) }
func (l raftLogger) Warning(v ...any)                 { l.s.Warn(v...) }
func (l raftLogger) Warningf(format string, v ...any) { l.s.Warnf(format, v...) }
func (l raftLogger) Error(v ...any)                   { l.s.Error(v...) }
func (l raftLogger) Errorf(format string, v ...any)   { l.s.Errorf(format, v...) }
func (l raftLogger) Fatal(v ...any)                   { l.s.Fatal(v...) }
func (l raftLogger) Fatalf(format string, v ...any)   { l.s.Fatalf(format, v...) }
func (l raftLogger) Panic(v ...any)                   { l.s.Panic(v...) }

// contradiction is the value of the panic when the raft library finds that this log has lost acknowledged entries.
type contradiction string

// contradictions are the library's messages in that case.
var contradictions = []string{
	"tocommit(%d) is out of range [lastIndex(%d)]. Was the raft log corrupted, truncated, or lost?",
	"entry %d conflict with committed entry [committed(%d)]",
}

// Panicf panics, with a contradiction if the message is one of those.
func (l raftLogger) Panicf(format string, v ...any) {
	if slices.Contains(contradictions, format) {
		panic(contradiction(fmt.Sprintf(format, v...)))
	}
	l.s.Panicf(format, v...)
}
