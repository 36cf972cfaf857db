// Package proxy passes requests of clients on to the members of a cluster. A process that runs it is not a member. It stores no data
// except the peer URLs of the cluster, so that it finds the cluster again after a restart even if the flags are out of date. In
// comments "the reference" is etcd 3.4.23.
//
// The proxy reads the client URLs of the members from /members on a peer URL, at intervals and when a member fails. All requests of
// one client host go to the same member as long as that member responds. Followers apply a write later than the leader, so a client
// whose requests went to different members might not see its own writes. A hash with a random seed for each proxy distributes the
// client hosts over the members.
//
// A member that fails gets no requests for a while. The proxy repeats a read on the next member. It repeats a write only if it has
// sent no byte of it: otherwise the write might be applied twice.
//
// Connections to https client URLs use the certificate of the proxy, if it has one. Members must not take this certificate for the
// user of a request. So the proxy adds the header Via to each request, and passes Authorization on unchanged.
//
// The handlers may be called from any goroutine. Run must be called once.
//
//   - proxy.go: Config, the handlers, and the answers of the proxy itself
//   - probes.go: /livez and /readyz, which the proxy answers itself
//   - endpoints.go: the members' client URLs, and which of them are excluded
//   - refresh.go: reading the list of members, and the file with the peer URLs
//   - failover.go: choosing the members for a request
//   - attempt.go: one request to one member
//   - forwarder.go: Forwarder, with which a member sends single requests to the members of another cluster
//   - transport.go: the connections to members
//   - watch.go: the end of a watch whose member goes away
//   - grpc.go: requests of gRPC; grpc_conns.go: the connections of gRPC to members; grpc_gzip.go: compressed messages
//   - body.go: time limits on the bodies that clients send
package proxy
