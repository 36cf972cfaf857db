// Package offline has the commands on the data of a member that does not run: Backup copies the data of a member as a new
// cluster of one member, RestoredMember prepares a member from a snapshot and ImportedMember one from the data of etcd,
// ForceNewCluster removes all other members of the cluster, and SkipLogEntry skips a log entry that no version can apply.
//
// Callers must call these functions before the member starts, from one goroutine. Only Backup may read the data of a running
// member.
package offline
