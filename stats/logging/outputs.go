package logging

import (
	"errors"
	"io"
	"io/fs"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logMode is the mode of a new log file.
const logMode fs.FileMode = 0o644

// Outputs are the streams and files that the log is written to.
type Outputs struct {
	sink  zapcore.WriteSyncer
	files []*File
}

func open(names []string, stdout, stderr io.Writer) (*Outputs, error) {
	o := &Outputs{}
	var sinks []zapcore.WriteSyncer
	for _, output := range names {
		switch output {
		case "stderr":
			sinks = append(sinks, zapcore.AddSync(stderr))
		case "stdout":
			sinks = append(sinks, zapcore.AddSync(stdout))
		default:
			f, err := OpenFile(output, logMode)
			if err != nil {
				o.Close()
				return nil, err
			}
			o.files = append(o.files, f)
			sinks = append(sinks, f)
		}
	}
	o.sink = zapcore.Lock(zapcore.NewMultiWriteSyncer(sinks...))
	return o, nil
}

// Close flushes and closes the outputs.
func (o *Outputs) Close() {
	if o.sink != nil {
		_ = o.sink.Sync() // it fails for terminals and pipes; other errors can't be logged any more
	}
	for _, f := range o.files {
		_ = f.Close() // Write does not buffer
	}
}

// Reopen opens the files again, and logs the result. It must be called at SIGHUP: a program that rotates logs has renamed the old files.
func (o *Outputs) Reopen(log *zap.Logger) {
	var errs []error
	for _, f := range o.files {
		errs = append(errs, f.Reopen())
	}
	if err := errors.Join(errs...); err != nil {
		log.Error("SIGHUP: a log file can't be opened again; the old file is still in use", zap.Error(err))
		return
	}
	log.Info("SIGHUP: the log files were opened again", zap.Int("files", len(o.files)))
}
