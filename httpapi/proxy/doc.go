// Package proxy passes requests of clients on to the members of a cluster. The process that runs it is not a member. It
// keeps no data except the peer URLs of the cluster, so that it finds the cluster again after a restart even if the flags are
// out of date.
//
// The client URLs of the members are read from /members on a peer URL, at intervals and when a member fails. All requests of
// one client host go to the same member as long as that member answers. Followers apply a write later than the leader, so a
// client whose requests went to different members would not see its own writes. The members are distributed over the client
// hosts by a hash with a seed that each proxy chooses.
//
// A member that can't be reached gets no requests for a while. A read is then tried on the next member. A write is tried on the
// next member only if nothing of it was sent to the first: otherwise it might be applied twice.
//
// The handlers may be called from any goroutine. Run must be called once.
//
//   - proxy.go: Config, the handlers, and the answers of the proxy itself
//   - endpoints.go: the members' client URLs, and which of them fail
//   - refresh.go: reading the list of members, and the file with the peer URLs
//   - failover.go: choosing the members for a request
//   - attempt.go: one request to one member
//   - transport.go: the connections to members
//   - watch.go: the end of a watch whose member goes away
//   - body.go: time limits on the bodies that clients send
package proxy
