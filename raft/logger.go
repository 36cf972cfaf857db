package raft

import (
	"fmt"
	"slices"

	"go.uber.org/zap"
)

// raftLogger gives the upstream library the one logger of the program. Its
// Info lines are about elections and configurations; they are kept at debug
// level, because the loop reports what a person wants to know.
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

// contradiction is what the upstream library panics with when the log on this disk
// contradicts what the others know of it: when data that was acknowledged is gone.
type contradiction string

// contradictions are the library's messages for that.
var contradictions = []string{
	"tocommit(%d) is out of range [lastIndex(%d)]. Was the raft log corrupted, truncated, or lost?",
	"entry %d conflict with committed entry [committed(%d)]",
}

// Panicf panics, with a contradiction where the message is one.
func (l raftLogger) Panicf(format string, v ...any) {
	if slices.Contains(contradictions, format) {
		panic(contradiction(fmt.Sprintf(format, v...)))
	}
	l.s.Panicf(format, v...)
}
