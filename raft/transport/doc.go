// Package transport carries raft messages between the members of a cluster.
//
// Each member keeps one connection open to each of its peers. It begins as an
// HTTP request that asks to switch protocols; from the answer on it carries
// messages, framed by their length, and nothing comes back. So a pair of members
// has two streams, one for each direction. A snapshot takes a request of its own.
//
// Send never blocks. It writes the messages itself, as far as the kernel takes
// them at once; what is left waits for the stream's own goroutine. What waits is
// bounded, and what does not fit is dropped and reported, which raft is made for.
// Both ends check the cluster, its founding ID, the peer's ID and the protocol's version
// before a message passes. A stream is taken from members alone, and a message that its
// other end can't have sent is dropped.
//
// All exported methods may be called from any goroutine. The functions in
// Config are called from the transport's goroutines and must not block for
// long; Sent and Unreachable are called by Send too.
package transport
