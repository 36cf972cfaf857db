package browser

import (
	"net/http"
	"strings"
	"testing"

	"pando/members/servertest"
)

// TestCluster looks at a cluster of three members, at the page of the leader and at that of a follower. Then a member stops.
func TestCluster(t *testing.T) {
	t.Parallel()
	browserContext(t)
	all := servertest.NewMembers(t, "east", "north", "west")
	running := servertest.LaunchCluster(t, all)
	leader, follower := leaderFirst(t, running)
	p := openTab(t, page(running[leader], "#/cluster"), desktop)
	p.choose("Ask the server", "every second")
	p.step("the leader", func(t *testing.T) {
		p.see("east", "north", "west", all[leader].Name+" serves this page leader healthy", "As the leader, it measures")
		p.awaitTrue("the plots have lines", `document.querySelectorAll(".plot-line[d^=M]").length > 5`)
		p.see("Writes", "Time of a write", "Lag 0 entries", "Term", "Version")
		p.checkAccessible("the cluster")
	})
	p.step("writes", func(t *testing.T) {
		client := servertest.NewKeyClient(t, running[follower].Client)
		for range 50 {
			client.Must(t, http.MethodPut, "/plotted", servertest.Form("value", "1"))
		}
		p.awaitTrue("the followers are reached", `document.body.innerText.split("reached by the leader").length >= 3`)
		p.awaitTrue("the plot of the writes", `/^[^L]*M.*L/.test(document.querySelector(".plot-line").getAttribute("d"))`)
	})
	p.step("a follower", func(t *testing.T) {
		q := openTab(t, page(running[follower], "#/cluster"), phone)
		q.see(all[follower].Name+" serves this page follower healthy", "open the page of "+all[leader].Name, "unknown")
		q.awaitTrue("nothing is wider than the phone", `document.documentElement.scrollWidth <= innerWidth`)
		q.checkAccessible("the cluster on a phone")
		q.click("link", running[leader].Client)
		q.see(all[leader].Name + " serves this page leader")
	})
	p.step("a member stops", func(t *testing.T) {
		running[follower].Kill()
		p.see("not reached by the leader")
	})
	p.step("no quorum", func(t *testing.T) {
		for i, member := range running {
			if i != leader && i != follower {
				member.Kill()
			}
		}
		p.see("There is no leader: the cluster takes no writes", "not healthy")
	})
	p.step("no server", func(t *testing.T) {
		running[leader].Kill()
		p.see("The server does not answer. What is shown is out of date.")
	})
}

// leaderFirst returns the indexes of the leader and of a follower. It waits until all members agree.
func leaderFirst(t *testing.T, running []*servertest.Process) (leader, follower int) {
	t.Helper()
	servertest.Await(t, "a leader", func() bool {
		leaders := 0
		for i, member := range running {
			if strings.Contains(member.Get("/v2/stats/self"), `"state":"StateLeader"`) {
				leader = i
				leaders++
			}
		}
		return leaders == 1
	})
	return leader, (leader + 1) % len(running)
}
