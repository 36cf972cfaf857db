package etcdv2

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// largeSource makes a data directory with a snapshot of many keys with values of 100 bytes, and a log after it.
func largeSource(t testing.TB, keys int) string {
	t.Helper()
	const perDir = 1000
	var b bytes.Buffer
	dir := func(path, name string) {
		fmt.Fprintf(&b, `%q:{"Path":%q,"CreatedIndex":1,"ModifiedIndex":1,"ExpireTime":"0001-01-01T00:00:00Z",`+
			`"Value":"","Children":{`, name, path)
	}
	b.WriteString(`{"Root":{"Path":"/","CreatedIndex":0,"ModifiedIndex":0,` +
		`"ExpireTime":"0001-01-01T00:00:00Z","Value":"","Children":{"0":{"Path":"/0","Children":{}},`)
	dir("/1", "1")
	value := bytes.Repeat([]byte("v"), 100)
	for d := range keys / perDir {
		if d > 0 {
			b.WriteByte(',')
		}
		name := fmt.Sprintf("dir%06d", d)
		dir("/1/"+name, name)
		for k := range perDir {
			if k > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `"key%06d":{"Path":"/1/%s/key%06d","CreatedIndex":7,"ModifiedIndex":9,`+
				`"ExpireTime":"0001-01-01T00:00:00Z","Value":"%s","Children":null}`, k, name, k, value)
		}
		b.WriteString("}}")
	}
	b.WriteString(`}}}},"CurrentIndex":10}`)
	metadata := numbers(2, 10, 3, 1)
	snapshot := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), b.Bytes())
	snapshot = protowire.AppendBytes(protowire.AppendTag(snapshot, 2, protowire.BytesType), metadata)
	file := numbers(1, uint64(crc32.Checksum(snapshot, castagnoli)))
	file = protowire.AppendBytes(protowire.AppendTag(file, 2, protowire.BytesType), snapshot)
	l := new(logBuilder)
	l.begin()
	l.record(snapshotRecord, numbers(1, 10, 2, 1))
	l.state(1, 10)
	for i := range uint64(100_000) {
		l.entry(1, 11+i, put(fmt.Sprintf("/dir%06d/key%06d", i%uint64(keys/perDir), i%perDir), "new"))
	}
	l.state(1, 100_010)
	source := sourceWith(t, l.Bytes())
	snaps := filepath.Join(source, "member", "snap")
	if err := os.Mkdir(snaps, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(snaps, "0000000000000001-000000000000000a.snap"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	return source
}

// BenchmarkRead reads a million keys, and 100,000 entries of the log.
func BenchmarkRead(b *testing.B) {
	source := largeSource(b, 1_000_000)
	if keep := os.Getenv("TEST_IMPORT_KEEP"); keep != "" {
		if err := os.CopyFS(keep, os.DirFS(source)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := readDir(b, source); err != nil {
			b.Fatal(err)
		}
	}
}
