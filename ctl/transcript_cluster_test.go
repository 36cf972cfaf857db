package ctl

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pando/ctl/client"
	"pando/members/servertest"
)

// label is the name in a transcript for a value that differs between two servers.
type label struct{ name, value string }

// labelled returns the server that gets the commands, and the labels of all. In a cluster of several members, it is the leader.
func labelled(t *testing.T, cluster []*server) (*server, []label) {
	t.Helper()
	list, err := cluster[0].members()
	if err != nil {
		t.Fatal(err)
	}
	if len(cluster) == 1 {
		return cluster[0], []label{{"<url>", cluster[0].Client}, {"<peer>", cluster[0].Peer}, {"<member>", list[0].ID}}
	}
	leader := cluster[0].leader()
	slices.SortStableFunc(list, func(a, b client.Member) int { return rank(a, leader) - rank(b, leader) })
	var labels []label
	for i, m := range list {
		labels = append(labels,
			label{fmt.Sprintf("<url%d>", i+1), m.ClientURLs[0]}, label{fmt.Sprintf("<peer%d>", i+1), m.PeerURLs[0]},
			label{fmt.Sprintf("<member%d>", i+1), m.ID}, label{fmt.Sprintf("<name%d>", i+1), m.Name})
	}
	first := slices.IndexFunc(cluster, func(s *server) bool { return s.Client == list[0].ClientURLs[0] })
	return cluster[first], labels
}

func rank(m client.Member, leader string) int {
	if m.ID == leader {
		return 0
	}
	return 1
}

// leader is the ID of the member that leads.
func (s *server) leader() string {
	s.T.Helper()
	var m client.Member
	servertest.Await(s.T, "a leader", func() bool {
		_, err := servertest.GetJSON(s.Client+"/v2/members/leader", &m)
		return err == nil && m.ID != ""
	})
	return m.ID
}

var added = regexp.MustCompile(`^Added member named \S+ with ID ([0-9a-f]+) to cluster\n`)

// noteAdded labels the member that the output of member add names.
func (p *play) noteAdded(stdout string) {
	found := added.FindStringSubmatch(stdout)
	if found == nil {
		return
	}
	p.labels = slices.DeleteFunc(p.labels, func(l label) bool { return l.name == "<added>" })
	p.labels = append(p.labels, label{"<added>", found[1]})
}

var initialClusterWord = regexp.MustCompile(`ETCD_INITIAL_CLUSTER="[^"]*`)

// sortInitialCluster puts the members into the order of their labels: that of their IDs differs from run to run.
func sortInitialCluster(text string) string {
	return initialClusterWord.ReplaceAllStringFunc(text, func(found string) string {
		name, list, _ := strings.Cut(found, `"`)
		members := strings.Split(list, ",")
		slices.Sort(members)
		return name + `"` + strings.Join(members, ",")
	})
}

// memberNames are those of a cluster of three. No other word of a transcript contains them.
var memberNames = []string{"oak-tree", "ash-tree", "elm-tree"}

func startPandoCluster(t *testing.T) []*server {
	t.Helper()
	return startCluster(t, launchPando, memberNames...)
}

// startReferenceCluster starts three etcd, with the check off that refuses changes of members in the first seconds.
func startReferenceCluster(t *testing.T) []*server {
	t.Helper()
	launch := func(m servertest.Member, t testing.TB, flags ...string) *servertest.Process {
		return launchReference(m, t, append(flags, "--strict-reconfig-check=false")...)
	}
	return startCluster(t, launch, memberNames...)
}
