// Package raft keeps the tree in step with a replicated log. It proposes commands, appends and commits log entries, applies
// them to the tree, answers the callers, removes nodes whose TTL has ended, and writes checkpoints.
//
// # Node, core and parts
//
// Node is the handle for the rest of the program. Its methods may be called from any goroutine. They pass work to the core
// through three queues: of proposals, of readers, and an inbox for everything else, such as messages of peers.
//
// The core owns the RawNode of the raft library, the log and the writing half of the tree. It and its parts are used by one
// goroutine at a time: the one that has the turn. That is the core's own goroutine, or that of a caller who found the turn
// free. A part has a few fields of its own, reads logState, and reaches the core through function fields and small
// interfaces that it declares.
//
// # A write
//
//	Propose ─► queue ─► proposer: one entry of all that waits ─► append and sync ∥ send to the followers
//	        ◄─ result ◄─ core: apply, publish                  ◄─ commit
//
// A lone write does not switch goroutines: its caller takes the turn and appends, commits and applies. Proposals that arrive
// meanwhile are queued for the core's goroutine. On other members, the goroutine that receives a lone message handles it the
// same way. When entries are to be applied besides, when followers are to be served under load, or when they are to get more
// than 1 MiB, the writer's goroutine appends, so that the disk works at the same time as the processor.
//
// # Invariants
//
//   - A proposal is answered with success only after its entry was committed, which means that it is synced to the logs of
//     a quorum.
//   - Appends reach the disk in the order in which raft gave them out.
//   - Applying depends on the entries alone. The time comes from the proposer, in the entry.
//   - No message of a peer reaches the raft library unchecked. A message that contradicts the log ends this member only if
//     its sender confirms it at its own URL.
//   - Everything that waits is bounded in bytes; see limits.go.
//
// # Files
//
// The handle: node.go, config.go (with the hooks of an Observer), reconfigure.go (changes of the membership), limits.go
// (bounds of queues and messages), errors.go.
//
// The core: core.go (the work of a turn), turn.go (taking the turn), ready.go (requests of the raft library), apply.go, inbox.go,
// logstate.go (position, leader, configuration), deadlines.go (everything that happens later), rawnode.go, logstorage.go
// (the log in memory), compaction.go, writer.go (appends), snapshot.go (from and to peers), peers.go (messages).
//
// Proposals: queue.go, changes.go (the changes of a command), proposer.go (states of a proposal, and the rule for those in flight),
// inflight.go, expiry.go (TTLs).
//
// Reads: reader.go (rounds of read index).
//
// Leases: leases.go (the deadlines on the leader), lease_table.go and lease_deadlines.go (the deadlines in memory),
// lease_requests.go (renewals, remaining times), lease_forwarder.go (requests of followers to the leader).
//
// Members and leaders: membership.go (one change at a time; learners), roster.go (the members that the transport connects to),
// elections.go (early campaigns), transfer.go (of the leadership, at the stop), leader_log.go (lines about elections),
// startup.go (readiness, and the entry with the name and URLs), founding.go (the founding ID), level.go (feature levels).
//
// Entries and messages: entry.go (encoding, and the checks of proposals), message_check.go (checks of messages),
// contradiction.go (messages that contradict the log).
//
// In the background: checkpoint.go (with snapshots for callers), compact_state.go (compaction of state.db for callers),
// history_compactor.go and auto_compaction.go (compaction of the history of the v3 API), audit.go and audit_report.go (comparison of the
// members' data).
//
// Data of a stopped member: replay.go (its log is applied to its tree), recovered.go (its entries and members; a new cluster of one
// member, a backup, and a log entry that cannot be applied). Package offline has the commands.
package raft
