package offline

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"pando/members"
	"pando/raft"
	"pando/storage"
)

// ForceNewCluster carries out --force-new-cluster on the data of a member that is not started yet. It refuses if another
// member answers: two clusters would continue from the same data, and a flag that was left in a script would remove members
// that were added since. After an error the disk is closed.
func ForceNewCluster(ctx context.Context, disk *storage.Disk, recovered *storage.Recovered, client *http.Client, log *zap.Logger) error {
	err := checkNoneRuns(ctx, recovered, client)
	var removed []members.Member
	if err == nil {
		removed, err = raft.ForceNewCluster(disk, recovered)
	}
	if errors.Is(err, raft.ErrNotMember) {
		err = errors.New("--force-new-cluster: this member has received no data of its cluster yet: " +
			"use the data of another member, or a snapshot")
	}
	if err != nil {
		return errors.Join(err, disk.Close())
	}
	if len(removed) == 0 {
		log.Warn("--force-new-cluster: this member was the only one of its cluster before; remove the flag")
		return nil
	}
	log.Warn("--force-new-cluster: this member is the only one of its cluster now; remove the flag, "+
		"then add new members with empty data directories", zap.Strings("removed", describeMembers(removed)))
	return nil
}

// SkipLogEntry carries out --skip-log-entry on the data of a member that is not started yet. It does nothing if id is the zero
// value.
func SkipLogEntry(recovered *storage.Recovered, id raft.EntryID, log *zap.Logger) error {
	if id == (raft.EntryID{}) {
		return nil
	}
	skipped, err := raft.SkipEntry(recovered, id)
	switch {
	case err != nil:
		return fmt.Errorf("--skip-log-entry: %w; remove the flag", err)
	case skipped:
		log.Warn("--skip-log-entry: the entry is skipped; remove the flag before the next start", zap.Stringer("entry", id))
	default:
		log.Warn("--skip-log-entry: there is no such entry after this member's last checkpoint; remove the flag", zap.Stringer("entry", id))
	}
	return nil
}

// ErrOtherRuns means that another member of the cluster is running, or that a server is running that may be one. --force-new-cluster is
// then refused.
var ErrOtherRuns = errors.New("another member of the cluster is running")

// checkNoneRuns returns ErrOtherRuns if another member of the cluster answers at one of its peer URLs.
func checkNoneRuns(ctx context.Context, recovered *storage.Recovered, client *http.Client) error {
	list, err := raft.LastMembers(recovered)
	if err != nil {
		return err
	}
	var urls []string
	for _, m := range list {
		if m.ID != members.ID(recovered.Identity.MemberID) {
			urls = append(urls, m.PeerURLs...)
		}
	}
	answers, err := members.AskAll(ctx, client, urls)
	if err != nil {
		return err
	}
	for url, err := range answers.Unverified {
		return fmt.Errorf("--force-new-cluster: perhaps %w: a server answers at %s, and one of the two certificates is not accepted: %w; "+
			"stop that server, or correct the certificates", ErrOtherRuns, url, err)
	}
	for url, remote := range answers.Remotes {
		if remote.ClusterID == members.ID(recovered.Identity.ClusterID) {
			return fmt.Errorf("--force-new-cluster: %w at %s, and the data of the two would differ from then on; "+
				"stop that member if the cluster can't be saved, or start this one without the flag", ErrOtherRuns, url)
		}
	}
	return nil
}

// NothingToForce returns the error for --force-new-cluster without a member's data. Without this error a wrong --data-dir
// would start a new, empty cluster.
func NothingToForce(dataDir string) error {
	return fmt.Errorf("--force-new-cluster: %s holds no data of a member; check --data-dir, "+
		"or remove the flag to start a new cluster", dataDir)
}

func describeMembers(list []members.Member) []string {
	var all []string
	for _, m := range list {
		all = append(all, fmt.Sprintf("%s %s %s", m.ID, m.Name, strings.Join(m.PeerURLs, ",")))
	}
	return all
}
