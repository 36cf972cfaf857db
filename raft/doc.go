// Package raft keeps the tree in step with a replicated log: it proposes
// commands, appends and commits log entries, applies them to the tree, answers
// those who wait, expires what falls due and writes checkpoints.
//
// # One loop
//
// One goroutine, the loop, owns the RawNode of the upstream library, the
// writing half of the tree, and all fields of [Node] below the line that says
// so. Everybody else talks to it through the queue of proposals, the list of
// waiting readers and a few atomics. Exported methods may be called from any
// goroutine.
//
// # The way of a write
//
//	Propose ─► queue ─► loop: all that waits becomes one entry ─► append and sync
//	        ◄─ result ◄─ loop: apply, publish            ◄─ commit
//
// A lone write passes two hand-overs between goroutines, no more: the loop
// appends by itself when it has nothing else to do. When the committed batch
// before it is still to be applied, the append goes to the writer goroutine, so
// that the disk works beside the processor.
//
// # Invariants
//
//   - A proposal is answered with success only after its entry was committed,
//     which means: synced to the logs of a quorum.
//   - Appends reach the disk in the order in which raft gave them out.
//   - Applying depends on the entries alone. Time is what the proposer wrote
//     into the entry.
package raft
