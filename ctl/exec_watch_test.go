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
	watch := exec.Command(self, "--no-sync", "--endpoints", s.url, "exec-watch", "--after-index", fmt.Sprint(s.index()), "-r", "/work", "--",
		"/bin/sh", "-c", `echo "$ETCD_WATCH_MODIFIED_INDEX $ETCD_WATCH_VALUE" >> `+log)
	watch.Env = append(os.Environ(), asClientVar+"=1")
	var notes lockedBuffer
	watch.Stderr = &notes
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	defer watch.Process.Kill()
	acknowledged := make(map[string]bool)
	for i := range writes {
		if i == writes/2 {
			eventually(t, "exec-watch is at work", func() bool { return len(handled(log)) > 10 }, notes.String)
			s.kill()
			eventually(t, "exec-watch notes it", func() bool { return strings.Contains(notes.String(), "interrupted") }, notes.String)
			s.start()
		}
		value := fmt.Sprint(i)
		put(t, s, "/work/key", value)
		acknowledged[value] = true
	}
	eventually(t, "all is handled", func() bool { return len(handled(log)) >= writes }, func() string {
		return fmt.Sprintf("%d handled\n%s", len(handled(log)), notes.String())
	})
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

// put writes a value, without a condition.
func put(t *testing.T, s *server, key, value string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPut, s.url+"/v2/keys"+key+"?value="+value, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := testHTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode/100 != 2 {
		t.Fatalf("PUT %s: %s", key, response.Status)
	}
}

// TestInterruptedCommandEnds: SIGINT to exec-watch lets the running command end.
func TestInterruptedCommandEnds(t *testing.T) {
	s := startPando(t)
	log := filepath.Join(t.TempDir(), "handled")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	watch := exec.Command(self, "--endpoints", s.url, "exec-watch", "--after-index", fmt.Sprint(s.index()), "-r", "/", "--",
		"/bin/sh", "-c", `echo begun >> `+log+`; sleep 0.3; echo ended >> `+log)
	watch.Env = append(os.Environ(), asClientVar+"=1")
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	put(t, s, "/a", "1")
	put(t, s, "/a", "2")
	eventually(t, "the command has begun", func() bool {
		return len(handled(log)) == 1 &&
			handled(log)[0] == "begun"
	}, func() string { return "" })
	begun := time.Now()
	watch.Process.Signal(os.Interrupt)
	if err := watch.Wait(); err != nil {
		t.Errorf("after SIGINT: %v", err)
	}
	if got := strings.Join(handled(log), " "); got != "begun ended" {
		t.Errorf("after %v: %q, want the one command to have ended", time.Since(begun), got)
	}
}
