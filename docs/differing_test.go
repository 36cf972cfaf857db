package docs

import (
	"crypto/sha256"
	"strings"
	"testing"

	"pando/members"
	"pando/members/servertest"
	"pando/raft/offline"
	"pando/storage"
	"pando/tree"
)

// startDiffering starts a cluster of Pando of which the last member has another value than the others, and waits until all members say
// so.
func startDiffering(t *testing.T, machines []*machine) {
	t.Helper()
	cluster := members.Cluster{ID: 1}
	var initial []servertest.Member
	for _, m := range machines {
		cluster.Members = append(cluster.Members, members.NewBootstrapMember(m.member.Name, []string{m.member.PeerURL()}, ""))
		initial = append(initial, m.member)
	}
	for i, m := range machines {
		value := "right"
		if i == len(machines)-1 {
			value = "wrong"
		}
		cluster.Self = cluster.Members[i].ID
		writeDifferingData(t, m.file("/var/lib/pando"), cluster, value)
		m.write("/etc/default/pando", strings.Join([]string{
			"ETCD_NAME=" + m.member.Name,
			"ETCD_DATA_DIR=" + m.file("/var/lib/pando"),
			"ETCD_LISTEN_CLIENT_URLS=" + m.member.ClientURL(), "ETCD_ADVERTISE_CLIENT_URLS=" + m.member.ClientURL(),
			"ETCD_LISTEN_PEER_URLS=" + m.member.PeerURL(), "ETCD_INITIAL_ADVERTISE_PEER_URLS=" + m.member.PeerURL(),
			"ETCD_INITIAL_CLUSTER=" + servertest.InitialCluster(initial),
			"ETCD_INITIAL_CLUSTER_STATE=new",
			"PANDO_CONSISTENCY_CHECK_INTERVAL=500",
		}, "\n")+"\n")
		m.systemctl("start", "pando")
	}
	for _, m := range machines {
		servertest.Await(t, "the line of the log about the difference", func() bool {
			return strings.Contains(m.services["pando"].Stderr.String(), "the members' data differs")
		})
	}
}

// writeDifferingData makes the data of a member of the cluster, with a value of the key /config/app.
func writeDifferingData(t *testing.T, dir string, cluster members.Cluster, value string) {
	t.Helper()
	store := tree.New(1000)
	store.Apply(1, []tree.Command{
		{Op: tree.OpSet, Path: "/config/other", Value: "x"},
		{Op: tree.OpSet, Path: "/config/app", Value: value},
	})
	founding, err := offline.ImportedMember(cluster, 77, sha256.Sum256([]byte("the same on all members")))
	if err != nil {
		t.Fatal(err)
	}
	err = storage.Import(storage.Options{DataDir: dir, HistorySize: 1000}, storage.Imported{Store: store, Applied: 10, Term: 1}, founding)
	if err != nil {
		t.Fatal(err)
	}
}
