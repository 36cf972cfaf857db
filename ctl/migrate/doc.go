// Package migrate makes a cluster of Pando (the target) follow a running etcd (the source), compares the two, and makes the target take
// over. It talks to both over HTTP. The target applies what it sends by /v2/mirror, at the indexes of the source.
//
// Package program calls it, from any goroutine. Follower.Run, Compare, Switch and WatchStrays return when their context ends. They may be
// interrupted at any point, also by the end of the process: all state is that of the target, and each change of it names the index that it
// follows, so that no change is applied twice, and none is left out.
//
// How changes are read. A stream of the source has no changes of hidden keys, and etcd ends it if it is read too slowly. But the history of
// the source has all changes, except for refreshed TTLs and users, and a poll with an index of the past reads it. So where the stream
// leaves an index out, the reader asks the history. An index without a change there is called silent: a TTL was refreshed, or users were
// changed. Then the nodes with a TTL are read again, and if these explain less, the whole trees.
//
// How nodes are read. The state of a node at the source is read while both sides change. A tracker collects the paths of all events from
// before the read until after it. A node that no event has touched is the same at all indexes between, so its state can be compared
// with that of the target, or be stored there.
//
// Invariants:
//   - The target gets every event of the source once and in order, with its index. If the source has lost some from its history, all keys
//     are read again, and the history of the target begins anew: its watchers get the error 401.
//   - The target takes over only while it is fenced, no member forwards a write, and both trees are equal at an index at which the source
//     was found before and after the comparison.
//   - The source is only read.
//
// The files:
//   - source.go, target.go: requests to either side
//   - events.go: events of the v2 API as changes of the target
//   - reader.go, history.go: the changes of the source without a hole; lag.go: members that stay behind
//   - queue.go: changes that wait for the target
//   - follower.go: Follower; refresh.go: refreshed TTLs; repair.go: reading all keys; list.go: nodes with a TTL and hidden nodes
//   - progress.go: Progress
//   - tracker.go: the paths that change during a comparison
//   - walk.go, nodes.go: reading two trees, or some nodes; compare.go: comparing while both change; users.go: users and roles
//   - live.go: Compare; switch.go: Switch; silent.go: its changes without an event; stray.go: writes after the switch; status.go: Status
//   - result.go: differences as text
package migrate
