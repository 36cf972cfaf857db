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

// ForceNewCluster carries out --force-new-cluster on the data of a member that is not started yet. Another member that
// answers is a reason to refuse: two clusters would go on from the same data, and a flag that was left in a script
// would throw out members that were added since. After an error the disk is closed.
func ForceNewCluster(ctx context.Context, disk *storage.Disk, recovered *storage.Recovered, client *http.Client, log *zap.Logger) error {
	err := refuseAlive(ctx, recovered, client)
	var removed []members.Member
	if err == nil {
		removed, err = raft.ForceNewCluster(disk, recovered)
	}
	if errors.Is(err, raft.ErrNotMember) {
		err = errors.New("--force-new-cluster: this member has not got anything of its cluster yet: use the data of another one, or a snapshot")
	}
	if err != nil {
		return errors.Join(err, disk.Close())
	}
	if len(removed) == 0 {
		log.Warn("--force-new-cluster: this member is alone already; take the flag away")
		return nil
	}
	log.Warn("--force-new-cluster: this member is the only one of its cluster now; take the flag away, then add new members with empty data directories",
		zap.Strings("removed", describeMembers(removed)))
	return nil
}

// SkipLogEntry carries out --skip-log-entry on the data of a member that is not started yet; the zero value asks for
// nothing.
func SkipLogEntry(recovered *storage.Recovered, id raft.EntryID, log *zap.Logger) error {
	if id == (raft.EntryID{}) {
		return nil
	}
	skipped, err := raft.SkipEntry(recovered, id)
	switch {
	case err != nil:
		return fmt.Errorf("--skip-log-entry: %w; take the flag away", err)
	case skipped:
		log.Warn("--skip-log-entry: the entry is passed over; take the flag away at the next start", zap.Stringer("entry", id))
	default:
		log.Warn("--skip-log-entry: there is no such entry behind this member's last checkpoint; take the flag away", zap.Stringer("entry", id))
	}
	return nil
}

// ErrOtherRuns refuses --force-new-cluster.
var ErrOtherRuns = errors.New("another member of the cluster is running")

func refuseAlive(ctx context.Context, recovered *storage.Recovered, client *http.Client) error {
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
	for url, remote := range answers {
		if remote.ClusterID == members.ID(recovered.Identity.ClusterID) {
			return fmt.Errorf("--force-new-cluster: %w at %s, and the two would go on apart; "+
				"stop it if the cluster can't be saved, or start this one without the flag", ErrOtherRuns, url)
		}
	}
	return nil
}

// NothingToForce refuses the flag where it has nothing to work on: a new, empty cluster would look like a rescue.
func NothingToForce(dataDir string) error {
	return fmt.Errorf("--force-new-cluster: %s holds no data of a member; check --data-dir, or take the flag away to start a new cluster", dataDir)
}

func describeMembers(list []members.Member) []string {
	var all []string
	for _, m := range list {
		all = append(all, fmt.Sprintf("%s %s %s", m.ID, m.Name, strings.Join(m.PeerURLs, ",")))
	}
	return all
}
