package offline

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"pando/members"
	"pando/storage"
)

// RestoredMember works out what the data directory says of the cluster, with the file as its beginning.
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

// restoredClusterID names the cluster by its members and the file. So a member of the old cluster that still runs,
// with the same flags, and one that was restored from another file are strangers to it: they would bring other
// keys under the same indexes.
func restoredClusterID(founders members.ID, file [sha256.Size]byte) members.ID {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(file[:], uint64(founders)))
	return members.ID(binary.BigEndian.Uint64(sum[:]))
}
