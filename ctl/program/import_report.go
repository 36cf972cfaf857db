package program

import (
	"fmt"
	"io"
	"strings"
	"time"

	"pando/members"
	"pando/storage/etcdv2"
	"pando/tree"
)

// printReport prints what import-etcd has found.
func printReport(w io.Writer, found *etcdv2.Imported) error {
	r := &found.Report
	head := fmt.Sprintf("read from      %s\nversion        %s\ncluster ID     %s\n",
		readFrom(r), orUnknown(r.ClusterVersion), keptID(r))
	content := reportedContent(r, found.Store.View(), found.Applied, found.Term)
	if found.Store.View().Mirror() != nil {
		content += "note: the new cluster follows the old one: it takes no writes until pando migrate switch\n"
	}
	_, err := io.WriteString(w, head+content+"note: the members of the old cluster were left out: the new cluster has its own\n")
	return err
}

// readFrom returns the files that were used.
func readFrom(r *etcdv2.Report) string {
	var from []string
	if r.V3 != nil {
		from = append(from, fmt.Sprintf("%s (%d changes)", r.V3.File, r.V3.Changes))
	}
	switch {
	case r.Snapshot != "" && r.HasV2:
		from = append(from, fmt.Sprintf("%s and the log after it (%d entries)", r.Snapshot, r.Entries))
	case r.HasV2:
		from = append(from, fmt.Sprintf("the log alone (%d entries)", r.Entries))
	case r.V3.Requests > 0:
		from = append(from, fmt.Sprintf("the log after it (%d requests)", r.V3.Requests))
	}
	return strings.Join(from, ", ")
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
	var text string
	if r.HasV2 {
		text = fmt.Sprintf(`keys           %d
directories    %d
hidden         %d of the keys and directories
with a TTL     %d of the keys and directories
`, r.Keys, r.Directories, r.Hidden, r.TTLs)
	}
	if r.V3 != nil {
		text += reportedKeys(r)
	}
	text += fmt.Sprintf("users, roles   %d, %d (auth is %s)\n", r.Users, r.Roles, auth)
	if r.HasV2 {
		text += "history        " + history + "\n"
	}
	text += fmt.Sprintf(`index          %d (raft index %d, term %d)
digest         %x
`, r.Index, applied, term, r.Digest)
	if due := v.NextExpiry(); due != 0 {
		text += fmt.Sprintf("first expiry   %s\n", time.Unix(0, due).UTC().Format(time.RFC3339))
	}
	for _, note := range r.Notes {
		text += "note: " + note + "\n"
	}
	return text
}

// reportedKeys returns the lines about the data of v3. Their number of keys includes the keys of v2 if these are in the same tree.
func reportedKeys(r *etcdv2.Report) string {
	k, beside, compacted := r.V3, "", "never compacted"
	if r.HasV2 {
		beside = ", with those of v2"
	}
	if k.Compacted > 0 {
		compacted = fmt.Sprintf("compacted at %d", k.Compacted)
	}
	return fmt.Sprintf(`v3 keys        %d%s
v3 revision    %d (%s)
v3 leases      %d, with %d keys
`, k.Keys, beside, k.Revision, compacted, k.Leases, k.LeasedKeys)
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
