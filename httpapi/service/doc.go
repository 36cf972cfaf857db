// Package service performs the operations of both APIs on one member. The packages that decode a protocol call it: httpapi/v2 and
// httpapi/v3.
//
// A [Service] uses the replicated log, the published tree and the members. It decides what a read must wait for, when a member is
// ready, which changes may enter the log, and which operation the metrics count. It does not depend on HTTP.
//
// # Authorization
//
// Every operation that is not public takes the credentials of its request. While auth is enabled, it identifies the sender and checks
// its right to the operation, with the users in the view of the tree from which the operation reads. A command carries the revision of
// the users with which it was authorized. If the users have another revision when the command is applied, the command is not executed,
// and the service authorizes the sender again. A watch checks its right again after each change of users. So a change of rights has
// effect on every operation from the index at which it is applied, on every member. A sender without the right gets the same error as
// a sender with bad credentials.
//
// A request of the v3 API has no guest behind it: it must prove a user. Its credentials have auth.Credentials.V3, and all operations then
// return the errors of that API. Both APIs have the same users and roles, so a right holds for a key in both.
//
// While auth is disabled, the authorization costs one atomic load and no allocation.
//
// All methods may be called from any number of goroutines. Reads use a published view of the tree and take no lock. Errors
// are values: *tree.Error, the sentinels of this package, or those of package members.
//
//   - service.go: Config and Service, and the interfaces that they need of other packages
//   - authorize.go: identifying the sender of a request, and checking its rights
//   - authorize_v3.go: the same for the v3 API: tokens, and rights to ranges of keys
//   - keys.go: reading and changing keys
//   - txn.go: transactions; quota.go: the check of the quota before a write
//   - kv.go: reading and changing keys for the v3 API; lease.go: leases
//   - pinned.go: pinned views, for lists of several requests; pinned_revisions.go: readers of
//     earlier revisions, for lists of the v3 API
//   - watch.go: beginning a watch, and ending it when its user loses the right; key_watch.go: the same for the v3 API
//   - members.go: reading and changing the membership
//   - users.go: reading and changing users, roles and the auth switch; identity.go: the user and the rights of a sender
//   - users_v3.go: the same for the v3 API; login.go: tokens for names and passwords
//   - forward.go: operations while the cluster follows a running etcd; mirror.go: the state of that, and its changes
//   - snapshot.go: the state of the member as a file; backend.go: the same in the format of etcd's v3 data, and hashes
//   - audit.go: the records of operations for the audit log
//   - ready.go: waiting until the member is ready, and its health
//   - checks.go: the checks of /readyz
//   - operation.go: the operations that the metrics count
//   - stats.go: the counters behind /v2/stats; status.go: the state of the member for the v3 API
package service
