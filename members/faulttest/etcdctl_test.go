package faulttest

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"pando/members/servertest"
)

// memberStep is one step of a test with a cluster: a command of the reference's client, or "kill" or "start" with a member.
// Placeholders: {leader}, {next} and {last} are names of members; {leader.id}, {leader.peer} and {leader.client} are the ID and the
// URLs of the leader, and so on; {spare.peer} and {moved.peer} are URLs at which no server listens; {new1.id} is the ID of the first
// member that was added.
type memberStep struct {
	does  string
	until string // the command is repeated until it prints this text; empty to run it once
}

// memberSteps are run in this order.
var memberSteps = []memberStep{
	{"member list", ""},
	{"cluster-health", "cluster is healthy"},
	{"member add other {next.peer}", "exists"},
	{"member add", ""},
	{"member add other", ""},
	{"member add other nonsense", ""},
	{"member add other {spare.peer}", ""},
	{"member list", ""},
	{"cluster-health", "cluster is degraded"},
	{"member update", ""},
	{"member update {new1.id}", ""},
	{"member update {new1.id} nonsense", ""},
	{"member update {new1.id} {next.peer}", ""},
	{"member update {new1.id} {moved.peer}", ""},
	{"member update 1234abcd {spare.peer}", ""},
	{"member update oops {spare.peer}", ""},
	{"member list", ""},
	{"member remove", ""},
	{"member remove 1234abcd", ""},
	{"member remove oops", ""},
	{"member remove {new1.id}", ""},
	{"member remove {new1.id}", ""},
	{"member list", ""},
	{"member add other {moved.peer}", ""},
	{"member remove {new2.id}", ""},
	{"kill {next}", ""},
	{"cluster-health", "cluster is degraded"},
	{"member list", ""},
	{"start {next}", ""},
	{"cluster-health", "cluster is healthy"},
	{"member update {next.id} {next.peer}", ""},
	{"member remove {last.id}", ""},
	{"member list", ""},
	{"cluster-health", "cluster is healthy"},
}

// TestMembersByReferenceClient runs etcdctl against three members of Pando and three of etcd. It must print the same.
func TestMembersByReferenceClient(t *testing.T) {
	servertest.SkipShort(t, "it compares what another client prints")
	t.Parallel()
	servertest.RequireEtcd(t)
	servertest.RequireProgram(t, "etcdctl", "etcd-client")
	reference := administered(t, func(s servertest.Member, flags ...string) *servertest.Process {
		// Otherwise the reference refuses all changes for five seconds after a start.
		return s.StartEtcd(t, append(flags, "--strict-reconfig-check=false")...)
	})
	pando := administered(t, func(s servertest.Member, flags ...string) *servertest.Process { return s.StartPando(t, flags...) })
	for _, step := range memberSteps {
		var want, got string
		var both sync.WaitGroup
		both.Go(func() { want = reference.do(step) })
		both.Go(func() { got = pando.do(step) })
		both.Wait()
		if got != want {
			t.Errorf("%s\nprints against Pando\n%s\nagainst the reference\n%s", step.does, got, want)
		}
		if t.Failed() {
			return
		}
	}
}

// administration is a cluster with placeholders for the names, IDs and URLs of its members.
type administration struct {
	cluster
	filled []string // placeholders and their values, in alternation
	added  int
}

// administered starts three members and assigns the placeholders.
func administered(t *testing.T, spawn func(s servertest.Member, flags ...string) *servertest.Process) *administration {
	t.Helper()
	a := &administration{cluster: cluster{t: t, members: servertest.NewMembers(t, "ash", "elm", "oak")}}
	a.spawn = func(s servertest.Member) *servertest.Process {
		// The leader must stay, also on a busy machine: the lists name it.
		return spawn(s, "--initial-cluster", servertest.InitialCluster(a.members), "--election-timeout", "4000")
	}
	for _, s := range a.members {
		a.running = append(a.running, a.spawn(s))
	}
	_, list := servertest.AwaitPublished(t, a.running[0].Client, len(a.members))
	leader := a.leader(-1)
	for i, role := range []string{"leader", "next", "last"} {
		s := a.members[(leader+i)%len(a.members)]
		for _, m := range list {
			if id, name, _ := strings.Cut(m, " "); name == s.Name {
				a.filled = append(a.filled, "{"+role+".id}", id)
			}
		}
		a.filled = append(a.filled, "{"+role+".peer}", s.PeerURL(), "{"+role+".client}", s.ClientURL(),
			"{"+role+".host}", s.Client, "{"+role+"}", s.Name)
	}
	a.filled = append(a.filled, "{spare.peer}", "http://"+servertest.FreeAddr(t), "{moved.peer}", "http://"+servertest.FreeAddr(t))
	return a
}

// do runs a step and returns its output with placeholders.
func (a *administration) do(step memberStep) string {
	command := strings.NewReplacer(a.filled...).Replace(step.does)
	verb, name, _ := strings.Cut(command, " ")
	for i, s := range a.members {
		switch {
		case s.Name == name && verb == "kill":
			a.running[i].Kill()
			return ""
		case s.Name == name && verb == "start":
			a.running[i] = a.spawn(s)
			return ""
		}
	}
	text := ""
	servertest.Await(a.t, step.does+" to print "+step.until, func() bool {
		text = a.etcdctl(strings.Fields(command)...)
		return strings.Contains(text, step.until)
	})
	return text
}

// etcdctl runs the client against the leader.
func (a *administration) etcdctl(args ...string) string {
	ctx, cancel := context.WithTimeout(a.t.Context(), servertest.Timeout)
	defer cancel()
	command := exec.CommandContext(ctx, "etcdctl", append([]string{
		"--no-sync", "--timeout", "30s", "--total-timeout", "30s", "--endpoints", a.filled[slices.Index(a.filled, "{leader.client}")+1],
	}, args...)...)
	command.Env = append(servertest.Environment(), "ETCDCTL_API=2")
	out, _ := command.CombinedOutput() // the exit code is compared
	return a.normalised(string(out)) + fmt.Sprintf("exit code %d", command.ProcessState.ExitCode())
}

var (
	memberID       = regexp.MustCompile(`\b[0-9a-f]{12,16}\b`)
	initialMembers = regexp.MustCompile(`ETCD_INITIAL_CLUSTER="(.*)"`)
)

// normalised replaces names, IDs and URLs by placeholders, and sorts lines and lists whose order follows the IDs.
func (a *administration) normalised(text string) string {
	var turned []string
	for i := 0; i < len(a.filled); i += 2 {
		turned = append(turned, a.filled[i+1], a.filled[i])
	}
	text = strings.NewReplacer(turned...).Replace(text)
	text = memberID.ReplaceAllStringFunc(text, func(id string) string {
		if at := slices.Index(a.filled, id); at >= 0 {
			return a.filled[at-1]
		}
		a.added++
		placeholder := fmt.Sprintf("{new%d.id}", a.added)
		a.filled = append(a.filled, placeholder, id)
		return placeholder
	})
	text = servertest.ReplaceGroups(initialMembers, text, func(m []string) string {
		list := strings.Split(m[1], ",")
		slices.Sort(list)
		return `ETCD_INITIAL_CLUSTER="` + strings.Join(list, ",") + `"`
	})
	lines := strings.SplitAfter(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}
