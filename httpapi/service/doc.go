// Package service performs the operations of the API on one member, for any protocol. The packages that decode a protocol call it;
// the only one today is httpapi/v2.
//
// A [Service] uses the replicated log, the published tree and the members. It decides what a read must wait for, when a member is
// ready, which changes may enter the log, and which operation the metrics count. It does not depend on HTTP. The authorization of
// users, which does not exist yet, belongs at the beginning of each operation.
//
// All methods may be called from any number of goroutines. Reads use a published view of the tree and take no lock. Errors
// are values: *tree.Error, the sentinels of this package, or those of package members.
//
//   - service.go: Config and Service, and the interfaces that they need of other packages
//   - keys.go: reading and changing keys
//   - watch.go: beginning a watch
//   - members.go: reading and changing the membership
//   - snapshot.go: the member's state as a file
//   - ready.go: waiting until the member is ready, and its health
//   - operation.go: the operations that the metrics count
//   - stats.go: the counters behind /v2/stats
package service
