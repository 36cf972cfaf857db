// Package transport carries raft messages between the members of a cluster.
//
// Each member keeps one long HTTP request open to each of its peers and writes
// its messages into the body, framed by their length; nothing comes back but
// the status, when the stream ends or is refused. So a pair of members has two
// streams, one for each direction. A snapshot takes a request of its own.
//
// Send never blocks: every peer has a bounded queue, and what does not fit is
// dropped and reported, which raft is made for. Both ends check the cluster,
// the peer's ID and the protocol's version before a message passes.
//
// All exported methods may be called from any goroutine. The functions in
// Config are called from the transport's goroutines and must not block for
// long.
package transport
