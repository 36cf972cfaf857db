package raft

import "go.etcd.io/etcd/server/v3/storage/wal"

// Each start of a member allocates a segment of the log and reads the last one to its end. With segments of 64 MB that
// would take more time than anything else in these tests.
func init() { wal.SegmentSizeBytes = 1 << 20 }
