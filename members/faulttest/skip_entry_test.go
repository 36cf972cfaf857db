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
	"pando/storage"
)

// putGarbage commits an entry that no version can apply at the end of a member's log.
func putGarbage(t *testing.T, dataDir string) {
	t.Helper()
	disk, recovered, err := storage.Open(storage.Options{DataDir: dataDir, HistorySize: config.DefaultHistorySize})
	if err != nil {
		t.Fatal(err)
	}
	last, state := recovered.Entries[len(recovered.Entries)-1], recovered.HardState
	index := last.GetIndex() + 1
	last.Index, last.Data, state.Commit = &index, []byte{100}, &index
	if err := disk.Append(state, recovered.Entries[len(recovered.Entries)-1:]); err != nil {
		t.Fatal(err)
	}
	if err := disk.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestSkipLogEntry starts a member whose log has an entry that can't be applied. The error must name the flag that skips the entry. With
// this flag the member must have all other entries.
func TestSkipLogEntry(t *testing.T) {
	t.Parallel()
	dataDir := filepath.Join(t.TempDir(), "data")
	p := servertest.Launch(t, dataDir)
	servertest.NewKeyClient(t, p.Client).Must(t, http.MethodPut, "/key", servertest.Form("value", "kept"))
	p.Kill()
	putGarbage(t, dataDir)
	p = servertest.Start(t, dataDir)
	endsWith(t, p, program.ExitData, "can't be applied")
	flag := regexp.MustCompile(`--skip-log-entry=\d+/\d+`).FindString(p.Stderr.String())
	if flag == "" {
		t.Fatalf("no way back is named:\n%s", p.Stderr)
	}
	endsWith(t, servertest.Start(t, dataDir, "--skip-log-entry=2/2"), program.ExitUsage, "can be applied and is not skipped")
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
