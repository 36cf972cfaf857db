package offline

import (
	"crypto/sha256"
	"testing"

	"pando/members"
)

// TestImportedMember checks which IDs a cluster has that begins with the state of etcd.
func TestImportedMember(t *testing.T) {
	m := members.NewBootstrapMember("m1", []string{"http://127.0.0.1:2380"}, "")
	cluster := members.Cluster{ID: 17, Self: m.ID, Members: []members.Member{m}}
	imported := func(old members.ID, state string) (id, founding members.ID) {
		t.Helper()
		f, err := ImportedMember(cluster, old, sha256.Sum256([]byte(state)))
		if err != nil {
			t.Fatal(err)
		}
		registry := members.NewRegistry(members.ID(f.Identity.ClusterID))
		if err := registry.Unmarshal(f.Members); err != nil {
			t.Fatal(err)
		}
		return registry.ClusterID(), registry.Founding()
	}
	id, founding := imported(99, "one")
	if id != 99 || founding <= members.Unfounded {
		t.Errorf("cluster %s with founding ID %s, want cluster 99 with a founding ID", id, founding)
	}
	if again, same := imported(99, "one"); again != id || same != founding {
		t.Error("the same state gives other IDs the second time")
	}
	if _, other := imported(99, "two"); other == founding {
		t.Error("members that were imported from two states have one founding ID")
	}
	one, founding := imported(0, "one")
	if founding != members.Unfounded {
		t.Errorf("without a known ID: founding ID %s", founding)
	}
	if two, _ := imported(0, "two"); one == two || one == cluster.ID {
		t.Errorf("without a known ID: clusters %s and %s", one, two)
	}
}
