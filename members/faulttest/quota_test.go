package faulttest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"pando/members/servertest"
	"pando/tree"
)

// TestQuotaOfCluster fills a cluster up to its quota. All members must refuse writes that add bytes, also after a restart, and must take
// them again below the quota and with a larger one.
func TestQuotaOfCluster(t *testing.T) {
	servertest.SkipShort(t, "the tests of httpapi check the quota of one member")
	all := servertest.NewMembers(t, "a", "b", "c")
	running := servertest.LaunchCluster(t, all, "--quota-bytes", "2000")
	value := strings.Repeat("x", 500)
	for i := range 4 { // 508 bytes each
		mustAnswer(t, running[i%3], http.MethodPut, fmt.Sprintf("/fill/%d", i), value, 0)
	}
	for _, p := range running {
		mustAnswer(t, p, http.MethodPut, "/new", "1", 111)
		mustAnswer(t, p, http.MethodPut, "/fill/0", value+"x", 111)
		mustAnswer(t, p, http.MethodPut, "/fill/0", strings.Repeat("y", 500), 0)
	}
	for _, p := range running {
		p.Kill()
	}
	running = servertest.LaunchCluster(t, all, "--quota-bytes", "2000")
	mustAnswer(t, running[1], http.MethodPut, "/new", "1", 111)
	mustAnswer(t, running[1], http.MethodDelete, "/fill/3", "", 0)
	mustAnswer(t, running[1], http.MethodPut, "/new", value, 0)
	mustAnswer(t, running[2], http.MethodPut, "/newer", "1", 111)

	running[2].Kill()
	running[2] = all[2].StartPando(t, "--initial-cluster", servertest.InitialCluster(all), "--quota-bytes", "4000")
	running[2].AwaitServing()
	mustAnswer(t, running[0], http.MethodPut, "/newer", "1", 111)
	mustAnswer(t, running[2], http.MethodPut, "/newer", "1", 0)
}

// mustAnswer sends a change of a key to a member and checks the code of the error, which is 0 for success. Before that the member applies
// what was acknowledged earlier.
func mustAnswer(t *testing.T, p *servertest.Process, method, key, value string, code int) {
	t.Helper()
	form := servertest.Form()
	if method == http.MethodPut {
		form = servertest.Form("value", value)
	}
	client := servertest.NewKeyClient(t, p.Client)
	client.Must(t, http.MethodGet, "/?quorum=true", nil)
	answer, err := client.Do(method, key, form)
	for try := 1; try < 5 && err == nil && answer.ErrorCode == int(tree.CodeRaftInternal) && method == http.MethodPut; try++ {
		answer, err = client.Do(method, key, form) // a busy machine may bring about an election at any time
	}
	if err != nil {
		t.Fatal(err)
	}
	if answer.ErrorCode != code {
		t.Fatalf("%s %s of %d bytes: got %+v, want error %d", method, key, len(value), answer, code)
	}
}
