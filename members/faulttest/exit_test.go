package faulttest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pando/ctl/program"
	"pando/members/servertest"
)

// TestExitCodes starts servers that can't start. Failures that a restart can't mend have exit codes of their own, so
// that a supervisor does not restart the server. TestRefusedStarts and TestRefusedData check the other codes.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	t.Run("an initial cluster without this member", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "wal"), 0o700); err != nil { // a mount point, say
			t.Fatal(err)
		}
		endsWith(t, servertest.Start(t, dir, "--initial-cluster", "a=http://127.0.0.1:1"), program.ExitUsage, "does not mention this member")
		if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 1 {
			t.Errorf("the data directory holds %q, %v", left, err)
		}
	})
	t.Run("an initial cluster that names a member twice", func(t *testing.T) {
		p := servertest.Start(t, t.TempDir(), "--initial-cluster", "default=http://localhost:2380,b=http://localhost:2380")
		endsWith(t, p, program.ExitUsage, "--initial-cluster")
	})
	t.Run("a member that was removed", removedMemberEnds)
	t.Run("a member that was added, with flags for a new cluster", addedMemberEnds)
	t.Run("a member that lost its data", func(t *testing.T) {
		all := servertest.NewMembers(t, "a", "b")
		running := servertest.LaunchCluster(t, all)
		running[1].Kill()
		if err := os.RemoveAll(all[1].DataDir); err != nil {
			t.Fatal(err)
		}
		p := all[1].StartPando(t, "--initial-cluster", servertest.InitialCluster(all))
		endsWith(t, p, program.ExitMember, "has already been bootstrapped")
	})
}

// addedMemberEnds adds a member and starts it with --initial-cluster-state new. The member must name the right flag and
// create no data. With the right flag it starts.
func addedMemberEnds(t *testing.T) {
	all := servertest.NewMembers(t, "a", "b")
	running := servertest.LaunchCluster(t, all[:1])
	mustRequest(t, http.MethodPost, running[0].Client+"/v2/members", `{"peerURLs":["`+all[1].PeerURL()+`"]}`, http.StatusCreated)
	p := all[1].StartPando(t, "--initial-cluster", servertest.InitialCluster(all))
	endsWith(t, p, program.ExitMember, "start it with --initial-cluster-state existing")
	if left, err := filepath.Glob(filepath.Join(all[1].DataDir, "*")); err != nil || len(left) > 0 {
		t.Errorf("the data directory holds %q, %v", left, err)
	}
	all[1].StartPando(t, "--initial-cluster", servertest.InitialCluster(all), "--initial-cluster-state", "existing")
	servertest.AwaitPublished(t, running[0].Client, 2)
}

// removedMemberEnds removes a running member, and starts it again.
func removedMemberEnds(t *testing.T) {
	all := servertest.NewMembers(t, "a", "b", "c")
	running := servertest.LaunchCluster(t, all)
	_, list := servertest.AwaitPublished(t, running[0].Client, 3)
	for _, m := range list {
		id, name, _ := strings.Cut(m, " ")
		if name != "c" {
			continue
		}
		mustRequest(t, http.MethodDelete, running[0].Client+"/v2/members/"+id, "", http.StatusNoContent)
	}
	endsWith(t, running[2], program.ExitMember, "this member was removed from the cluster")
	p := all[2].StartPando(t, "--initial-cluster", servertest.InitialCluster(all))
	endsWith(t, p, program.ExitMember, "this member was removed from the cluster")
}

// endsWith waits for the end of a server. The exit code must be code, and the output must contain the text.
func endsWith(t *testing.T, p *servertest.Process, code int, text string) {
	t.Helper()
	if got := p.AwaitExit(); got != code || !strings.Contains(p.Stderr.String(), text) {
		t.Errorf("exit code %d, want %d and %q\n%s", got, code, text, p.Stderr)
	}
}

// TestStopBeforeServing stops servers that wait for other members. The exit code must be 0.
func TestStopBeforeServing(t *testing.T) {
	t.Parallel()
	service := servertest.Launch(t, t.TempDir())
	for name, test := range map[string]struct{ discovery, waits string }{
		"for the others to register": {servertest.NewDiscoveryURL(t, service.Client, "alone", 2), "waiting for the other members to register"},
		"for the discovery service":  {"http://127.0.0.1:1/v2/keys/none", "the discovery URL can't be used now"},
	} {
		t.Run(name, func(t *testing.T) {
			p := servertest.Start(t, t.TempDir(), "--discovery", test.discovery)
			servertest.Await(t, "the member to wait", func() bool { return strings.Contains(p.Stderr.String(), test.waits) })
			p.Terminate()
			endsWith(t, p, 0, "stopped before the server was ready")
		})
	}
}

// TestServiceStopsRestarts compares the systemd unit with the exit codes.
func TestServiceStopsRestarts(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("docs", "deploy", "pando.service"))
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("RestartPreventExitStatus=%d %d %d %d\n", program.ExitUsage, program.ExitTaken, program.ExitData, program.ExitMember)
	if got := regexp.MustCompile(`RestartPreventExitStatus=.*\n`).FindString(string(text)); got != want {
		t.Errorf("got %qwant %q", got, want)
	}
}
