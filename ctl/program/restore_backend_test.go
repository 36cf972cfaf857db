package program

import (
	"bytes"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pando/storage"
	"pando/storage/etcdv3"
	"pando/tree"
)

// TestRestoreBackend makes a data directory from a snapshot file of etcd's v3 data, and compares the two histories.
func TestRestoreBackend(t *testing.T) {
	s := tree.New(1000)
	s.StartRevisions()
	s.Apply(1, []tree.Command{
		{Op: tree.OpPut, Path: "a", Value: "1"}, {Op: tree.OpPut, Path: "/d/b", Value: "2"}, {Op: tree.OpLeaseGrant, Lease: 7, TTL: 60},
		{Op: tree.OpDeleteRange, Path: "a", Value: "b"}, {Op: tree.OpCompact, Revision: 3}, {Op: tree.OpPut, Path: "c", Lease: 7},
	})
	dir := t.TempDir()
	file := filepath.Join(dir, "backup.db")
	f, _, err := etcdv3.Write(t.Context(), filepath.Join(dir, "outgoing"), &etcdv3.Source{Log: s.KeyLog(), Applied: 9, Term: 2})
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	sum := sha256.Sum256(data)
	if err := os.WriteFile(file, append(data, sum[:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(apiVersion, "3")
	target := filepath.Join(dir, "pando")
	run := func(args ...string) (code int, stdout, stderr string) {
		var out, errors bytes.Buffer
		code = runClient(append([]string{"etcdctl", "snapshot", "restore"}, args...), nil, &out, &errors)
		return code, out.String(), errors.String()
	}
	code, stdout, stderr := run(file, "--data-dir", target, "--name", "one")
	if code != 0 || stdout != "" || !strings.Contains(stderr, "member one") {
		t.Fatalf("code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	disk, recovered, err := storage.Open(storage.Options{DataDir: target, HistorySize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	log := recovered.Store.KeyLog()
	if v := log.View(); v.Revision() != 5 || log.Floor() != 3 || v.LeaseCount() != 1 || etcdv3.HashKV(log, 5) != etcdv3.HashKV(s.KeyLog(), 5) {
		t.Errorf("revision %d, floor %d, %d leases, or another checksum", v.Revision(), log.Floor(), v.LeaseCount())
	}
	for name, args := range map[string][]string{
		"the target exists":  {file, "--data-dir", target},
		"a file is missing":  {filepath.Join(dir, "nothing"), "--data-dir", target + "2"},
		"a data directory":   {target, "--data-dir", target + "2"},
		"without a file":     {"--data-dir", target + "2"},
		"an unknown flag":    {file, "--data", target + "2"},
		"another file again": {file, file, "--data-dir", target + "2"},
	} {
		if code, stdout, stderr := run(args...); code == 0 || stdout != "" || stderr == "" {
			t.Errorf("%s: code %d, stdout %q, stderr %q", name, code, stdout, stderr)
		}
	}
	if _, err := os.Stat(target + "2"); err == nil {
		t.Error("a failed command has made a directory")
	}
}
