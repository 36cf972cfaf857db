// Package offline is what is done to the data of a member that is not running: a copy of it as a cluster of its own
// (Backup), a member from a snapshot (RestoredMember), a member made the only one of its cluster (ForceNewCluster), and a
// log entry passed over that no version can apply (SkipLogEntry).
//
// Its functions are called before the member starts, from one goroutine. Only Backup may read beside a running member.
package offline
