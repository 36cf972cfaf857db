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
	id := restoredClusterID(cluster.ID, info.SHA256)
	registry := members.NewRegistry(id)
	registry.SetFounding(members.Unfounded)
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

// restoredClusterID computes the ID of the new cluster from its members and the file. So it differs from the ID of the old
// cluster, even with the same flags, and from that of a cluster that was restored from another file. Members of these
// clusters have other keys at the same indexes, and the IDs keep them apart.
func restoredClusterID(founders members.ID, file [sha256.Size]byte) members.ID {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(file[:], uint64(founders)))
	return members.ID(binary.BigEndian.Uint64(sum[:]))
}
