// Package tree is the state machine of Pando: a directory tree of keys with TTLs, which are also the keys of etcd's v3 API, the
// commands that change it, the events of these changes, the history of the last events,
// and the watchers that read it. The users, roles and the auth switch of package users are
// part of its state.
//
// It does no I/O, reads no clock, and does not depend on HTTP or raft. If two members
// apply the same commands with the same times to the same state, they have the same
// state afterwards, byte for byte.
//
// # Goroutines
//
// Only the goroutine that applies the log may call these methods of a [Store]: Apply,
// Announce, Replace, Follow, StartRevisions, TakeDelta, TakeAll, ReturnDelta and DirtyPaths. Any goroutine may
// call all other functions at any time, unless their comments say otherwise.
//
// # Invariants
//
//   - A published [View] never changes. Apply changes a private root. It changes a
//     directory in place if the current batch has made or cloned it, and clones any
//     other directory first. One atomic store publishes the batch.
//   - Every change of the tree takes the next index and makes exactly one [Event]. The operations
//     of a [Txn] take one index each, and all of them are in the same [View]. A change
//     of users takes the indexes that the reference takes, and makes one event for each. A
//     tree that follows an etcd has the events and the indexes of that etcd, and silent events
//     where watchers got none. So indexes have no gaps, except for the one range that such a
//     tree skips when it takes over.
//   - From StartRevisions on, the tree counts revisions beside its indexes, as the v3 API does. Each
//     change adds one revision; all operations of a [Txn] together add one, and a change of users
//     adds none. A node that was written before has the version 0 in memory and on disk, and its
//     revisions are its indexes.
//   - No node is newer than the index of the tree, unless the tree follows an etcd.
//   - A file is never changed after it is reachable, so events and views share files.
//   - Every directory holds the number, the bytes and the first TTL of all nodes below
//     it, and the number of keys. The totals of the root and of the plain keys are those of the tree.
//   - An implied directory has children. The directories above an explicit directory are explicit.
//   - Paths are clean (see [ValidPath]). Times are in nanoseconds since 1970. They come
//     from commands and from the argument of Apply only.
//   - Events and dirty paths do not keep alive a subtree or a large value that is no
//     longer in the tree. Only removals keeps removed subtrees, within its limit, and so
//     do the events of a history for the v3 API, until they are compacted.
//
// # Two kinds of change
//
// A change of the tree is recorded twice: as an announcement, which [Store.Announce]
// hands to the watchers, and as a dirty path, which [Store.TakeDelta] hands to the next
// checkpoint.
//
// # Two kinds of keys
//
// A key of etcd's v3 API may be any text of bytes. A path key is a key that is also a valid path, and lies in the tree, where v2
// sees it as a file. All other keys are plain keys, which v2 does not see. If the path of a key is that of a directory,
// v2 sees the directory: the file of the key is the shadowed file of the directory until the directory is removed. A directory that a put
// of the v3 API needs is an implied one: it is removed with the last key below it, unless v2 has written to it or below it. No
// function of v2 takes longer for the sake of this.
//
// # Files
//
//	store.go         Store: Apply, Announce, Replace; publishing a batch
//	command.go       Command; command_encode.go is its encoding in the log
//	kv_command.go    KVTxn: the transactions of the v3 API; kv_encode.go and kv_decode.go are the encoding of all commands of
//	                 that API in the log, and kv_check.go what is checked before a command is proposed
//	kv_apply.go      what the commands of the v3 API do; kv_txn.go and kv_compare.go execute transactions, and kv_delete.go
//	                 removes ranges; kv_remove.go removes many files at once
//	lease.go         Lease, granting and revoking; lease_keys.go finds the keys of a lease, lease_rights.go checks the right to them,
//	                 and lease_codec.go is the stored form
//	apply.go         what each operation does; apply_users.go changes users, and
//	                 apply_mirror.go a tree that follows a running etcd
//	txn.go           Txn: several operations that are executed as one; txn_encode.go is
//	                 its encoding in the log, and txn_json.go the JSON of its result
//	mirror.go        Mirror and MirrorChange; mirror_check.go says which changes are valid
//	mirror_encode.go the encoding of a MirrorChange in the log
//	mirror_state.go  the state of the mirror, and its stored form
//	mutate.go        changes of the private root: put, replace, remove
//	ancestors.go     the directories above a node, and their totals
//	directory.go     directory: the children of a node; btree is the map of them
//	plain_keys.go    the plain keys
//	keys.go          changes of keys of the v3 API; implied directories
//	key_range.go     KeyRange, KeyReader; key_order.go and key_order_descending.go visit keys in order, and
//	                 key_count.go counts them
//	range_query.go   RangeQuery: filter, order and limit of a range of keys; result_limit.go bounds results in bytes
//	node.go          Node
//	layout.go        the memory layout of nodes; layout_dir.go: of directories; layout_unchanged.go: of small files that have not changed
//	revision.go      the numbers of the next change: index, revision, version
//	path.go          functions of paths, and their limits
//	ttl.go           TTLs, and the removal of expired nodes
//	view.go          View: reading
//	event.go         Event
//	history.go       the history: a ring of the last events; history_pages.go: pages of
//	                 all events, for the v3 API; history_sealed.go: old pages, in less memory
//	event_list.go    EventList: a part of the history that does not change
//	key_history.go   which events are kept: the switch to pages, compaction, their size;
//	                 key_floor.go finds the first event that can be read, and
//	                 key_compaction.go the revision for a compaction to a size
//	removed_nodes.go the stored form of the directories that events have removed
//	hub.go           hub: finds the watchers of an event
//	watch.go         Watcher
//	key_watch.go     KeyWatcher, and key_watch_poll.go its Poll; key_event.go: KeyEvent;
//	                 key_hub.go finds the key watchers of an event
//	past.go          reading the keys at an earlier revision; kv_past.go: the same while a command is executed;
//	                 past_revision.go: one key before a revision that changes it several times
//	key_log.go       KeyLog: the changes of keys that etcd would store
//	watch_each.go    watchers that return each node that a removal removes
//	removals.go      the removed directories that these watchers need; history_limits.go
//	                 bounds them
//	scopes.go        the events of watched subtrees beyond the history
//	delta.go         Delta: what a checkpoint has to write; dirty paths
//	codec.go         the stored forms of nodes and events, codec_state.go that of the state;
//	                 decoder.go reads fields
//	load.go          Loader: a Store from a checkpoint; load_keys.go: the keys that v2 does not see;
//	                 load_share.go: files that events and the tree share, which load_files.go finds
//	import.go        loading the content of another program's v2 store; import_keys.go: that of a
//	                 v3 store, and import_history.go its history; export.go: the reverse
//	hash.go          hashes of a view, to compare members; hash_bounds.go divides it into ranges
//	counters.go      Counters, by operation and outcome
//	errors.go        Error, and the codes of the v2 API; errors_users.go: the codes of changes of users
//	growth.go        the bytes by which a command would change the tree
//	encoding.go      Encoding: a response in JSON, whole or in pieces
//	list.go          List: pages and other forms of a list of nodes
//	json.go          the JSON of nodes; json_string.go that of strings
//	mirror_json.go   the JSON of /v2/mirror; mirror_nodes.go: nodes for /v2/mirror/nodes
//	eventcache.go    EventCache: the JSON of events that many watchers read
package tree
