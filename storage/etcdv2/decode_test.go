package etcdv2

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// logBuilder makes a file of the log as etcd does.
type logBuilder struct {
	bytes.Buffer
	checksum uint32
}

func (l *logBuilder) record(kind uint64, data []byte) {
	if kind != checksumRecord {
		l.checksum = crc32.Update(l.checksum, castagnoli, data)
	}
	var b []byte
	b = protowire.AppendVarint(protowire.AppendTag(b, 1, protowire.VarintType), kind)
	b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), uint64(l.checksum))
	if data != nil {
		b = protowire.AppendBytes(protowire.AppendTag(b, 3, protowire.BytesType), data)
	}
	head, padding := uint64(len(b)), (8-len(b)%8)%8
	if padding > 0 {
		head |= uint64(0x80|padding) << 56
	}
	l.Write(binary.LittleEndian.AppendUint64(nil, head))
	l.Write(append(b, make([]byte, padding)...))
}

func numbers(pairs ...uint64) []byte {
	var b []byte
	for i := 0; i < len(pairs); i += 2 {
		b = protowire.AppendVarint(protowire.AppendTag(b, protowire.Number(pairs[i]), protowire.VarintType), pairs[i+1])
	}
	return b
}

func (l *logBuilder) entry(term, index uint64, data []byte) {
	e := numbers(1, normalEntry, 2, term, 3, index)
	l.record(entryRecord, protowire.AppendBytes(protowire.AppendTag(e, 4, protowire.BytesType), data))
}

func (l *logBuilder) state(term, commit uint64) {
	l.record(stateRecord, numbers(1, term, 2, 1, 3, commit))
}

// testClusterID is the ID of the cluster in logs that tests make.
const testClusterID = 70

func (l *logBuilder) begin() {
	l.record(checksumRecord, nil)
	l.record(metadataRecord, numbers(1, 7, 2, testClusterID))
	l.record(snapshotRecord, numbers(1, 0, 2, 0))
}

func put(path, value string) []byte {
	return encodeRequest(9, &request{method: "PUT", path: keySpace + path, value: value}, nil, 0)
}

