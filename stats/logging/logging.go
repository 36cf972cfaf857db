// Package logging is the process' own log: lines for people or JSON for collectors, to the standard streams and to
// files that can be rotated.
//
// New is called once, before anything is logged. The logger that it gives may be used from any goroutine until its
// Outputs are closed.
package logging

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// timeLayout is ISO 8601 with milliseconds: sorts as text, and people can read it.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// Format is the form of the lines.
type Format string

const (
	// Console lines are for people: time, level, message, key=value.
	Console Format = "console"
	// JSON lines are for collectors: one object a line.
	JSON Format = "json"
)

// Options say what is logged, and where to.
type Options struct {
	Level  zapcore.Level // the least severe level that is logged
	Format Format
	// Outputs are "stderr", "stdout" or paths of files to append to.
	Outputs []string
}

// New opens the log. An error is that of an output that can't be written to. Nothing may be logged once the outputs
// are closed.
func New(o Options, stdout, stderr io.Writer) (*zap.Logger, *Outputs, error) {
	outputs, err := open(o.Outputs, stdout, stderr)
	if err != nil {
		return nil, nil, err
	}
	var core zapcore.Core
	if o.Format == JSON {
		encoding := zap.NewProductionEncoderConfig()
		encoding.TimeKey, encoding.EncodeTime = "time", zapcore.TimeEncoderOfLayout(timeLayout)
		core = zapcore.NewCore(zapcore.NewJSONEncoder(encoding), outputs.sink, o.Level)
	} else {
		core = &consoleCore{LevelEnabler: o.Level, sink: outputs.sink}
	}
	return zap.New(core, zap.ErrorOutput(outputs.sink)), outputs, nil
}

// consoleCore writes a line an entry: time, level, logger, message, key=value. Fields keep the order they were
// added in.
type consoleCore struct {
	zapcore.LevelEnabler
	sink   zapcore.WriteSyncer
	fields []zapcore.Field
}

var consolePool = buffer.NewPool()

// With returns a core that adds fields to each line; the receiver is unchanged.
func (c *consoleCore) With(fields []zapcore.Field) zapcore.Core {
	all := make([]zapcore.Field, 0, len(c.fields)+len(fields))
	return &consoleCore{LevelEnabler: c.LevelEnabler, sink: c.sink, fields: append(append(all, c.fields...), fields...)}
}

// Check adds the core to the entry's writers if the level is logged.
func (c *consoleCore) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return checked.AddCore(e, c)
	}
	return checked
}

// Write writes the entry as one line, and its stack, where there is one, below.
func (c *consoleCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	line := consolePool.Get()
	defer line.Free()
	line.AppendTime(e.Time, timeLayout)
	fmt.Fprintf(line, " %-5s ", e.Level.CapitalString())
	if e.LoggerName != "" {
		line.AppendString(e.LoggerName + ": ")
	}
	line.AppendString(e.Message)
	for _, list := range [][]zapcore.Field{c.fields, fields} {
		for _, f := range list {
			appendField(line, f)
		}
	}
	line.AppendByte('\n')
	if e.Stack != "" {
		line.AppendString(e.Stack + "\n")
	}
	_, err := c.sink.Write(line.Bytes())
	if err == nil && e.Level > zapcore.ErrorLevel {
		// The process is about to end: what is in the log now is all there will be.
		_ = c.sink.Sync()
	}
	return err
}

// Sync flushes the outputs.
func (c *consoleCore) Sync() error { return c.sink.Sync() }

// appendField writes a field as key=value; zap's own encoding into a map knows every type of field.
func appendField(line *buffer.Buffer, f zapcore.Field) {
	if f.Type == zapcore.SkipType {
		return
	}
	values := zapcore.NewMapObjectEncoder()
	f.AddTo(values)
	value, ok := values.Fields[f.Key]
	if !ok {
		return
	}
	line.AppendString(" " + f.Key + "=" + consoleValue(value))
}

func consoleValue(value any) string {
	switch v := value.(type) {
	case string:
		return quoteIfNeeded(v)
	case time.Duration:
		return v.String()
	case time.Time:
		return v.Format(timeLayout)
	case []byte:
		return quoteIfNeeded(string(v))
	case map[string]any, []any:
		if text, err := json.Marshal(v); err == nil {
			return string(text)
		}
	}
	return quoteIfNeeded(fmt.Sprint(value))
}

// quoteIfNeeded keeps words bare and quotes what would break the line or hide where the value ends.
func quoteIfNeeded(text string) string {
	odd := func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || !strconv.IsPrint(r) }
	if text == "" || strings.ContainsFunc(text, odd) {
		return strconv.Quote(text)
	}
	return text
}
