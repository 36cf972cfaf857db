package faulttest

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"pando/ctl/program"
	"pando/members/servertest"
	"pando/storage"
	"pando/tree"
)

// olderPrograms are commits whose programs serve lower feature levels. That of level 0 has no levels, that of level 4 is version 0.2.0.
var olderPrograms = []struct {
	level  uint64
	commit string
}{
	{0, "b5f10beafbf24d2fe5d914374866ce237c1f9cca"},
	{4, lastVersion},
}

// lastVersion is the commit of the last version.
const lastVersion = "6749dad86768a0747e70c46b6f9f813bfd83688b"

// buildCommit returns the path of the program of a commit of this repository. It is built once, and kept in the user's
// cache directory. The test is skipped where the history is not there.
func buildCommit(t *testing.T, commit string) string {
	t.Helper()
	git := servertest.RequireProgram(t, "git", "git")
	if err := exec.Command(git, "cat-file", "-e", commit+"^{commit}").Run(); err != nil {
		t.Skipf("commit %s is not in this copy of the repository (no repository, or a shallow clone): git fetch --unshallow", commit)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	binary := filepath.Join(cache, "pando-tests", commit+"-"+runtime.Version()+"-"+runtime.GOARCH)
	if _, err := os.Stat(binary); err == nil {
		return binary
	}
	source := t.TempDir()
	archive, unfinished := filepath.Join(source, "source.tar"), fmt.Sprintf("%s.%d", binary, os.Getpid())
	for _, command := range [][]string{
		{git, "archive", "--output", archive, commit},
		{"tar", "-x", "-f", archive, "-C", source},
		{"go", "build", "-C", source, "-o", unfinished, "."},
		{"mv", unfinished, binary}, // another run may build it at the same time
	} {
		if output, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, output)
		}
	}
	return binary
}

// roll is a cluster whose members are replaced by ones of another version, under load.
type roll struct {
	*cluster
	load *clusterLoad
	gaps []time.Duration
}

// to stops a member as an operator does, and starts it with another binary. The other members must serve meanwhile.
func (r *roll) to(binary string, i int) {
	r.t.Helper()
	begin := time.Now()
	r.running[i].Terminate()
	r.gaps = append(r.gaps, r.load.restored(r.clients(i)...).Sub(begin))
	r.spawn = func(s servertest.Member) *servertest.Process {
		return s.StartCommand(r.t, exec.Command(binary, s.Flags(loadedFlags(servertest.InitialCluster(r.members))...)...))
	}
	r.restart(i)
}

// atLevel reports whether the cluster is at a feature level, according to a member.
func (r *roll) atLevel(i int, level uint64) bool {
	return strings.Contains(r.running[i].Get("/metrics"), fmt.Sprintf("\npando_cluster_feature_level %d\n", level))
}

// awaitLevel waits until all members are at a level.
func (r *roll) awaitLevel(level uint64) {
	r.t.Helper()
	servertest.Await(r.t, fmt.Sprintf("level %d on all members", level), func() bool {
		return r.atLevel(0, level) && r.atLevel(1, level) && r.atLevel(2, level)
	})
}

// mustStayAt checks that these members, which run this version, do not raise the level while another one runs the older version.
func (r *roll) mustStayAt(level uint64, members ...int) {
	r.t.Helper()
	r.load.restored(r.clients(-1)...)
	for _, i := range members {
		if !r.atLevel(i, level) {
			r.t.Fatalf("member %s is not at level %d, though not all members run this version", r.members[i].Name, level)
		}
	}
}

// upgradeUser is a user of TestUpgrade. Older versions have no users.
const upgradeUser = "/v2/auth/users/ann"

// mustPutUser sends a request that creates the user to a member. The response must have the status.
func (r *roll) mustPutUser(i, status int) {
	r.t.Helper()
	mustRequest(r.t, http.MethodPut, r.running[i].Client+upgradeUser, `{"user":"ann","password":"secret"}`, status)
}

// TestUpgrade rolls a cluster under load from versions of lower feature levels to this one.
func TestUpgrade(t *testing.T) {
	servertest.SkipShort(t, "it builds other versions")
	for _, older := range olderPrograms {
		t.Run(fmt.Sprintf("from level %d", older.level), func(t *testing.T) {
			t.Parallel()
			if os.Getenv("CI") == "true" && older.commit != lastVersion {
				t.Skip("CI upgrades from the last version only, because it builds the older program first; run the test without CI=true")
			}
			testUpgrade(t, older.level, buildCommit(t, older.commit))
		})
	}
}

// testUpgrade rolls a cluster from the older program to this one. On the way it restarts a member with the older program again. It tries
// the same after the level was raised: that must fail. The members compare their data while they run both versions, and after the level was
// raised.
func testUpgrade(t *testing.T, level uint64, older string) {
	current := os.Args[0]
	c := &cluster{t: t, members: servertest.NewMembers(t, "a", "b", "c")}
	c.spawn = func(s servertest.Member) *servertest.Process {
		return s.StartCommand(t, exec.Command(older, s.Flags(loadedFlags(servertest.InitialCluster(c.members))...)...))
	}
	c.start()
	r := &roll{cluster: c, load: c.load()}
	if level > 0 {
		r.awaitLevel(level)
	}
	r.to(current, 0)
	r.mustStayAt(level, 0)
	r.to(current, 1)
	r.mustStayAt(level, 0, 1)
	r.to(older, 0)
	r.mustStayAt(level, 1)
	r.to(current, 0)
	r.mustStayAt(level, 0, 1)
	if level < tree.UsersLevel {
		r.mustPutUser(0, http.StatusServiceUnavailable)
	}
	c.mustAgree() // the older version computes the same hashes
	r.to(current, 2)
	r.awaitLevel(storage.FeatureLevel)
	r.running[1].Terminate()
	back := c.members[1].StartCommand(t, exec.Command(older, c.members[1].Flags("--initial-cluster", servertest.InitialCluster(c.members))...))
	endsWith(t, back, program.ExitData, "start the newer Pando that wrote it")
	c.restart(1)
	r.load.settle()
	r.mustPutUser(2, http.StatusCreated) // takes indexes, so the load must have ended
	const txn = `{"then":[{"action":"set","key":"/txn","value":"1"}]}`
	mustRequest(t, http.MethodPost, r.running[0].Client+"/v2/txn", txn, http.StatusOK)
	for i := range c.running {
		c.running[i].Kill()
		c.restart(i)
		mustRequest(t, http.MethodGet, c.running[i].Client+upgradeUser, "", http.StatusOK)
	}
	c.mustAgree()
	t.Logf("%d members replaced: writes again after %s", len(r.gaps), distribution(r.gaps))
	checkGaps(t, r.gaps)
}
