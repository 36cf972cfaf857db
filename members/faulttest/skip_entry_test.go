package faulttest

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pando/ctl/program"
	"pando/members/config"
	"pando/members/servertest"
	"pando/raft"
	"pando/storage"
)

func openStorage(t *testing.T, dataDir string) (*storage.Disk, *storage.Recovered) {
	t.Helper()
	disk, recovered, err := storage.Open(storage.Options{DataDir: dataDir, HistorySize: config.DefaultHistorySize})
	if err != nil {
		t.Fatal(err)
	}
	return disk, recovered
}

// killWithLog makes a member with a key, and kills it. Its log has an entry that is in no checkpoint. The member may have written one just
// before: then it is started again.
func killWithLog(t *testing.T, dataDir string) {
	t.Helper()
	for entries := 0; entries == 0; {
		p := servertest.Launch(t, dataDir)
		servertest.NewKeyClient(t, p.Client).Must(t, http.MethodPut, "/key", servertest.Form("value", "kept"))
		p.Kill()
		disk, recovered := openStorage(t, dataDir)
		entries = len(recovered.Entries)
		if err := disk.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// putGarbage commits two entries at the end of a member's log: an empty one, which it returns, and one that no version can apply.
func putGarbage(t *testing.T, dataDir string) (empty raft.EntryID) {
	t.Helper()
	disk, recovered := openStorage(t, dataDir)
	last, state := recovered.Entries[len(recovered.Entries)-1:], recovered.HardState
	index := last[0].GetIndex()
	for _, data := range [][]byte{nil, {100}} {
		index++
		last[0].Index, last[0].Data, state.Commit = &index, data, &index
		if err := disk.Append(state, last); err != nil {
			t.Fatal(err)
		}
	}
	if err := disk.Close(); err != nil {
		t.Fatal(err)
	}
	return raft.EntryID{Index: index - 1, Term: last[0].GetTerm()}
}

// TestSkipLogEntry starts a member whose log has an entry that can't be applied. The error must name the flag that skips the entry. With
// this flag the member must have all other entries.
func TestSkipLogEntry(t *testing.T) {
	t.Parallel()
	dataDir := filepath.Join(t.TempDir(), "data")
	killWithLog(t, dataDir)
	good := putGarbage(t, dataDir)
	// First, because a later start may find the entry in a checkpoint.
	endsWith(t, servertest.Start(t, dataDir, "--skip-log-entry="+good.String()), program.ExitUsage, "can be applied and is not skipped")
	p := servertest.Start(t, dataDir)
	endsWith(t, p, program.ExitData, "can't be applied")
	flag := regexp.MustCompile(`--skip-log-entry=\d+/\d+`).FindString(p.Stderr.String())
	if flag == "" {
		t.Fatalf("no way back is named:\n%s", p.Stderr)
	}
	p = servertest.Launch(t, dataDir, flag)
	if got := p.Get("/v2/keys/key"); !strings.Contains(got, `"value":"kept"`) {
		t.Errorf("the key is %s", got)
	}
	if !strings.Contains(p.Stderr.String(), "the entry is skipped") {
		t.Error("no log line says that the entry is skipped")
	}
	servertest.NewKeyClient(t, p.Client).Must(t, http.MethodPut, "/key", servertest.Form("value", "after"))
	p.Terminate()
	p = servertest.Launch(t, dataDir)
	if got := p.Get("/v2/keys/key"); !strings.Contains(got, `"value":"after"`) {
		t.Errorf("the key is %s", got)
	}
}
