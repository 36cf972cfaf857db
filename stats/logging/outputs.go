package logging

import (
	"errors"
	"io"
	"os"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Outputs are the streams and files that the log is written to.
type Outputs struct {
	sink  zapcore.WriteSyncer
	files []*file
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
			f := &file{path: output}
			if err := f.Reopen(); err != nil {
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
		_ = f.file.Close()
	}
}

// ReopenAt opens the files again at each signal from hangups: a program that rotates logs has renamed the old files. It returns
// when hangups is closed.
func (o *Outputs) ReopenAt(hangups <-chan os.Signal, log *zap.Logger) {
	for range hangups {
		var errs []error
		for _, f := range o.files {
			errs = append(errs, f.Reopen())
		}
		if err := errors.Join(errs...); err != nil {
			log.Error("SIGHUP: a log file can't be opened again; the old file is still in use", zap.Error(err))
			continue
		}
		log.Info("SIGHUP: the log files were opened again", zap.Int("files", len(o.files)))
	}
}

// file is a log file that can be opened again under its name. Its methods may be called from any goroutine.
type file struct {
	path string
	mu   sync.Mutex
	file *os.File
}

// Reopen opens the file, and creates it if it does not exist. After an error the file that was open before is still in use.
func (f *file) Reopen() error {
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		_ = f.file.Close() // Write does not buffer
	}
	f.file = file
	return nil
}

// Write appends to the file.
func (f *file) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Write(p)
}

// Sync flushes the file to the disk.
func (f *file) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Sync()
}
