package raft

import "time"

// The bounds that do not depend on the request limit.
const (
	// batchBytes is the size beyond which no further command joins an entry, and no further entry joins a message.
	batchBytes = 1 << 20
	// requestHead bounds what of a request is not its body: the request line and the headers together.
	requestHead = 1 << 20
	// entryHead is more than a batch and its entry weigh beside the commands' data.
	entryHead = 4 << 10
	// leastMessage lets a member whose request limit was lowered take from its peers the entries made before.
	leastMessage = 16 << 20
)

// MaxRequestLimit is the largest request limit that a member can be started with, however long the election timeout is.
const MaxRequestLimit = 512 << 20

// linkSpeed is how many bytes a second pass from a leader to the disk of a follower, at least: half of what a network of
// 1 Gbit/s and a disk that syncs 100 MB/s do one after the other.
const linkSpeed = 32 << 20

// limits are the bounds, in bytes, of what a member sends and keeps in memory. All of them are computed here, from the
// request limit: wherever messages or entries wait, there is room for several of the largest. A bound never stops the
// first element of an empty queue.
type limits struct {
	command     int   // the longest encoded command
	message     int   // the longest message between members
	queue       int   // proposals that wait for an entry
	deferred    int   // proposals that raft did not take
	inbox       int   // messages that came from peers and wait for the loop
	sendQueue   int   // messages that wait for one peer
	appends     int   // appends that wait for the disk
	uncommitted int   // entries in the leader's log that wait for a quorum
	inFlight    int   // entries on their way to one follower
	catchUp     int64 // applied entries that stay in memory
}

// LargestRequest is the largest request limit that a cluster with this election timeout can serve. A follower hears no
// heartbeat while a long message is on its way to it, so one that takes longer than an election timeout would cost the
// leader its place before it is committed.
func LargestRequest(electionTimeout time.Duration) int64 {
	most := int64(electionTimeout.Seconds() * linkSpeed)
	return min(max(most, leastMessage), MaxRequestLimit)
}

// DefaultCatchUp is the usual bound for the log that stays in memory.
const DefaultCatchUp = 64 << 20

// LeastCatchUp is the least bound for the log that stays in memory: with less, a follower that is healthy could need a
// snapshot because of two large requests.
func LeastCatchUp(requestBytes int64) int64 { return 4 * int64(largestEntry(requestBytes)) }

func largestCommand(requestBytes int64) int { return int(requestBytes) + requestHead }

func largestEntry(requestBytes int64) int {
	return max(largestCommand(requestBytes), batchBytes) + entryHead
}

// newLimits computes the bounds for requests of so many bytes, and for so many bytes of log that stay in memory.
func newLimits(requestBytes, catchUpBytes int64) limits {
	entry := largestEntry(requestBytes)
	// A forwarded batch travels together with what has gathered; see gather.
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
