package storage

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/raft/v3/raftpb"

	"pando/tree/users"
)

// smallPages copies a checkpoint into a file with pages of 1 KB, so that the fuzzer finds fewer
// unused bytes to change.
func smallPages(t testing.TB, path string) []byte {
	t.Helper()
	src, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	small := filepath.Join(t.TempDir(), "small.db")
	dst, err := bbolt.Open(small, 0o600, &bbolt.Options{PageSize: 1024})
	if err != nil {
		t.Fatal(err)
	}
	dst.AllocSize = 1024
	if err := errors.Join(bbolt.Compact(dst, src, 0), dst.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(small)
	if err != nil {
		t.Fatal(err)
	}
	return data[:usedBytes(t, data)]
}

// signMeta corrects the checksums of both meta pages, so that a fuzzer gets beyond them.
func signMeta(data []byte) {
	for _, at := range []int{0, 1024} {
		if len(data) >= at+pageHeaderBytes+metaBytes {
			m := data[at+pageHeaderBytes:]
			h := fnv.New64a()
			h.Write(m[:metaBytes-8])
			native.PutUint64(m[metaBytes-8:], h.Sum64())
		}
	}
}

// FuzzReadState reads any bytes as a checkpoint. The result must be a tree, or an error of a
// known kind. The seeds in testdata are checkpoints of format 1.
func FuzzReadState(f *testing.F) {
	m := newMemberWith(f, 5)
	f.Add(smallPages(f, m.disk.paths.state))
	m.set("/dir/key", "value")
	m.checkpoint()
	f.Add(smallPages(f, m.disk.paths.state))
	for i := range 30 {
		m.set(fmt.Sprintf("/dir/%d", i), strings.Repeat("v", 5*i))
	}
	m.set("/big", strings.Repeat("overflows its page", 60))
	m.checkpoint()
	f.Add(smallPages(f, m.disk.paths.state))
	m.compact()
	f.Add(smallPages(f, m.disk.paths.state))
	m.remove("/dir")
	m.set("/dir/1", "again")
	m.checkpoint()
	f.Add(smallPages(f, m.disk.paths.state))
	m.changeUsers(putUser("root", "hash", "reader"), putRole("reader", "/a*", "/b"), &users.Change{Op: users.Enable})
	m.checkpoint()
	f.Add(smallPages(f, m.disk.paths.state))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = bytes.Clone(data)
		signMeta(data)
		d, err := readState(bytes.NewReader(data), int64(len(data)), 5)
		switch {
		case err == nil && d.store == nil:
			t.Error("no tree and no error")
		case err != nil && !ofKnownKind(err):
			t.Errorf("an error of an unknown kind: %v", err)
		}
	})
}

// TestFormat1 reads checkpoints that the first version wrote. All later versions must read them.
func TestFormat1(t *testing.T) {
	for name, nodes := range map[string]int64{"empty": 0, "small": 2, "branches": 33} {
		t.Run(name, func(t *testing.T) {
			data := readSeed(t, filepath.Join("testdata", "fuzz", "FuzzReadState", name))
			d, err := readState(bytes.NewReader(data), int64(len(data)), 5)
			if err != nil {
				t.Fatal(err)
			}
			if got := d.store.View().Nodes(); got != nodes {
				t.Errorf("%d nodes, want %d", got, nodes)
			}
		})
	}
}

// readSeed reads a file of the fuzzer's corpus.
func readSeed(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	quoted, found := strings.CutPrefix(string(text), "go test fuzz v1\n[]byte(")
	data, err := strconv.Unquote(strings.TrimSuffix(quoted, ")\n"))
	if !found || err != nil {
		t.Fatalf("%s is no seed: %v", path, err)
	}
	return []byte(data)
}

// FuzzScanLog reads any bytes as the last segment of a log. The result must be a log that the
// wal package can open, or an error of a known kind.
func FuzzScanLog(f *testing.F) {
	m := newMember(f)
	m.set("/a", "1")
	m.checkpoint()
	m.set("/b", strings.Repeat("2", 700))
	data, err := os.ReadFile(lastSegment(f, m.options))
	if err != nil {
		f.Fatal(err)
	}
	ends := recordEnds(f, lastSegment(f, m.options))
	end := ends[len(ends)-1]
	f.Add(data[:end])
	f.Add(data[:end+64])
	f.Add(data[:end-9])
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "0000000000000000-0000000000000000.wal")
		if err := errors.Join(os.WriteFile(path, data, 0o600), os.Truncate(path, max(wal.SegmentSizeBytes, int64(len(data))))); err != nil {
			t.Fatal(err)
		}
		sc, err := scanLog(dir, position{})
		if err != nil {
			if !ofKnownKind(err) {
				t.Errorf("an error of an unknown kind: %v", err)
			}
			return
		}
		// The wal package must open each log that the scan accepts.
		p := paths{dir: t.TempDir(), wal: dir}
		log, err := p.openLog(Options{}.logger(), sc, &raftpb.ConfState{})
		if err != nil {
			t.Fatalf("the scan found %d entries, opening says %v", len(sc.terms), err)
		}
		if err := log.wal.Close(); err != nil {
			t.Error(err)
		}
	})
}
