// Package raft keeps the tree in step with a replicated log: it proposes
// commands, appends and commits log entries, applies them to the tree, answers
// those who wait, expires what falls due and writes checkpoints.
//
// # One loop
//
// The RawNode of the upstream library, the writing half of the tree and all
// that is loop's belong to one goroutine at a time: the one that has the turn.
// That is the loop's own, or that of a caller who found nobody at work.
// Everybody else talks to the loop through the queue of proposals, the
// list of waiting readers and a few atomics. Exported methods may be called from
// any goroutine.
//
// # The way of a write
//
//	Propose ─► queue ─► loop: all that waits becomes one entry ─► append and sync
//	        ◄─ result ◄─ loop: apply, publish            ◄─ commit
//
// A lone write passes no hand-over between goroutines: its caller takes the turn
// and appends, commits and applies. Those who come meanwhile queue for the loop. On
// other members, the goroutine that a lone message comes to does the same with it.
// When a committed batch is still to be applied, or followers are to be served under
// load, the append goes to the writer goroutine, so that the disk works beside the
// processor. A leader under load keeps one append on its way; what its followers
// forward meanwhile gathers for the next.
//
// # Messages
//
// Nothing that comes over a stream reaches the upstream library unchecked: the
// transport compares a message with the ends of its stream, vet.go with the log. A
// message that contradicts the log ends this member only when its sender says the same
// at its own URL (doubt.go). Clusters with the same flags are told apart by their
// founding ID (founding.go). Members of two versions share a log up to the cluster's
// feature level (level.go).
//
// # Invariants
//
//   - A proposal is answered with success only after its entry was committed,
//     which means: synced to the logs of a quorum.
//   - Appends reach the disk in the order in which raft gave them out.
//   - Applying depends on the entries alone. Time is what the proposer wrote
//     into the entry.
package raft
