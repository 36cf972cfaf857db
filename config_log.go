package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// logTimeLayout is ISO 8601 with milliseconds: sorts as text, and people can read it.
const logTimeLayout = "2006-01-02T15:04:05.000Z07:00"

// newLogger opens the log that cfg asks for. Nothing may be logged once the outputs are closed.
func newLogger(cfg *Config, stdout, stderr io.Writer) (*zap.Logger, *logOutputs, error) {
	outputs, err := openLogOutputs(cfg, stdout, stderr)
	if err != nil {
		return nil, nil, err
	}
	var core zapcore.Core
	if cfg.LogFormat == logFormatJSON {
		encoding := zap.NewProductionEncoderConfig()
		encoding.TimeKey, encoding.EncodeTime = "time", zapcore.TimeEncoderOfLayout(logTimeLayout)
		core = zapcore.NewCore(zapcore.NewJSONEncoder(encoding), outputs.sink, cfg.LogLevel)
	} else {
		core = &consoleCore{LevelEnabler: cfg.LogLevel, sink: outputs.sink}
	}
	return zap.New(core, zap.ErrorOutput(outputs.sink)), outputs, nil
}

// unwrapPath shortens "open x: no such file" to what the user wrote and what is wrong with it.
func unwrapPath(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return fmt.Errorf("%s: %w", p.Path, p.Err)
	}
	return err
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
	line.AppendTime(e.Time, logTimeLayout)
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
		return v.Format(logTimeLayout)
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
