package ctl

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pando/members/servertest"
)

// TestExecWatchThroughCrash writes values while exec-watch runs a command for each, kills the server in the middle and
// restarts it: the command runs once for every change, in order.
func TestExecWatchThroughCrash(t *testing.T) {
	writes := 1000
	if testing.Short() {
		writes = 300
	}
	s := startPando(t)
	log := filepath.Join(t.TempDir(), "handled")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	watch := exec.Command(self, "--no-sync", "--endpoints", s.Client, "exec-watch", "--after-index", fmt.Sprint(s.index()),
		"-r", "/work", "--", "/bin/sh", "-c", `echo "$ETCD_WATCH_MODIFIED_INDEX $ETCD_WATCH_VALUE" >> `+log)
	watch.Env = append(os.Environ(), asClientVar+"=1")
	var notes lockedBuffer
	watch.Stderr = &notes
	logOnFailure(t, &notes)
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	defer watch.Process.Kill()
	acknowledged := make(map[string]bool)
	keys := servertest.NewKeyClient(t, s.Client)
	for i := range writes {
		if i == writes/2 {
			servertest.Await(t, "exec-watch to be at work", func() bool { return len(handled(log)) > 10 })
			s.Kill()
			servertest.Await(t, "exec-watch to note it", func() bool { return strings.Contains(notes.String(), "interrupted") })
			s.restart()
		}
		value := fmt.Sprint(i)
		keys.Must(t, http.MethodPut, "/work/key", servertest.Form("value", value))
		acknowledged[value] = true
	}
	servertest.Await(t, "all to be handled", func() bool { return len(handled(log)) >= writes })
	watch.Process.Signal(os.Interrupt)
	if err := watch.Wait(); err != nil {
		t.Errorf("after SIGINT: %v\n%s", err, notes.String())
	}
	lines := handled(log)
	if len(lines) != writes {
		t.Errorf("%d changes handled, want %d", len(lines), writes)
	}
	for i, line := range lines {
		if _, value, _ := strings.Cut(line, " "); value != fmt.Sprint(i) {
			t.Fatalf("change %d was %q", i, line)
		}
	}
}

func handled(log string) []string {
	data, err := os.ReadFile(log)
	if err != nil {
		return nil // nothing yet
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

// TestInterruptedCommandEnds: SIGINT to exec-watch lets the running command end.
func TestInterruptedCommandEnds(t *testing.T) {
	s := startPando(t)
	log := filepath.Join(t.TempDir(), "handled")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	watch := exec.Command(self, "--endpoints", s.Client, "exec-watch", "--after-index", fmt.Sprint(s.index()), "-r", "/", "--",
		"/bin/sh", "-c", `echo begun >> `+log+`; sleep 2; echo ended >> `+log)
	watch.Env = append(os.Environ(), asClientVar+"=1")
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	keys := servertest.NewKeyClient(t, s.Client)
	keys.Must(t, http.MethodPut, "/a", servertest.Form("value", "1"))
	keys.Must(t, http.MethodPut, "/a", servertest.Form("value", "2"))
	servertest.Await(t, "the command to begin", func() bool {
		return len(handled(log)) == 1 &&
			handled(log)[0] == "begun"
	})
	begun := time.Now()
	watch.Process.Signal(os.Interrupt)
	if err := watch.Wait(); err != nil {
		t.Errorf("after SIGINT: %v", err)
	}
	if got := strings.Join(handled(log), " "); got != "begun ended" {
		t.Errorf("after %v: %q, want the one command to have ended", time.Since(begun), got)
	}
}
