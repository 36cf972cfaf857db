package faulttest

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pando/members/servertest"
)

// TestFailingCheckpoints makes checkpoints fail. Metrics and /health must report that, until checkpoints succeed again.
func TestFailingCheckpoints(t *testing.T) {
	t.Parallel()
	dataDir := filepath.Join(t.TempDir(), "data")
	p := servertest.Launch(t, dataDir, "--snapshot-count", "10")
	client := servertest.NewKeyClient(t, p.Client)
	write := func() {
		for range 20 {
			client.Must(t, http.MethodPut, "/key", servertest.Form("value", "1"))
		}
	}
	shows := func(line string) bool { return strings.Contains(p.Get("/metrics"), line+"\n") }
	write()
	if !shows("pando_checkpoint_failures_total 0") || !shows("pando_checkpoint_failing 0") {
		t.Errorf("checkpoints fail from the start:\n%s", p.Get("/metrics"))
	}
	file, aside := filepath.Join(dataDir, "state.db"), filepath.Join(dataDir, "aside")
	if err := os.Rename(file, aside); err != nil {
		t.Fatal(err)
	}
	servertest.Await(t, "a checkpoint to fail", func() bool { write(); return shows("pando_checkpoint_failing 1") })
	if shows("pando_checkpoint_failures_total 0") {
		t.Error("the failure is not counted")
	}
	if got := p.Get("/health"); !strings.Contains(got, `"health":"false","reason":"checkpoints have failed since `) {
		t.Errorf("/health is %s", got)
	}
	if err := os.Rename(aside, file); err != nil {
		t.Fatal(err)
	}
	servertest.Await(t, "checkpoints to succeed again", func() bool { write(); return shows("pando_checkpoint_failing 0") })
	if got := p.Get("/health"); got != `{"health":"true"}` {
		t.Errorf("/health is %s", got)
	}
}
