package offline

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"pando/members"
	"pando/raft"
	"pando/storage"
)

// backupPeerURL is the peer URL of a backup's member if the data names none. It is that of the reference.
const backupPeerURL = "http://localhost:2380"

// Backup makes the data of a new member in target from the files of a member in source, which may be running. The new member
// is the only one of a new cluster, so members of the old cluster refuse it. Backup returns a message for the operator.
func Backup(ctx context.Context, source, target storage.Options) (string, error) {
	if _, err := storage.Exists(target); err != nil {
		return "", fmt.Errorf("--backup-dir %s can't be used: %w", target.DataDir, err)
	}
	self, cluster := randomID(), randomID()
	r, err := storage.Backup(ctx, source, target,
		func(r *storage.Recovered) (storage.Founding, error) {
			return raft.Detach(r, cluster, backupMember(r, self))
		})
	switch {
	case errors.Is(err, storage.ErrForeign) && isEtcd(source.DataDir):
		return "", fmt.Errorf("%s holds the data of etcd, which backup can't read: make a data directory of Pando from it with: "+
			"pando import-etcd %s --data-dir NEW", source.DataDir, source.DataDir)
	case errors.Is(err, storage.ErrNoData):
		return "", fmt.Errorf("%w: check --data-dir", err)
	case errors.Is(err, storage.ErrExists):
		return "", fmt.Errorf("%w: choose another --backup-dir", err)
	case errors.Is(err, raft.ErrNotMember):
		return "", errors.New("this member has received no data of its cluster yet: back up another member")
	case err != nil:
		return "", err
	}
	start := "pando --data-dir " + target.DataDir
	if target.WALDir != "" {
		start += " --wal-dir " + target.WALDir
	}
	return fmt.Sprintf("backed up member %s up to raft index %d as member %s of the new cluster %s; start it with: %s --force-new-cluster",
		members.ID(r.Identity.MemberID), r.HardState.GetCommit(), self, cluster, start), nil
}

// backupMember returns the member of the new cluster. It keeps the name and the peer URLs of the old member. Members of the
// old cluster refuse it at these URLs, because its cluster ID is another.
func backupMember(r *storage.Recovered, id members.ID) members.Member {
	self := members.Member{ID: id, PeerURLs: []string{backupPeerURL}}
	list, err := raft.LastMembers(r)
	if err != nil {
		return self // Detach returns this error if the entry matters
	}
	for _, m := range list {
		if m.ID == members.ID(r.Identity.MemberID) {
			self.Name, self.PeerURLs = m.Name, m.PeerURLs
		}
	}
	return self
}

// isEtcd reports whether a directory has the layout of etcd's data directory.
func isEtcd(dataDir string) bool {
	_, err := os.Stat(filepath.Join(dataDir, "member"))
	return err == nil
}

// randomID returns a random ID.
func randomID() members.ID {
	var b [8]byte
	rand.Read(b[:])
	return members.ID(binary.BigEndian.Uint64(b[:]))
}
