package main

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pando/storage"
)

// putGarbage commits an entry behind a member's log that no version can apply.
func putGarbage(t *testing.T, dataDir string) {
	t.Helper()
	disk, recovered, err := storage.Open(storage.Options{DataDir: dataDir, HistorySize: defaultHistorySize})
	if err != nil {
		t.Fatal(err)
	}
	last, state := recovered.Entries[len(recovered.Entries)-1], recovered.HardState
	index := last.GetIndex() + 1
	last.Index, last.Data, state.Commit = &index, []byte{200}, &index
	if err := disk.Append(state, recovered.Entries[len(recovered.Entries)-1:]); err != nil {
		t.Fatal(err)
	}
	if err := disk.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestSkipLogEntry starts a member whose log holds an entry that can't be applied: it names the flag that passes over it, and
// with that it has everything else.
func TestSkipLogEntry(t *testing.T) {
	dataDir := filepath.Join(t.TempDir(), "data")
	p := launch(t, dataDir)
	newKeyClient(t, p.client).must(t, http.MethodPut, "/key", form("value", "kept"))
	p.kill()
	putGarbage(t, dataDir)
	p = spawn(t, dataDir)
	endsWith(t, p, exitData, "can't be applied")
	flag := regexp.MustCompile(`--skip-log-entry=\d+/\d+`).FindString(p.stderr.String())
	if flag == "" {
		t.Fatalf("no way back is named:\n%s", p.stderr)
	}
	endsWith(t, spawn(t, dataDir, "--skip-log-entry=2/2"), exitUsage, "can be applied and is not skipped")
	p = launch(t, dataDir, flag)
	if got := p.get("/v2/keys/key"); !strings.Contains(got, `"value":"kept"`) {
		t.Errorf("the key is %s", got)
	}
	if !strings.Contains(p.stderr.String(), "the entry is passed over") {
		t.Error("nothing says that the entry is passed over")
	}
	newKeyClient(t, p.client).must(t, http.MethodPut, "/key", form("value", "after"))
	p.terminate()
	p = launch(t, dataDir)
	if got := p.get("/v2/keys/key"); !strings.Contains(got, `"value":"after"`) {
		t.Errorf("the key is %s", got)
	}
}
