// Package tree is Pando's state machine: a directory tree of keys with
// time-to-live, the commands that change it, the events that those changes
// make, the history of the last events and the watchers that follow them.
//
// It does no I/O, reads no clock and knows neither HTTP nor raft. Applying the
// same commands with the same times to the same state gives the same bytes on
// every member.
//
// # Who may call what
//
// One goroutine, the one that applies the log, owns the writing half of a
// [Store]: Apply, Notify, TakeDelta and ReturnDelta. Everything else
// may be called from any goroutine at any time.
//
// # Invariants
//
//   - A published [View] never changes. Apply works on a private copy-on-write
//     root: directories that this batch has cloned already are changed in
//     place, any other is cloned first. One atomic store publishes the batch.
//   - Every change of the tree takes the next index and makes exactly one
//     [Event]; indexes have no gaps.
//   - Nodes for files are never changed once they are reachable, so events and
//     views share them freely.
//   - Paths are clean: absolute, no empty, "." or ".." component, no slash at
//     the end but for the root, which is "/".
package tree
