// Package servertest starts real servers in tests, as net/http/httptest does for handlers. A server is a process of
// Pando, whose program is the test binary itself, or of etcd, the reference. Both have the same launchers, so a test
// can run the same cluster with either program.
//
// A package that uses servertest passes its TestMain to Main. Functions that take a testing.TB report failures to it,
// and must be called from the goroutine of the test. Every process that they start is killed when the test ends.
//
//	main.go     Main, and the programs that tests require
//	process.go  Process: start, signals, end
//	inspect.go  what a running Process tells: memory, open files, goroutines, raft state
//	member.go   Member: addresses and data directory; starting Pando and etcd there
//	cluster.go  clusters, and waiting until they agree
//	single.go   a cluster of one with known IDs, for suites that compare both programs
//	keys.go     KeyClient: requests under /v2/keys
//	raw.go      bytes on a connection
//	text.go     Markdown pages and files
package servertest
