// Package service performs the operations of the API on one member, for any protocol. Packages that decode a protocol call it.
// Today that is httpapi/v2 only.
//
// A [Service] uses the replicated log, the published tree and the members. It decides what a read must wait for, when a member is
// ready, which changes may enter the log, and which operation the metrics count. It does not depend on HTTP. A request for a
// user will be authorized here, at the beginning of each operation.
//
// All methods may be called from any number of goroutines. Reads use a published view of the tree and take no lock. Errors
// are values: *tree.Error, the sentinels of this package, or those of package members.
//
//   - service.go: the parts that a Service is made of, and the interfaces that it needs of them
//   - keys.go: reading and changing keys
//   - watch.go: beginning a watch
//   - members.go: reading and changing the membership
//   - snapshot.go: the member's state as a file
//   - ready.go: waiting until the member is ready, and its health
//   - operation.go: the metrics' names of operations
//   - stats.go: the counters behind /v2/stats
package service
