package program

import (
	"fmt"
	"io"
	"time"

	"pando/members"
	"pando/storage/etcdv2"
)

// printReport prints what was found.
func printReport(w io.Writer, found *etcdv2.Imported) error {
	r := &found.Report
	auth := "disabled"
	if r.AuthEnabled {
		auth = "enabled"
	}
	from := "the log alone"
	if r.Snapshot != "" {
		from = r.Snapshot + " and the log after it"
	}
	history := "none"
	if r.Events > 0 {
		history = fmt.Sprintf("%d events, from index %d on", r.Events, r.OldestEvent)
	}
	text := fmt.Sprintf(`read from      %s (%d entries)
version        %s
cluster ID     %s
keys           %d
directories    %d
hidden         %d of the keys and directories
with a TTL     %d of the keys and directories
users, roles   %d, %d (auth is %s)
history        %s
index          %d (raft index %d, term %d)
digest         %x
`, from, r.Entries, orUnknown(r.ClusterVersion), keptID(r), r.Keys, r.Directories, r.Hidden, r.TTLs, r.Users, r.Roles, auth,
		history, r.Index, found.Applied, found.Term, r.Digest)
	following := found.Store.View().Mirror() != nil
	if due := found.Store.View().NextExpiry(); due != 0 && !following {
		text += fmt.Sprintf("first expiry   %s\n", time.Unix(0, due).UTC().Format(time.RFC3339))
	}
	for _, note := range r.Notes {
		text += "note: " + note + "\n"
	}
	if following {
		text += "note: the new cluster follows the old one: it takes no writes until pando migrate switch\n"
	}
	text += "note: the members of the old cluster were left out: the new cluster has its own\n"
	_, err := io.WriteString(w, text)
	return err
}

// keptID returns the ID of the cluster, which the new cluster keeps.
func keptID(r *etcdv2.Report) string {
	if r.ClusterID == 0 {
		return "not known; the new cluster gets another"
	}
	return members.ID(r.ClusterID).String()
}

func orUnknown(version string) string {
	if version == "" {
		return "not decided"
	}
	return "etcd " + version
}
