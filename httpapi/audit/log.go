// Package audit writes the audit log: one line of JSON for each operation of a client, with the user, the address and the outcome.
// It never contains a value or a password.
//
// Package service calls [Recorder] for each operation. A [Log] is the Recorder of --audit-log. Log.Record appends the line to a buffer
// in memory, and one goroutine writes the buffer to the file. So no operation waits for the disk or for the reader of a pipe. The
// buffer has a limit. Records that do not fit are dropped and counted, in the metrics and in a line of the audit log itself. A part of
// the buffer is kept for changes that were made: no flood of reads or of refused requests can displace their records.
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
	// bufferBytes is the size of the buffer. At 200 bytes a line it has 40,000 lines.
	bufferBytes = 8 << 20
	// otherBytes is the part of the buffer that records can use that are not of changes that were made.
	otherBytes = bufferBytes / 4 * 3
	// fileMode keeps the names of users and keys from other users of the machine.
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
	// Reads makes the Log write records of reads, too.
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

	done chan struct{} // closed when the goroutine of write has ended
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
	limit := otherBytes
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

// add adds the line of a record, unless the buffer has limit bytes.
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

// Reopen opens the file again: a program that rotates logs has renamed the old one. It has no effect on the standard output. After an
// error the old file is still in use.
func (l *Log) Reopen() error {
	if l.file == nil {
		return nil
	}
	return l.file.Reopen()
}

// Close writes the buffer and closes the file. Later records are dropped. If the output takes nothing for closeTimeout, the rest of
// the buffer is lost.
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
		l.cfg.Logger.Warn("the end of the audit log was not written: its output takes nothing", zap.String("audit-log", l.cfg.Path))
	}
}
