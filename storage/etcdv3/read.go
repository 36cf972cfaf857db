package etcdv3

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"pando/storage/wire"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// The kinds of errors of Open and OpenSnapshot, for errors.Is.
var (
	// ErrDamaged means that the content of a file is not as etcd writes it.
	ErrDamaged = errors.New("etcd's v3 data is damaged")
	// ErrInUse means that another process has locked a file.
	ErrInUse = errors.New("the file is in use by another process")
	// ErrNoHash means that a file has no checksum at its end.
	ErrNoHash = errors.New("the file has no checksum")
)

// File is an open file of etcd's v3 data. It is only read. One goroutine at a time may use it.
type File struct {
	Meta
	path string
	db   *bbolt.DB
	tx   *bbolt.Tx
	size int64
}

// Meta is the state of a member of etcd beside its keys, leases and users.
type Meta struct {
	// ConsistentIndex and Term are the position of the last entry of the log that was applied. Etcd 3.4 does not store the Term: it is
	// zero.
	ConsistentIndex, Term uint64
	// Compacted is the revision of the last compaction, or zero.
	Compacted uint64
	// ClusterVersion is the version of the cluster, empty if the file does not have it.
	ClusterVersion string
	AuthEnabled    bool
	AuthRevision   uint64
	Alarms         []Alarm
}

// Alarm is an alarm of a member.
type Alarm struct {
	MemberID uint64
	Kind     AlarmKind
}

// AlarmKind is the kind of an Alarm.
type AlarmKind uint64

// The kinds of alarms.
const (
	AlarmNoSpace AlarmKind = 1
	AlarmCorrupt AlarmKind = 2
)

// lockTimeout is how long Open waits for the lock of the file, which etcd holds while it runs.
const lockTimeout = time.Second

// Open opens a file of etcd's v3 data. The errors are ErrDamaged, ErrInUse, and those of the file system and of bbolt.
func Open(path string) (f *File, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	f = &File{path: path, size: info.Size()}
	if f.size == 0 {
		return nil, f.damage(errors.New("it is empty")) // bbolt would write to it
	}
	err = f.guard(func() error {
		if f.db, err = bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockTimeout}); err != nil {
			return f.openError(err)
		}
		if f.tx, err = f.db.Begin(false); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return f.readMeta()
	})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// openError returns the error of Open for one of bbolt.
func (f *File) openError(err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%w: %s: stop etcd first, or use a copy of its data directory", ErrInUse, f.path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		return f.damage(fmt.Errorf("it is not a file of bbolt: %w", err))
	}
	return fmt.Errorf("%s: %w", f.path, err)
}

// hashBlock is a divisor of the size of every bbolt file. A file with a checksum is longer by sha256.Size bytes.
const hashBlock = 512

// OpenSnapshot is Open for a file that `etcdctl snapshot save` has written: a checksum follows the data. It compares the checksum with that
// of the data, and returns ErrDamaged if they differ, and ErrNoHash if the file has none. It calls progress with the bytes that were read
// since the last call.
func OpenSnapshot(path string, progress func(bytes int64) error) (*File, error) {
	if err := checkHash(path, progress); err != nil {
		return nil, err
	}
	return Open(path)
}

// checkHash compares a file with the checksum at its end.
func checkHash(path string, progress func(bytes int64) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size()%hashBlock != sha256.Size {
		return fmt.Errorf("%w: %s was not written by `etcdctl snapshot save`, or not completely", ErrNoHash, path)
	}
	hash, rest := sha256.New(), info.Size()-sha256.Size
	for rest > 0 {
		n, err := io.CopyN(hash, file, min(rest, 16<<20))
		if err == nil {
			err = progress(n)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		rest -= n
	}
	var stored [sha256.Size]byte
	if _, err := io.ReadFull(file, stored[:]); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if !bytes.Equal(stored[:], hash.Sum(nil)) {
		return fmt.Errorf("%w: %s: the checksum at its end is not that of the data", ErrDamaged, path)
	}
	return nil
}

// Path returns the name of the file.
func (f *File) Path() string { return f.path }

// Close closes the file. f may be nil.
func (f *File) Close() error {
	if f == nil || f.db == nil {
		return nil
	}
	return f.guard(func() error {
		if f.tx != nil {
			_ = f.tx.Rollback() // no error: the transaction only reads
		}
		return f.db.Close()
	})
}

// Size returns the size of the file in bytes.
func (f *File) Size() int64 { return f.size }

// guard calls a function that reads pages of the file. A damaged page makes bbolt panic, or read an address outside the file. guard returns
// ErrDamaged then.
func (f *File) guard(read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = f.damage(fmt.Errorf("%v", p))
		}
	}()
	return read()
}

