package etcdv3

import (
	"errors"
	"testing"

	"go.etcd.io/bbolt"

	"pando/tree"
)

// raise adds a record without a value to a file, and sets the compact revision, as etcdutl snapshot restore --bump-revision
// --mark-compacted does.
func raise(t *testing.T, path string, revision, compacted int64) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bbolt.Tx) error {
		key := AppendRevision(nil, Revision{Main: revision})
		compact := AppendRevision(nil, Revision{Main: compacted})
		return errors.Join(
			tx.Bucket([]byte(KeyBucket)).Put(key, nil), tx.Bucket([]byte(MetaBucket)).Put([]byte(ScheduledCompactKey), compact))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestReadRaisedRevision reads a file whose revision a restore has raised beyond its last change.
func TestReadRaisedRevision(t *testing.T) {
	s := history(t, put("a", "1"), put("b", "1"), put("a", "2"), del("b"))
	source := &Source{Log: s.KeyLog(), Members: []Member{{ID: 16, Name: "one"}}, Applied: 9, Term: 2}
	const revision = 10_000_005
	path := write(t, source)
	raise(t, path, revision, revision)
	imported, _ := read(t, path)
	v := imported.View()
	if v.Revision() != revision || v.CompactRevision() != revision || v.CountKeys(tree.KeyRange{}) != 1 {
		t.Errorf("revision %d, compacted at %d, %d keys", v.Revision(), v.CompactRevision(), v.CountKeys(tree.KeyRange{}))
	}
	if n := v.Key("a"); n == nil || n.Value() != "2" || n.CreateRevision() != 2 || n.ModRevision() != 4 || n.Version() != 2 {
		t.Errorf("got the key %+v", n)
	}
	extend(t, imported, put("a", "3"))
	if n := imported.View().Key("a"); n.ModRevision() != revision+1 || n.Version() != 3 {
		t.Errorf("after a put: got the key %+v", n)
	}

	path = write(t, source)
	raise(t, path, revision, 2)
	file, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, _, err := file.Import(t.Context(), tree.New(10), func(int64) {}); !errors.Is(err, ErrDamaged) {
		t.Errorf("a record without a value after the compact revision: got %v", err)
	}
}
