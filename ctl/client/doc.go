// Package client talks to a cluster that speaks the etcd v2 HTTP API: Pando, or etcd with --enable-v2.
//
// New makes a Client from the URLs of some members. Each method is one operation; it sends one request to one member after
// the other until one of them answers:
//
//	urls, err := client.ParseEndpoints("10.0.0.1:2379,10.0.0.2:2379")
//	c := client.New(client.Config{Endpoints: urls, HeaderTimeout: 2 * time.Second})
//	event, err := c.Get(ctx, "/message", client.GetOptions{})
//
// A Client may be used by many goroutines at once, except for Sync. A Watcher belongs to one goroutine. Nothing is kept
// after the last call has returned, except for idle connections.
//
// Invariants:
//   - A request that a member may have carried out is sent to another member only if a second execution changes nothing.
//   - A request that never left this machine is sent to the next member in any case.
//   - A Watcher that the cluster has accepted once returns every change after its index, once and in order, until it
//     returns an error.
//   - A member that does not answer in time is an error that names the member.
//
// Errors: a cluster that refuses gives an *APIError with one of the codes of package tree; a cluster that does not answer
// gives a *ClusterError with the error of each member; a context that ends gives the error of the context. Their texts
// are those of the legacy client, because scripts look for them.
//
// The files:
//   - client.go: Config, Client, and the order in which members are asked
//   - request.go: one HTTP exchange with one member
//   - deadline.go: the time limits of an exchange
//   - endpoints.go, tls.go: URLs and certificates as users write them
//   - keys.go, members.go, status.go, snapshot.go: the operations
//   - watch.go: Watcher
//   - errors.go: the errors
package client
