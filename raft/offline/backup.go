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

// backupPeerURL is what a member made from a backup is known by when its data names no peer URL; as the reference's.
const backupPeerURL = "http://localhost:2380"

// Backup is the client's backup command: it makes the data of a new member, alone in a new cluster, from the
// files of a member that may be running. Nobody of the old cluster takes the new member for one of theirs.
func Backup(ctx context.Context, source, target storage.Options) (string, error) {
	if _, err := storage.Exists(target); err != nil {
		return "", fmt.Errorf("--backup-dir %s can't be used: %w", target.DataDir, err)
	}
	self, cluster := randomID(), randomID()
	r, err := storage.Backup(ctx, source, target,
		func(r *storage.Recovered) (storage.Founding, error) {
			return raft.Detach(r, cluster, backedUp(r, self))
		})
	switch {
	case errors.Is(err, storage.ErrForeign) && isEtcd(source.DataDir):
		return "", fmt.Errorf("%s holds the data of an etcd, which backup can't read: while that etcd runs, "+
			"copy its keys into a Pando with: pando ctl --endpoints URL import --from URL-OF-ETCD", source.DataDir)
	case errors.Is(err, storage.ErrNoData):
		return "", fmt.Errorf("%w: check --data-dir", err)
	case errors.Is(err, storage.ErrExists):
		return "", fmt.Errorf("%w: choose another --backup-dir", err)
	case errors.Is(err, raft.ErrNotMember):
		return "", errors.New("this member has not got anything of its cluster yet: back up another one")
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

// backedUp is the member that the backup becomes. It keeps the peer URLs, under which no member of the old cluster would
// talk to it: its cluster is another.
func backedUp(r *storage.Recovered, id members.ID) members.Member {
	self := members.Member{ID: id, PeerURLs: []string{backupPeerURL}}
	list, err := raft.LastMembers(r)
	if err != nil {
		return self // Detach, which reads the same, tells it where it matters
	}
	for _, m := range list {
		if m.ID == members.ID(r.Identity.MemberID) {
			self.Name, self.PeerURLs = m.Name, m.PeerURLs
		}
	}
	return self
}

// isEtcd says whether a directory is laid out as etcd does it.
func isEtcd(dataDir string) bool {
	_, err := os.Stat(filepath.Join(dataDir, "member"))
	return err == nil
}

// randomID is an ID that nobody else has.
func randomID() members.ID {
	var b [8]byte
	rand.Read(b[:])
	return members.ID(binary.BigEndian.Uint64(b[:]))
}
