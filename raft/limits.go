package raft

import "time"

// The bounds that do not depend on the request limit.
const (
	// batchBytes is the size beyond which no further command joins an entry, and no further entry joins a message.
	batchBytes = 1 << 20
	// requestHead bounds the part of a request before its body: the request line and the headers together.
	requestHead = 1 << 20
	// entryHead exceeds the size of a batch and its entry without the commands.
	entryHead = 4 << 10
	// leastMessage lets a member whose request limit was lowered accept older, larger entries from its peers.
	leastMessage = 16 << 20
)

// MaxRequestLimit is the largest request limit that a member can be started with, however long the election timeout is.
const MaxRequestLimit = 512 << 20

// linkSpeed is the assumed least speed from a leader to the disk of a follower, in bytes per second: half of what a network
// of 1 Gbit/s and then a disk that syncs 100 MB/s achieve.
const linkSpeed = 32 << 20

// limits are bounds, in bytes, of messages, queues and entries in memory. All of them follow from the request limit:
// each queue has room for several of the largest messages or entries. An empty queue accepts an element of any size.
type limits struct {
	command     int   // the longest encoded command
	message     int   // the longest message between members
	queue       int   // proposals that wait for an entry
	deferred    int   // proposals that raft has not taken
	inbox       int   // messages that came from peers and wait for the core
	sendQueue   int   // messages that wait for one peer
	appends     int   // appends that wait for the disk
	uncommitted int   // entries in the leader's log that wait for a quorum
	inFlight    int   // entries on their way to one follower
	catchUp     int64 // applied entries that stay in memory
}

// LargestRequest is the largest request limit that a cluster with this election timeout can serve. A follower gets no
// heartbeat while it receives a long message. If that took longer than an election timeout, the leader would be replaced
// before the message is committed.
func LargestRequest(electionTimeout time.Duration) int64 {
	most := int64(electionTimeout.Seconds() * linkSpeed)
	return min(max(most, leastMessage), MaxRequestLimit)
}

// DefaultCatchUp is the usual bound for the log that stays in memory.
const DefaultCatchUp = 64 << 20

// LeastCatchUp is the least bound for the log that stays in memory. With a lower one, two large requests could force a
// healthy follower to get a snapshot.
func LeastCatchUp(requestBytes int64) int64 { return 4 * int64(largestEntry(requestBytes)) }

func largestCommand(requestBytes int64) int { return int(requestBytes) + requestHead }

func largestEntry(requestBytes int64) int {
	return max(largestCommand(requestBytes), batchBytes) + entryHead
}

// newLimits computes the bounds for a request limit and a bound of the log that stays in memory, both in bytes.
func newLimits(requestBytes, catchUpBytes int64) limits {
	entry := largestEntry(requestBytes)
	// A forwarded batch is in one message with the coalesced entries; see proposer.go.
	message := max(entry+maxCoalesced, leastMessage)
	inFlight := max(16<<20, 2*entry)
	return limits{
		command:     largestCommand(requestBytes),
		message:     message,
		queue:       max(64<<20, 2*entry),
		deferred:    max(32<<20, 2*message),
		inbox:       max(64<<20, 2*message),
		sendQueue:   inFlight + message,
		appends:     max(32<<20, 2*entry),
		uncommitted: max(64<<20, 2*entry),
		inFlight:    inFlight,
		catchUp:     catchUpBytes,
	}
}
