// Package audit writes the audit log: one line of JSON for each operation of a client, with the user, the address and the outcome.
// It never contains a value or a password.
//
// Package service calls [Recorder] for each operation. A [Log] is the Recorder of --audit-log. Log.Record appends the line to a buffer
// in memory, and one goroutine writes the buffer to the file. So no operation waits for the disk or for the reader of a pipe. The
// buffer has a limit. Records that do not fit are dropped and counted, in the metrics and in a line of the audit log itself. A part of
// the buffer is reserved for successful changes: however many reads or refused requests there are, they can't take this part.
//
// Lines are not synced to the disk. After a crash of the process the last records in the buffer are missing.
//
//   - record.go: Record and its line
//   - log.go: Log: the buffer; write.go: the goroutine that writes it
//   - sampler.go: Sampler: limits how many records failed logins cause
package audit

import (
	"io"
	"sync"
	"time"

	"go.uber.org/zap"

	"pando/stats/logging"
)

// Stdout is the name of the standard output in Open.
const Stdout = "stdout"

const (
	// bufferBytes is the size of the buffer: about 40,000 lines of 200 bytes.
	bufferBytes = 8 << 20
	// unreservedBytes is the part of the buffer for all records. Only records of successful changes can use the rest.
	unreservedBytes = bufferBytes / 4 * 3
	// fileMode hides the names of users and keys from other accounts of the machine.
	fileMode = 0o600
	// closeTimeout bounds how long Close waits for the output.
	closeTimeout = 2 * time.Second
)

// Metrics counts records. It is called from any goroutine.
type Metrics interface {
	// AuditWritten counts records that were written.
	AuditWritten(records int)
	// AuditLost counts records that were dropped because the buffer was full, or that could not be written.
	AuditLost(records int)
}

// Config contains the parameters of a Log. All fields must be set.
type Config struct {
	// Path is the file to which lines are appended, or Stdout. The file is created with the mode 0600.
	Path string
	// Stdout is the standard output.
	Stdout io.Writer
	// Reads makes the Log write records of successful and failed reads, too. Denied reads are always written.
	Reads   bool
	Metrics Metrics
	Logger  *zap.Logger
}

// Log is an audit log. Its methods may be called from any goroutine.
type Log struct {
	cfg  Config
	out  io.Writer
	file *logging.File // nil for the standard output

	mu      sync.Mutex
	filled  sync.Cond // signaled when the buffer gets its first line, and by Close
	buffer  []byte    // lines that are not written yet
	records int       // in buffer
	lost    uint64    // records since the last line about lost records
	closed  bool

	done chan struct{} // closed when write has returned
}

// Open opens the audit log and starts the goroutine that writes it. The caller must call Close.
func Open(cfg Config) (*Log, error) {
	l := &Log{cfg: cfg, out: cfg.Stdout, done: make(chan struct{})}
	l.filled.L = &l.mu
	if cfg.Path != Stdout {
		file, err := logging.OpenFile(cfg.Path, fileMode)
		if err != nil {
			return nil, err
		}
		l.out, l.file = file, file
	}
	go l.write()
	return l, nil
}

// Record adds a record to the buffer. It does not wait for the output. It drops the record if the buffer is full.
func (l *Log) Record(r Record) {
	if r.Read && r.Outcome != Denied && !l.cfg.Reads {
		return
	}
	limit := unreservedBytes
	if !r.Read && r.Outcome == OK {
		limit = bufferBytes
	}
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	if !l.add(&r, limit) {
		l.cfg.Metrics.AuditLost(1)
	}
}

// add adds the line of a record to the buffer. It returns false if the buffer has limit bytes or more, or if the Log is closed.
func (l *Log) add(r *Record, limit int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.buffer) >= limit {
		l.lost++
		return false
	}
	l.buffer = r.appendLine(l.buffer)
	if l.records++; l.records == 1 {
		l.filled.Signal()
	}
	return true
}

// Reopen opens the file again, after a program that rotates logs has renamed it. It has no effect on the standard output. After an error
// the old file is still in use.
func (l *Log) Reopen() error {
	if l.file == nil {
		return nil
	}
	return l.file.Reopen()
}

// Close writes the buffer and closes the file. Later records are dropped. Close waits at most closeTimeout. If the buffer is not written
// by then, the rest of it may be lost.
func (l *Log) Close() {
	l.mu.Lock()
	l.closed = true
	l.filled.Signal()
	l.mu.Unlock()
	select {
	case <-l.done:
		if l.file != nil {
			_ = l.file.Close() // it does not buffer
		}
	case <-time.After(closeTimeout):
		l.cfg.Logger.Warn("the last records of the audit log were not written: its output does not accept them",
			zap.String("audit-log", l.cfg.Path))
	}
}