func (f *File) damage(err error) error { return fmt.Errorf("%w: %s: %w", ErrDamaged, f.path, err) }

// readMeta reads Meta. It must be called within guard.
func (f *File) readMeta() error {
	if f.tx.Bucket([]byte(MetaBucket)) == nil {
		return f.damage(errors.New("it is not a file of etcd's v3 data: the bucket meta is missing"))
	}
	number := func(bucket, key string) (n uint64, err error) {
		if value := f.value(bucket, key); value != nil {
			if n, err = ParseNumber(value); err != nil {
				err = f.damage(fmt.Errorf("%s: %w", key, err))
			}
		}
		return n, err
	}
	var err error
	read := func(into *uint64, bucket, key string) {
		if err == nil {
			*into, err = number(bucket, key)
		}
	}
	read(&f.ConsistentIndex, MetaBucket, ConsistentIndexKey)
	read(&f.Term, MetaBucket, TermKey)
	read(&f.AuthRevision, AuthBucket, AuthRevisionKey)
	if err != nil {
		return err
	}
	for _, key := range []string{FinishedCompactKey, ScheduledCompactKey} {
		value := f.value(MetaBucket, key)
		if value == nil {
			continue
		}
		r, _, err := ParseRevision(value)
		if err != nil {
			return f.damage(fmt.Errorf("%s: %w", key, err))
		}
		f.Compacted = max(f.Compacted, uint64(r.Main)) // etcd finishes a scheduled compaction when it starts
	}
	f.AuthEnabled = bytes.Equal(f.value(AuthBucket, AuthEnabledKey), []byte{1})
	f.ClusterVersion = string(f.value(ClusterBucket, ClusterVersionKey))
	return f.readAlarms()
}

// value returns the value of a key, or nil. It must be called within guard, and the value is valid until Close.
func (f *File) value(bucket, key string) []byte {
	if b := f.tx.Bucket([]byte(bucket)); b != nil {
		return b.Get([]byte(key))
	}
	return nil
}

// readAlarms reads the alarms. It must be called within guard.
func (f *File) readAlarms() error {
	b := f.tx.Bucket([]byte(AlarmBucket))
	if b == nil {
		return nil
	}
	return b.ForEach(func(key, _ []byte) error {
		a, err := parseAlarm(key)
		if err != nil {
			return f.damage(fmt.Errorf("alarm %x: %w", key, err))
		}
		f.Alarms = append(f.Alarms, a)
		return nil
	})
}

func parseAlarm(message []byte) (a Alarm, err error) {
	err = wire.EachField(message, func(f wire.Field) error {
		switch f.Num {
		case 1:
			a.MemberID = f.Number
		case 2:
			a.Kind = AlarmKind(f.Number)
		}
		return nil
	})
	return a, err
}

// each calls decode for each record of a bucket in the order of the keys, and then visit. The bytes that decode gets are valid only until
// it returns. For an error of decode, each returns ErrDamaged. A missing bucket has no records.
func (f *File) each(bucket string, decode func(key, value []byte) error, visit func() error) error {
	var cursor *bbolt.Cursor
	for {
		more := false
		err := f.guard(func() error {
			var key, value []byte
			if cursor == nil {
				b := f.tx.Bucket([]byte(bucket))
				if b == nil {
					return nil
				}
				cursor = b.Cursor()
				key, value = cursor.First()
			} else {
				key, value = cursor.Next()
			}
			if key == nil {
				return nil
			}
			more = true
			if err := decode(key, value); err != nil {
				return f.damage(fmt.Errorf("bucket %s, key %.64q: %w", bucket, key, err))
			}
			return nil
		})
		if err != nil || !more {
			return err
		}
		if err := visit(); err != nil {
			return err
		}
	}
}
