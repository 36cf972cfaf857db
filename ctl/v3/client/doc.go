// Package client is a gRPC client of the etcd v3 API, for the commands of pando ctl. It works with every server of that API.
//
// A Client may be used from any goroutine. Its fields KV, Lease and so on are the generated clients of the services; calls through them
// get the token of the user, and calls that only read are repeated at another endpoint when a member goes away. What needs more than one
// call has a type of its own: Watcher, Session and Contender.
//
// Invariants:
//   - A call that changes something is sent at most once, unless the member has refused it before it was executed.
//   - A Watcher delivers every event once and in the order of revisions, also over lost connections. When the history that it needs has
//     been compacted, it delivers the response that says so.
//   - Errors of the API are rpctypes.EtcdError, with the text of etcd. At the end of a time limit the error is that of the context.
//
// The files:
//   - client.go, endpoints.go, credentials.go: from a Config to a connection over several endpoints, plain or TLS
//   - call.go, token.go: what every call goes through: waiting, repeating, the token of the user
//   - errors.go: the errors of calls
//   - watch.go, keepalive.go, snapshot.go: streams
//   - session.go, election.go: the lease of a lock or an election, and its queue
package client