// sourceWith makes a data directory with files of the log.
func sourceWith(t testing.TB, logs ...[]byte) string {
	t.Helper()
	dir := t.TempDir()
	wal := filepath.Join(dir, "member", "wal")
	if err := os.MkdirAll(wal, 0o700); err != nil {
		t.Fatal(err)
	}
	names := []string{"0000000000000000-0000000000000000.wal", "0000000000000001-0000000000000003.wal"}
	for i, content := range logs {
		if err := os.WriteFile(filepath.Join(wal, names[i]), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func readDir(t testing.TB, dir string) (*Imported, error) {
	t.Helper()
	return Read(t.Context(), Options{DataDir: dir, HistorySize: 100})
}

// threeEntries returns a log of three committed entries, and a fourth that was not committed.
func threeEntries() *logBuilder {
	l := new(logBuilder)
	l.begin()
	l.entry(1, 1, put("/a", "1"))
	l.entry(1, 2, put("/b", "replaced"))
	l.state(1, 1)
	l.entry(2, 2, put("/b", "2"))
	l.entry(2, 3, put("/c", strings.Repeat("3", 2000)))
	l.state(2, 3)
	l.entry(2, 4, put("/never", "4"))
	return l
}

func TestLog(t *testing.T) {
	whole := threeEntries().Bytes()
	check := func(t *testing.T, content []byte, torn bool) {
		t.Helper()
		got, err := readDir(t, sourceWith(t, content))
		if err != nil {
			t.Fatal(err)
		}
		v := got.Store.View()
		if v.Index() != 3 || got.Applied != 3 || got.Term != 2 || v.Lookup("/b").Value() != "2" || v.Lookup("/never") != nil {
			t.Errorf("index %d, position %d of term %d, /b is %q", v.Index(), got.Applied, got.Term, v.Lookup("/b").Value())
		}
		want := "the entries after entry 3 were left out (1 of them)" // a torn one is gone
		if torn {
			want = "interrupted write"
		}
		if len(got.Report.Notes) != 1 || !strings.Contains(got.Report.Notes[0], want) {
			t.Errorf("notes %q, want %q", got.Report.Notes, want)
		}
	}
	t.Run("whole", func(t *testing.T) { check(t, whole, false) })
	t.Run("allocated", func(t *testing.T) { check(t, append(bytes.Clone(whole), make([]byte, 4096)...), false) })
	t.Run("torn", func(t *testing.T) {
		for n := 1; n < 40; n++ {
			check(t, whole[:len(whole)-n], true)
		}
	})
	t.Run("two files", func(t *testing.T) {
		l := threeEntries()
		sum := l.checksum
		first := bytes.Clone(l.Bytes())
		l.Reset()
		l.checksum = sum
		l.record(checksumRecord, nil)
		l.record(metadataRecord, numbers(1, 7, 2, testClusterID))
		l.state(2, 3)
		dir := sourceWith(t, first, l.Bytes())
		if _, err := readDir(t, dir); err != nil {
			t.Error(err)
		}
		dir = sourceWith(t, first[:len(first)-16], l.Bytes())
		if _, err := readDir(t, dir); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "offset") {
			t.Errorf("a first file without its end: got %v", err)
		}
	})
}

// TestIdentity reads the IDs of a member, and of a copy that "etcdctl backup" made.
func TestIdentity(t *testing.T) {
	for name, test := range map[string]struct {
		metadata []byte
		id       uint64
		backup   bool
	}{
		"a member": {numbers(1, 7, 2, testClusterID), testClusterID, false},
		"a backup": {numbers(1, 7, 2, 8), 0, true},
		"no IDs":   {nil, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := new(logBuilder)
			l.record(checksumRecord, nil)
			l.record(metadataRecord, test.metadata)
			l.record(snapshotRecord, numbers(1, 0, 2, 0))
			l.entry(1, 1, put("/a", "1"))
			l.state(1, 1)
			got, err := readDir(t, sourceWith(t, l.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			r := &got.Report
			noted := strings.Contains(strings.Join(r.Notes, "\n"), "etcdctl backup")
			if r.ClusterID != test.id || r.Backup != test.backup || noted != test.backup {
				t.Errorf("cluster ID %d, backup %v, notes %q", r.ClusterID, r.Backup, r.Notes)
			}
		})
	}
}

// TestLostRecord makes a record in the middle of the last file unreadable. It is damage if the records after it prove that it was synced.
func TestLostRecord(t *testing.T) {
	l := new(logBuilder)
	l.begin()
	at := l.Len()
	for i := range uint64(5) {
		l.entry(1, i+1, put("/k", strings.Repeat("v", 100)))
		l.state(1, i+1)
	}
	for name, lose := range map[string]func(b []byte){
		"length":  func(b []byte) { b[at+5] = 1 },
		"zeroed":  func(b []byte) { clear(b[at : at+40]) },
		"padding": func(b []byte) { b[at+1] |= 0x80 },
	} {
		t.Run(name, func(t *testing.T) {
			content := bytes.Clone(l.Bytes())
			lose(content)
			_, err := readDir(t, sourceWith(t, append(content, make([]byte, 4096)...)))
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "intact ones follow") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestDamage flips bits in all bytes of a log, one at a time. The result is the same state, or an error that names the file and the
// offset: a bit in the last write may look like a torn one.
func TestDamage(t *testing.T) {
	l := threeEntries()
	whole := l.Bytes()
	want, err := readDir(t, sourceWith(t, whole))
	if err != nil {
		t.Fatal(err)
	}
	for bit := 0; bit < 8*len(whole); bit += 7 { // all of them take seven times as long
		content := bytes.Clone(whole)
		content[bit/8] ^= 1 << (bit % 8)
		got, err := readDir(t, sourceWith(t, content))
		switch {
		case err != nil && errors.Is(err, ErrDamaged) && !strings.Contains(err.Error(), ".wal, offset "):
			t.Errorf("bit %d: %v", bit, err)
		case err != nil && !errors.Is(err, ErrDamaged):
			t.Errorf("bit %d: %v", bit, err)
		case err == nil && got.Report.Digest != want.Report.Digest && got.Applied == want.Applied:
			t.Errorf("bit %d: another state, and no error", bit)
		}
	}
}

func FuzzLog(f *testing.F) {
	f.Add(threeEntries().Bytes())
	f.Add(threeEntries().Bytes()[:300])
	f.Fuzz(func(t *testing.T, content []byte) {
		got, err := readDir(t, sourceWith(t, content))
		if err == nil && got.Store == nil {
			t.Error("no store and no error")
		}
	})
}

func ignoreProgress(int64) error { return nil }

const snapshotJSON = `{"Root":{"Path":"/","CreatedIndex":0,"ModifiedIndex":0,"ExpireTime":"0001-01-01T00:00:00Z","Value":"","Children":{
"0":{"Path":"/0","Children":{}},"1":{"Path":"/1","CreatedIndex":0,"ModifiedIndex":0,"ExpireTime":"0001-01-01T00:00:00Z","Value":"",
"Children":{"a":{"Path":"/1/a","CreatedIndex":2,"ModifiedIndex":3,
"ExpireTime":"2030-01-01T00:00:00.5+01:00","Value":"x\u003c\u2028\"é","Children":null},
"d":{"Path":"/1/d","CreatedIndex":1,"ModifiedIndex":1,"ExpireTime":"0001-01-01T00:00:00Z","Value":"","Children":{}}}}}},
"WatcherHub":{"EventHistory":{"Queue":{"Events":[{"action":"set","node":{"key":"/1/a","value":"x","modifiedIndex":3,"createdIndex":2,
"expiration":"2030-01-01T00:00:00Z","ttl":7},"prevNode":{"key":"/1/a","value":"y","modifiedIndex":2,"createdIndex":2}},null,
{"action":"set","node":{"key":"/1/a","value":"y","modifiedIndex":2,"createdIndex":2}}],"Size":2,"Front":2,"Back":1,"Capacity":3},
"StartIndex":2,"LastIndex":3}},"CurrentIndex":3,"Stats":{"setsSuccess":2,"watchers":-1},"CurrentVersion":2}`

func TestSnapshotJSON(t *testing.T) {
	s, err := recoverStore([]byte(snapshotJSON), 10, ignoreProgress)
	if err != nil {
		t.Fatal(err)
	}
	n, _ := s.find("/1/a")
	if n == nil || n.value != "x<\u2028\"é" || n.modified != 3 || s.index != 3 || s.counters.Set.OK != 2 || len(s.expiries) != 1 {
		t.Errorf("got %+v, index %d", n, s.index)
	}
	var times []int64
	for e := range s.events.all() {
		times = append(times, e.Time)
	}
	if len(times) != 2 || times[1] != 1893456000e9-7e9 {
		t.Errorf("events at %v", times)
	}
	for i := range snapshotJSON {
		if _, err := recoverStore([]byte(snapshotJSON[:i]), 10, ignoreProgress); err == nil {
			t.Errorf("no error for the first %d bytes", i)
		}
	}
	deep := `{"Root":` + strings.Repeat(`{"Children":{"x":`, 2*maxDepth)
	if _, err := recoverStore([]byte(deep), 10, ignoreProgress); err == nil {
		t.Error("no error for a nesting without end")
	}
}

func FuzzSnapshotJSON(f *testing.F) {
	f.Add([]byte(snapshotJSON))
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := recoverStore(content, 10, ignoreProgress)
		if err != nil {
			return
		}
		if !json.Valid(content) {
			t.Errorf("%q was accepted", content)
		}
		checkEvents(t, s)
		if _, err := convert(s, 10, new(Report), nil); err != nil {
			t.Skip(err) // refused, without a panic
		}
	})
}
