// Package servertest starts real servers in tests, as net/http/httptest does for handlers. A server is a process of
// Pando or of etcd, the reference. To run Pando, the test binary starts itself again (see Main). Both programs are
// started by functions of the type Launcher, so a test can run the same cluster with either program.
//
// A package whose tests start the test binary as Pando must have a TestMain that calls Main. Functions that take a
// testing.TB report failures to it, and must be called from the goroutine of the test. The processes that they start are
// killed when the test ends.
//
//	main.go     Main, and the programs that tests require
//	update.go   the flag -update
//	process.go  Process: starting, signalling and ending a process; Await
//	inspect.go  memory, open files, goroutines and raft state of a running Process
//	member.go   Member: addresses and data directory of a member; starting Pando or etcd as this member
//	pki.go      PKI: a CA and certificates for TLS
//	cluster.go  starting clusters of Pando, and waiting until they serve
//	single.go   clusters of one member, for suites that compare both programs
//	keys.go     KeyClient: requests under /v2/keys; Itoa, Atoi
//	slow.go     an HTTP server that responds slowly
//	raw.go      requests that are written to a connection without net/http
//	text.go     Markdown pages and files of the repository
package servertest
