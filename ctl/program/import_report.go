package program

import (
	"fmt"
	"io"
	"time"

	"pando/members"
	"pando/storage/etcdv2"
	"pando/tree"
)

// printReport prints what import-etcd has found.
func printReport(w io.Writer, found *etcdv2.Imported) error {
	r := &found.Report
	from := "the log alone"
	if r.Snapshot != "" {
		from = r.Snapshot + " and the log after it"
	}
	head := fmt.Sprintf("read from      %s (%d entries)\nversion        %s\ncluster ID     %s\n",
		from, r.Entries, orUnknown(r.ClusterVersion), keptID(r))
	content := reportedContent(r, found.Store.View(), found.Applied, found.Term)
	if found.Store.View().Mirror() != nil {
		content += "note: the new cluster follows the old one: it takes no writes until pando migrate switch\n"
	}
	_, err := io.WriteString(w, head+content+"note: the members of the old cluster were left out: the new cluster has its own\n")
	return err
}

// printExportReport prints what export-etcd has found.
func printExportReport(w io.Writer, from string, x *etcdv2.Export, r *etcdv2.Report) error {
	content := reportedContent(r, x.Store.View(), x.Applied, x.Term)
	_, err := fmt.Fprintf(w, "read from      %s\ncluster ID     %s\n%s", from, members.ID(x.ClusterID), content)
	return err
}

// reportedContent returns the lines about the content, which are the same for the same state in etcd and in Pando, and the notes.
func reportedContent(r *etcdv2.Report, v *tree.View, applied, term uint64) string {
	auth := "disabled"
	if r.AuthEnabled {
		auth = "enabled"
	}
	history := "none"
	if r.Events > 0 {
		history = fmt.Sprintf("%d events, from index %d on", r.Events, r.OldestEvent)
	}
	text := fmt.Sprintf(`keys           %d
directories    %d
hidden         %d of the keys and directories
with a TTL     %d of the keys and directories
users, roles   %d, %d (auth is %s)
history        %s
index          %d (raft index %d, term %d)
digest         %x
`, r.Keys, r.Directories, r.Hidden, r.TTLs, r.Users, r.Roles, auth, history, r.Index, applied, term, r.Digest)
	if due := v.NextExpiry(); due != 0 {
		text += fmt.Sprintf("first expiry   %s\n", time.Unix(0, due).UTC().Format(time.RFC3339))
	}
	for _, note := range r.Notes {
		text += "note: " + note + "\n"
	}
	return text
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
