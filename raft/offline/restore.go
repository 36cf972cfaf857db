package offline

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"pando/members"
	"pando/storage"
)

// RestoredMember returns the founding of a member that is restored from the snapshot file of info: its identity, and the
// members of the new cluster.
func RestoredMember(cluster members.Cluster, info *storage.SnapshotInfo) (storage.Founding, error) {
	return foundingOf(cluster, derivedID(cluster.ID, info.SHA256), members.Unfounded)
}

// ImportedMember returns the founding of a member whose state with this digest was imported from a cluster of etcd: its identity, and
// the members of the new cluster. The new cluster keeps the ID of the old one, because some clients take another ID for an error.
// Zero means that the ID is not known. The founding ID keeps members apart that were imported from other states.
func ImportedMember(cluster members.Cluster, old members.ID, digest [sha256.Size]byte) (storage.Founding, error) {
	derived := derivedID(cluster.ID, digest)
	if old == 0 {
		return foundingOf(cluster, derived, members.Unfounded)
	}
	return foundingOf(cluster, old, max(derived, members.Unfounded+1))
}

// foundingOf returns the founding of the member cluster.Self, with the IDs of the new cluster.
func foundingOf(cluster members.Cluster, id, founding members.ID) (storage.Founding, error) {
	registry := members.NewRegistry(id)
	registry.SetFounding(founding)
	f := storage.Founding{Identity: storage.Identity{ClusterID: uint64(id), MemberID: uint64(cluster.Self)}}
	for _, m := range cluster.Members {
		if err := registry.Add(m); err != nil {
			return storage.Founding{}, fmt.Errorf("--initial-cluster: %s: %w", m.Name, err)
		}
		f.Voters = append(f.Voters, uint64(m.ID))
	}
	f.Members = registry.Marshal()
	return f, nil
}

// derivedID computes an ID of a new cluster from its members and the state from which it begins. So it differs from the ID of the
// old cluster, even with the same flags, and from that of a cluster that began from another state. Members of these clusters have
// other keys at the same indexes, and the IDs keep them apart.
func derivedID(founders members.ID, state [sha256.Size]byte) members.ID {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(state[:], uint64(founders)))
	return members.ID(binary.BigEndian.Uint64(sum[:]))
}
