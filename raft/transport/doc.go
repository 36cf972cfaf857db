// Package transport carries raft messages between the members of a cluster.
//
// Each member keeps one connection, called a stream, open to each of its peers. A
// stream begins as an HTTP request that asks to switch protocols. After the response
// it carries messages from the member that opened it to the peer, each with its length
// in front. So a pair of members has two streams, one in each direction. A snapshot is
// sent as a request of its own.
//
// Send never blocks. It writes to each stream as many bytes as the kernel takes at
// once, and leaves the rest to the goroutine of that peer. The queue of each peer is
// bounded. A message that does not fit is dropped and reported, and raft sends it again.
// A write to a TLS connection may block, so the goroutine of the peer makes all of them.
//
// # Who may connect
//
// Both ends of a stream compare cluster, member IDs, founding ID, the range of peer
// protocols and the feature level before the first message (handshake.go). A member
// accepts streams only from members of its cluster. It drops a message that the member
// at the other end of the stream can't have sent (validate.go).
//
// Over TLS the certificate of the member that opens a stream must be valid for a host of
// its peer URLs (certificates.go). A stream is closed when the certificate of one of its
// ends expires, is revoked, or is of a CA that is no longer trusted.
//
// # Goroutines
//
// All exported methods may be called from any goroutine. The functions in Config are
// called from the transport's goroutines and must not block for long. Send calls
// Sent and Unreachable, too.
//
// # Files
//
//	transport.go  Config, Transport: its peers, its incoming streams
//	handshake.go  what members announce to each other, and who is refused; protocol.go
//	peer.go       keeps the stream to one peer open; refusal.go reads why it was refused
//	sender.go     the queue and the writes of one peer; nonblocking_linux.go
//	stream.go     how a request becomes a stream; client.go, timeouts.go
//	certificates.go  when the certificates of the two ends are accepted
//	receive.go    reads incoming streams; frame.go, validate.go
//	snapshot.go   sends and receives snapshots
//	logreport.go  asks a member about its log
//	leases.go     asks the leader to renew leases, and for their remaining time
package transport
