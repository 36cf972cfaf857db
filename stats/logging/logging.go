// Package logging writes the log of the process, as lines for people or as JSON for log collectors, to the standard streams and
// to files that can be rotated.
//
// New must be called once, before anything is logged. The logger that it returns may be used from any goroutine until its Outputs
// are closed. logging.go has the formats, outputs.go the streams and files, file.go a file that can be opened again.
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

// timeLayout is ISO 8601 with milliseconds, which people can read and which sorts as text.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// Format is the layout of the lines.
type Format string

const (
	// Console lines are for people: time, level, message, key=value.
	Console Format = "console"
	// JSON lines are for log collectors: one object per line.
	JSON Format = "json"
)

// Options say what is logged, in which format, and to which outputs.
type Options struct {
	Level  zapcore.Level // entries below this level are not logged
	Format Format
	// Outputs are "stderr", "stdout", or paths of files, to which lines are appended.
	Outputs []string
}

// New opens the outputs and returns a logger for them. It returns an error if a file can't be opened. The caller must close the
// outputs, and must log nothing after that.
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

// consoleCore writes each entry as one line: time, level, logger, message, key=value. The fields are in the order in which they
// were added.
type consoleCore struct {
	zapcore.LevelEnabler
	sink   zapcore.WriteSyncer
	fields []zapcore.Field
}

var consolePool = buffer.NewPool()

// With returns a core that adds fields to each line. It does not change c.
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

// Write writes the entry as one line, and its stack, if it has one, below.
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
		// The process ends after such an entry.
		_ = c.sink.Sync()
	}
	return err
}

// Sync flushes the outputs.
func (c *consoleCore) Sync() error { return c.sink.Sync() }

// appendField appends a field as key=value. zap's encoder for maps converts every type of field.
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

// quoteIfNeeded quotes a text that is empty, or has a blank, a quotation mark, "=" or an unprintable character.
func quoteIfNeeded(text string) string {
	special := func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || !strconv.IsPrint(r) }
	if text == "" || strings.ContainsFunc(text, special) {
		return strconv.Quote(text)
	}
	return text
}
