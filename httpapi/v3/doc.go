// Package v3 serves the v3 API of etcd on a member: it decodes requests of gRPC, calls package service, and encodes the results. The
// messages are those of go.etcd.io/etcd/api/v3, the errors those of its package rpctypes: clients compare both their codes and their texts.
// In comments "the reference" is etcd 3.7.3.
//
// # Methods
//
// Each service of the API is a table of methods in a file of its own. A method gets the generated type of its request, which it may keep,
// and returns a generated message, or a [rpc.Message] that appends its own wire form from the nodes of the tree. It runs on the goroutine
// that reads the connection, until rpc.MayWait is called: method.go does that for all but the quick methods. It returns the errors of
// package service unchanged: the table in errors.go maps them to those of rpctypes. call.go does for every method what is common to all: it
// waits until the member is ready, applies limits and the metadata hasleader, counts, and recovers from a panic.
//
// A method with streams gets the context of its [Stream]. It must return when that context is done, which is also the case when the server
// stops and, for clients that ask for it, when the member has no leader for some time.
//
// All methods may be called from any number of goroutines.
//
//   - server.go: Config, Server: Serve, Shutdown
//   - method.go: the tables of methods, and how they become methods of a rpc.Server
//   - call.go: the steps before and after every method
//   - stream.go: streams, and their end without a leader
//   - errors.go: the table of errors
//   - sender.go: the credentials of the sender of a request
//   - gateway.go: the JSON gateway; gateway_stream.go: its streams
//   - header.go: the header of responses
//   - encode.go: the wire forms of files; kv.go: the service KV; kv_encode.go: its responses; range_stream.go: its method RangeStream
//   - watch.go: the service Watch: requests; watch_group.go: watches that have one cursor; watch_ready.go: those with events to send;
//     watch_send.go: sending them; watch_shared.go: one response for many watches; watch_encode.go: the wire forms of responses and events
//   - lease.go, auth.go: the services Lease and Auth
//   - queue.go: the keys of locks and elections; key_changes.go: waiting for changes of keys
//   - lock.go, election.go, election_observe.go: the services Lock and Election
//   - cluster.go: the service Cluster; health.go: the health service of gRPC
//   - maintenance.go: the service Maintenance; alarm.go, downgrade.go, snapshot.go: its methods with these names
package v3
