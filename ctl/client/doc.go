// Package client talks to a cluster that speaks the etcd v2 HTTP API: Pando, or etcd with --enable-v2.
//
// New makes a Client from the URLs of some members. Each method is one operation. It sends its request to the members in
// turn, until one of them responds:
//
//	urls, err := client.ParseEndpoints("10.0.0.1:2379,10.0.0.2:2379")
//	c := client.New(client.Config{Endpoints: urls, HeaderTimeout: 2 * time.Second})
//	event, err := c.Get(ctx, "/message", client.GetOptions{})
//
// Any goroutine may call the methods of a Client at any time, except for Sync. A Watcher belongs to one goroutine. A Client
// starts no goroutines. It keeps idle connections.
//
// Invariants:
//   - If a member may have executed a request, the request is sent to another member only if it is repeatable: a second
//     execution changes nothing.
//   - If no byte of a request was sent, the request is sent to the next member in any case.
//   - After a member has accepted a watch, its Watcher returns every change from its index on, once and in order, until it
//     returns an error.
//   - The error for a member that does not respond in time names the member.
//
// Errors: if a member refuses a request about keys, the error is an *APIError with one of the codes of package tree. If it refuses
// another request, the error is a *StatusError. If no member responds, the error is a *ClusterError with the error of each
// member. If the context ends, the error is that of the context. The texts are those of etcdctl v2 (the legacy client), because
// scripts look for them.
//
// The files:
//   - client.go: Config, Client, and the order in which requests go to the members
//   - request.go: one HTTP exchange with one member
//   - deadline.go: the time limits of an exchange
//   - endpoints.go, tls.go: URLs and certificates from flags and files
//   - dial.go: connections, also with TLS and to unix sockets
//   - keys.go, pages.go (lists of any size), members.go, users.go, status.go,
//     metrics.go, raw.go, snapshot.go, mirror.go: the operations
//   - watch.go, backoff.go: Watcher, and the pauses between its attempts
//   - stream.go, history.go: the changes on one connection, and the changes that a member still has from before
//   - errors.go, explain.go: the errors, and advice about them
package client
