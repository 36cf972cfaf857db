package storage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pando/tree"
	"pando/tree/users"
)

// damages are the ways in which tests change a byte.
var damages = []struct {
	name   string
	change func(byte) byte
}{
	{"inverted", func(b byte) byte { return ^b }},
	{"low bit", func(b byte) byte { return b ^ 1 }},
	{"high bit", func(b byte) byte { return b ^ 0x80 }},
	{"other type", func(b byte) byte { return b ^ 7 }},
	{"zero", func(byte) byte { return 0 }},
}

// ofKnownKind reports whether an error is of a kind that Open returns for bad data.
func ofKnownKind(err error) bool {
	for _, kind := range []error{ErrCorrupt, ErrForeign, ErrNewerFormat, ErrOlderFormat} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// refused checks an error of Open: it must be of a known kind, name a file, and
// say what to do.
func refused(t testing.TB, o Options, err error) {
	t.Helper()
	if !ofKnownKind(err) {
		t.Fatalf("an error of no kind: %v", err)
	}
	text := err.Error()
	if !strings.Contains(text, o.DataDir) {
		t.Fatalf("the error names no file: %v", err)
	}
	for _, advice := range []string{
		"restore", "put back", "choose another", "start the newer", "start the older", "move the file away", "--wal-dir",
	} {
		if strings.Contains(text, advice) {
			return
		}
	}
	t.Fatalf("the error gives no advice: %v", err)
}

// TestFlippedLog changes each byte of the records of the log, one at a time. Open must return an
// error and change nothing, or return everything that was acknowledged.
func TestFlippedLog(t *testing.T) {
	skipShort(t)
	m := newMember(t)
	m.set("/a", "1")
	m.set("/zeros", strings.Repeat("\x00", 60))
	m.checkpoint()
	m.set("/b", "2")
	m.set("/c", "3")
	m.write(tree.Command{Op: tree.OpSet, Path: "/d", Value: "4"}, tree.Command{Op: tree.OpSet, Path: "/e", Value: "5"})
	m.close()
	want := dump(m.store)
	o := copyDir(t, m.dir())
	path := lastSegment(t, o)
	ends := recordEnds(t, path)
	clean, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refusals := 0
	for _, damage := range damages {
		name := damage.name
		for at := range ends[len(ends)-1] {
			b := damage.change(clean[at])
			if b == clean[at] {
				continue
			}
			writeAt(t, path, at, []byte{b})
			before := stamp(t, o)
			d, r, err := Open(o)
			if err != nil {
				refused(t, o, err)
				if after := stamp(t, o); after != before {
					t.Fatalf("byte %d %s: a refused start has changed the directory from %s to %s", at, name, before, after)
				}
				refusals++
				writeAt(t, path, at, clean[at:at+1])
				continue
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if got := dump(r.replay()); got != want {
				t.Fatalf("byte %d %s: a silent loss: got %s, want %s", at, name, got, want)
			}
			o = copyDir(t, m.dir())
			path = lastSegment(t, o)
		}
	}
	if refusals == 0 {
		t.Error("no flip was refused")
	}
}

// TestZeroedByteOfSector writes a log whose last but one write ends at different places near the begin of a sector, and makes the first
// byte of the sector zero. The last write is in the same sector, so a torn write has not lost this sector: Open must not drop records.
func TestZeroedByteOfSector(t *testing.T) {
	const edge = 2 * sectorBytes
	for length := 0; length < 320; length += 8 { // records begin at multiples of 8 bytes
		m := newMember(t)
		m.set("/length", strings.Repeat("x", length))
		for m.written() <= edge {
			m.set("/a", "1")
		}
		m.set("/b", "2")
		m.close()
		writeAt(t, lastSegment(t, m.options), edge, []byte{0})
		d, r, err := Open(m.options)
		if err != nil {
			refused(t, m.options, err)
			continue
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if got, want := dump(r.replay()), dump(m.store); got != want {
			t.Fatalf("a value of %d bytes: a silent loss: got %s, want %s", length, got, want)
		}
	}
}

// written returns the length of the records in the last segment of the log.
func (m *member) written() int64 {
	m.t.Helper()
	ends := recordEnds(m.t, lastSegment(m.t, m.options))
	return ends[len(ends)-1]
}

// stamp shows the names, sizes and times of all files of a data directory.
func stamp(t testing.TB, o Options) string {
	t.Helper()
	var b strings.Builder
	for _, pattern := range []string{"*", "wal/*"} {
		names, err := filepath.Glob(filepath.Join(o.DataDir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if !info.IsDir() {
				fmt.Fprintf(&b, "%s %d %v\n", name, info.Size(), info.ModTime())
			}
		}
	}
	return b.String()
}

// TestDamagedLogMiddle damages a record in ways that resemble a torn write, and another write
// follows it. Open must return an error, because the other write was acknowledged.
func TestDamagedLogMiddle(t *testing.T) {
	m := newMember(t)
	m.append(append(bytes.Repeat([]byte("x"), 2000), make([]byte, 2000)...))
	m.set("/b", "2")
	m.set("/c", "3")
	m.close()
	path := lastSegment(t, m.options)
	ends := recordEnds(t, path)
	for _, damage := range []struct {
		name string
		at   int64
		data []byte
	}{
		{"a sector of zeros", ends[2]/sectorBytes*sectorBytes + 2*sectorBytes, make([]byte, sectorBytes)},
		{"a byte beside zeros", ends[2] + 20, []byte{0xEE}},
		{"a length of zero", ends[2], make([]byte, 8)},
		{"a length past the end", ends[2], []byte{0xF8, 0xFF, 0xFF, 0, 0, 0, 0, 0}},
	} {
		t.Run(damage.name, func(t *testing.T) {
			o := copyDir(t, m.dir())
			writeAt(t, lastSegment(t, o), damage.at, damage.data)
			before := hashDir(t, o.DataDir)
			_, _, err := Open(o)
			refused(t, o, err)
			if hashDir(t, o.DataDir) != before {
				t.Error("a refused start has changed the directory")
			}
		})
	}
}

// storeToDamage makes a member whose checkpoint has nodes on some pages and deltas on others.
// want shows its tree.
func storeToDamage(t testing.TB) (m *member, want string) {
	m = newMemberWith(t, 20)
	for i := range 120 {
		m.set(fmt.Sprintf("/dir/%03d", i*7%120), strings.Repeat("v", i))
	}
	m.checkpoint()
	m.compact()
	for i := range 40 {
		m.set(fmt.Sprintf("/dir/%03d", i*3), "new")
	}
	m.remove("/dir/001")
	m.set("/gone/key", "1")
	m.checkpoint()
	m.set("/large", strings.Repeat("overflows", 1000))
	m.remove("/gone")
	m.changeUsers(putUser("root", "hash"), putUser("gone", "hash"), putRole("reader", "/a*"))
	m.checkpoint()
	m.changeUsers(putUser("ann", "hash", "reader"), &users.Change{Op: users.DeleteUser, Name: "gone"})
	m.checkpoint()
	m.changeUsers(putUser("bob", "hash"))
	m.set("/after", "the checkpoint")
	m.close()
	return m, dump(m.store)
}

// usedBytes is the size of the used part of a bbolt file.
func usedBytes(t testing.TB, data []byte) int {
	t.Helper()
	p, err := openBoltReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return int(p.pageCount) * int(p.pageSize)
}

// liveBytes is the size of all keys and values in a bbolt file.
func liveBytes(t testing.TB, data []byte) (n int) {
	t.Helper()
	p, err := openBoltReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var refs []bucketRef
	err = p.bucket(bucketRef{root: p.root}, func(_, _ []byte, ref *bucketRef) error {
		refs = append(refs, *ref)
		return nil
	})
	for len(refs) > 0 && err == nil {
		ref := refs[0]
		refs = refs[1:]
		err = p.bucket(ref, func(key, value []byte, ref *bucketRef) error {
			n += len(key) + len(value)
			if ref != nil {
				refs = append(refs, *ref)
			}
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestFlippedState changes each byte of the checkpoint, one at a time (with -short, every eleventh).
// Reading must give an error, or the whole tree, or the whole tree of the checkpoint before,
// which the log then completes or refuses.
func TestFlippedState(t *testing.T) {
	skipShort(t)
	m, _ := storeToDamage(t)
	clean, err := os.ReadFile(filepath.Join(m.dir(), stateName))
	if err != nil {
		t.Fatal(err)
	}
	read := func(data []byte) (*checkpointData, error) {
		return readState(bytes.NewReader(data), int64(len(data)), 20)
	}
	d, err := read(clean)
	if err != nil {
		t.Fatal(err)
	}
	want := dump(d.store)
	data := bytes.Clone(clean)
	used := usedBytes(t, clean)
	refusals := 0
	for shift, damage := range damages {
		name := damage.name
		// Each byte is damaged in one way, the next byte in the next way.
		for at := shift; at < used; at += len(damages) {
			data[at] = damage.change(clean[at])
			got, err := read(data)
			switch {
			case err != nil && !ofKnownKind(err):
				t.Fatalf("byte %d %s: %v", at, name, err)
			case err != nil:
				refusals++
			case got.meta.position == d.meta.position && dump(got.store) != want:
				t.Fatalf("byte %d %s: another tree", at, name)
			case got.meta.position != d.meta.position && at >= 2*os.Getpagesize():
				t.Fatalf("byte %d %s: an older checkpoint, although the newer is intact", at, name)
			}
			data[at] = clean[at]
		}
	}
	if live := liveBytes(t, clean); refusals < live {
		t.Errorf("only %d flips were refused, although %d bytes are keys and values", refusals, live)
	}
}

// TestDamagedStateOpen changes some bytes of each page, and each byte of the two meta pages, and
// calls Open.
func TestDamagedStateOpen(t *testing.T) {
	skipShort(t)
	m, want := storeToDamage(t)
	o := copyDir(t, m.dir())
	path := filepath.Join(o.DataDir, stateName)
	clean, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	step := 1
	for at := 0; at < usedBytes(t, clean); at += step {
		if at > 2*os.Getpagesize() || at%os.Getpagesize() > 100 {
			step = 97
		} else {
			step = 1
		}
		writeAt(t, path, int64(at), []byte{^clean[at]})
		before := stamp(t, o)
		d, r, err := Open(o)
		if err != nil {
			refused(t, o, err)
			if stamp(t, o) != before {
				t.Fatalf("byte %d: a refused start has changed the directory", at)
			}
		} else {
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if got := dump(r.replay()); got != want {
				t.Fatalf("byte %d: a silent loss: got %.300s, want %.300s", at, got, want)
			}
		}
		writeAt(t, path, int64(at), clean[at:at+1])
	}
}

// TestShortenedState cuts the checkpoint. Reading a mapped file beyond its end would end the
// process.
func TestShortenedState(t *testing.T) {
	m, _ := storeToDamage(t)
	clean, err := os.ReadFile(filepath.Join(m.dir(), stateName))
	if err != nil {
		t.Fatal(err)
	}
	for size := 0; size < usedBytes(t, clean); size += 512 {
		o := copyDir(t, m.dir())
		if err := os.Truncate(filepath.Join(o.DataDir, stateName), int64(size)); err != nil {
			t.Fatal(err)
		}
		before := hashDir(t, o.DataDir)
		_, _, err := Open(o)
		refused(t, o, err)
		if hashDir(t, o.DataDir) != before {
			t.Fatal("a refused start has changed the directory")
		}
	}
}
