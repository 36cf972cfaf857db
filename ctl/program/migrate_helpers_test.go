package program

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pando/members/servertest"
)

// move is an etcd and the cluster of Pando that follows it.
type move struct {
	t       *testing.T
	etcd    *servertest.Process
	members []servertest.Member
	pando   []*servertest.Process
}

// startMove starts an etcd, and a cluster that was imported from a copy of its directory after fill.
func startMove(t *testing.T, count int, fill func(etcd *servertest.KeyClient)) *move {
	t.Helper()
	source := servertest.NewMembers(t, "etcd")[0]
	m := &move{t: t, etcd: startEtcd(t, source, "--initial-cluster", servertest.InitialCluster([]servertest.Member{source}))}
	awaitVersion(t, m.etcd.Client)
	fill(servertest.NewKeyClient(t, m.etcd.Client))
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(source.DataDir)); err != nil {
		t.Fatal(err)
	}
	names := []string{"m1", "m2", "m3"}
	m.members = servertest.NewMembers(t, names[:count]...)
	cluster := servertest.InitialCluster(m.members)
	for _, member := range m.members {
		mustPando(t, append([]string{"import-etcd", copied, "--follow"}, member.Flags("--initial-cluster", cluster)...)...)
	}
	for _, member := range m.members {
		m.pando = append(m.pando, member.StartPando(t, "--initial-cluster", cluster))
	}
	for _, p := range m.pando {
		p.AwaitServing()
	}
	servertest.AwaitPublished(t, m.pando[0].Client, count)
	return m
}

// restart kills a member of the cluster and starts it again.
func (m *move) restart(i int) {
	m.pando[i].Kill()
	m.pando[i] = m.members[i].StartPando(m.t, "--initial-cluster", servertest.InitialCluster(m.members))
}

// arguments returns the arguments of pando migrate, with a verb unless it is empty.
func (m *move) arguments(verb string, more ...string) []string {
	var targets []string
	for _, p := range m.members {
		targets = append(targets, p.ClientURL())
	}
	args := []string{"migrate"}
	if verb != "" {
		args = append(args, verb)
	}
	return append(append(args, "--from", m.etcd.Client, "--to", strings.Join(targets, ",")), more...)
}

// follow starts pando migrate as a process.
func (m *move) follow(more ...string) *servertest.Process {
	return servertest.StartCommand(m.t, exec.Command(os.Args[0], m.arguments("", more...)...))
}

// awaitEqual waits until the index of the cluster is that of etcd.
func (m *move) awaitEqual() {
	m.t.Helper()
	etcd, pando := servertest.NewKeyClient(m.t, m.etcd.Client), servertest.NewKeyClient(m.t, m.pando[0].Client)
	servertest.Await(m.t, "the cluster to reach the index of etcd", func() bool {
		a, err := etcd.Do("GET", "/none", nil)
		if err != nil {
			return false
		}
		b, err := pando.Do("GET", "/none", nil)
		return err == nil && a.EtcdIndex == b.EtcdIndex
	})
}

// compare runs pando migrate compare until it succeeds, and returns what it prints.
func (m *move) compare() string {
	m.t.Helper()
	out, err := pando(m.t, m.arguments("compare")...)
	if err != nil || !strings.HasPrefix(out, "equal: ") {
		m.t.Errorf("compare: %v\n%s", err, out)
	}
	return out
}

// phase returns the phase and the index that a member reports.
func (m *move) phase(i int) string {
	var state struct{ Phase string }
	if _, err := servertest.GetJSON(m.pando[i].Client+"/v2/mirror", &state); err != nil {
		return fmt.Sprint(err)
	}
	return state.Phase
}
