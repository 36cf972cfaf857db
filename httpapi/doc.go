// Package httpapi serves the etcd v2 HTTP API: keys, members, stats and the
// small endpoints beside them.
//
// It parses requests into tree commands, hands them to the replicated log
// through the small interface [Log], and writes answers whose bytes, statuses
// and headers are those that v2 clients have always seen. It knows nothing of
// raft or the disk.
//
// A handler may be called from any number of goroutines. Reads take a
// published view of the tree and no lock.
package httpapi
