package storage

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// A snapshot file is a checkpoint followed by a trailer: snapshotMagic, the version of this
// layout, the length of the checkpoint, and the SHA-256 of all bytes before it. The trailer
// shows whether the file was cut short or extended, or has any changed bit.
const (
	snapshotMagic   = "PANDOSNP"
	snapshotVersion = 1
	trailerHead     = len(snapshotMagic) + 2*8
	trailerBytes    = trailerHead + sha256.Size
)

// snapshotAdvice is the last part of errors about a snapshot file.
const snapshotAdvice = "use another snapshot, or save a new one with pando snapshot save"

// SnapshotReader streams a snapshot file.
type SnapshotReader struct {
	// Size is the number of bytes of the whole stream.
	Size       int64
	checkpoint *CheckpointReader
	stream     io.Reader
}

// Read reads the next bytes of the file.
func (r *SnapshotReader) Read(p []byte) (int, error) { return r.stream.Read(p) }

// Close frees the disk space of the checkpoint's copy.
func (r *SnapshotReader) Close() error { return r.checkpoint.Close() }

// ReadSnapshot opens the last checkpoint as a snapshot file. The caller must close it. The
// errors are those of ReadCheckpoint.
func (d *Disk) ReadSnapshot() (*SnapshotReader, error) {
	c, err := d.ReadCheckpoint()
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	return &SnapshotReader{
		Size:       c.Size + int64(trailerBytes),
		checkpoint: c,
		stream:     io.MultiReader(io.TeeReader(c, sum), &trailerReader{sum: sum, length: c.Size}),
	}, nil
}

// trailerReader makes the trailer at the first Read, when sum has seen the whole checkpoint.
type trailerReader struct {
	sum    hash.Hash
	length int64
	rest   *bytes.Reader
}

func (r *trailerReader) Read(p []byte) (int, error) {
	if r.rest == nil {
		head := appendWords([]byte(snapshotMagic), snapshotVersion, uint64(r.length))
		r.sum.Write(head)
		r.rest = bytes.NewReader(r.sum.Sum(head))
	}
	return r.rest.Read(p)
}

// snapshotFile is an open snapshot file that agrees with its trailer.
type snapshotFile struct {
	*os.File
	length int64 // of the checkpoint
	sum    [sha256.Size]byte
}

func (f *snapshotFile) checkpoint() *io.SectionReader { return io.NewSectionReader(f, 0, f.length) }

// openSnapshot opens a snapshot file and compares all of it with its trailer.
func openSnapshot(path string) (*snapshotFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	s, err := checkSnapshot(f)
	if err != nil {
		if errors.Is(err, ErrCorrupt) {
			err = fmt.Errorf("%w: %s", err, snapshotAdvice)
		}
		return nil, errors.Join(fmt.Errorf("storage: %s: %w", path, err), f.Close())
	}
	return s, nil
}

func checkSnapshot(f *os.File) (*snapshotFile, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < int64(trailerBytes) {
		return nil, damaged("a file of %d bytes is not a snapshot, or only the beginning of one", info.Size())
	}
	s := &snapshotFile{File: f, length: info.Size() - int64(trailerBytes)}
	var trailer [trailerBytes]byte
	if _, err := f.ReadAt(trailer[:], s.length); err != nil {
		return nil, err
	}
	var version, length uint64
	readWords(trailer[len(snapshotMagic):trailerHead], &version, &length)
	if string(trailer[:len(snapshotMagic)]) != snapshotMagic || length != uint64(s.length) {
		return nil, damaged("it does not end with the trailer of a snapshot: it is not a snapshot, or was cut short")
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, s.length+int64(trailerHead))); err != nil {
		return nil, err
	}
	copy(s.sum[:], trailer[trailerHead:])
	switch {
	case !bytes.Equal(sum.Sum(nil), s.sum[:]):
		return nil, damaged("its checksum is wrong")
	case version > snapshotVersion:
		return nil, fmt.Errorf("%w: snapshot version %d, this program reads versions up to %d", ErrNewerFormat, version, snapshotVersion)
	}
	return s, nil
}

// SnapshotInfo describes a snapshot file.
type SnapshotInfo struct {
	// Identity is that of the member that saved the file.
	Identity Identity
	// Applied and Term are the index and the term of the last entry that the file holds.
	// Index is the index of the last change of the tree.
	Applied, Term, Index uint64
	// Nodes is the number of files and directories, TreeBytes the size of their paths and
	// values.
	Nodes, TreeBytes int64
	// Events is the number of events in the history.
	Events uint64
	// Members is that of the checkpoint.
	Members []byte
	// Level is the feature level of the cluster. Programs below it refuse the file.
	Level uint64
	// Version is the version of the layout, Size the length of the file in bytes, SHA256 the
	// checksum at its end.
	Version int
	Size    int64
	SHA256  [sha256.Size]byte
}

// InspectSnapshot checks a whole snapshot file, its trailer and its content, and describes it.
// The errors are ErrCorrupt, ErrNewerFormat, ErrOlderFormat, and those of the file system.
func InspectSnapshot(path string) (*SnapshotInfo, error) {
	f, err := openSnapshot(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := f.load(path)
	if err != nil {
		return nil, err
	}
	view := data.store.View()
	return &SnapshotInfo{
		Identity: data.meta.identity,
		Applied:  data.meta.position.index, Term: data.meta.position.term,
		Index: view.Index(), Nodes: view.Nodes(), TreeBytes: view.Bytes(),
		Events:  view.Events(),
		Members: data.meta.members, Level: data.meta.level,
		Version: snapshotVersion,
		Size:    f.length + int64(trailerBytes),
		SHA256:  f.sum,
	}, nil
}

// maxSnapshotHistory is how many events are loaded from a snapshot file: more than a usual
// --history-size. Of a longer history the last events are loaded.
const maxSnapshotHistory = 1 << 20

// load reads and checks the checkpoint in the file.
func (f *snapshotFile) load(path string) (*checkpointData, error) {
	data, err := readState(f.checkpoint(), f.length, maxSnapshotHistory)
	if err != nil {
		return nil, fmt.Errorf("storage: %s: %w: %s", path, err, snapshotAdvice)
	}
	return data, nil
}
