// Package transport carries raft messages between the members of a cluster.
//
// Each member keeps one connection open to each of its peers. It begins as an
// HTTP request that asks to switch protocols. From the answer on it carries
// messages, framed by their length, from the member that opened it to the other.
// So a pair of members has two streams, one in each direction. A snapshot is sent
// as a request of its own.
//
// Send never blocks. It writes to the streams itself what the kernel takes at once,
// and leaves the rest to the goroutines of the peers. The queue of each peer is
// bounded; what does not fit is dropped and reported, and raft sends it again.
//
// # Who may connect
//
// Both ends of a stream compare cluster, member IDs, founding ID, the range of peer
// protocols and the feature level before a message passes (handshake.go). A member
// takes streams from members of its cluster only. A message that the member at the
// other end of a stream can't have sent is dropped (validate.go).
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
//	receive.go    reads incoming streams; frame.go, validate.go
//	snapshot.go   sends and receives snapshots
//	logreport.go  asks a member about its log
package transport
