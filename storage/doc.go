// Package storage keeps the data of one member on disk: the write-ahead log, and the
// checkpoint of the tree. Package raft writes to it; package raft/offline and the command
// line restore, copy and inspect the files of members that do not run.
//
// # What is on disk
//
//	<data-dir>/member.lock  locked while a process uses the directory
//	<data-dir>/state.db     the checkpoint, a bbolt file
//	<data-dir>/wal/         the log, in segments of 64 MB (or --wal-dir)
//	<data-dir>/torn-tail    the torn write that the last repair cut off the log
//
// The checkpoint holds the tree as of one applied entry. The log holds everything after
// it. state.db has these buckets:
//
//	meta          format, identity, position, members: see the keys in format.go
//	keys          the tree of /v2/keys: state, totals; auth: the head of the users; mirror: the etcd that the cluster follows
//	keys/nodes    path -> node; "p", a plain key and a zero byte -> file; "s" and a path -> shadowed file
//	keys/recent   number, 8 bytes big-endian -> chunk of a delta
//	keys/history  index, 8 bytes big-endian -> event
//	keys/removed  index, 8 bytes big-endian, and a path -> a node that the event with the index has removed with a directory
//	keys/users    "u" and a name -> user, "r" and a name -> role
//	keys/leases   the ID of a lease, 8 bytes -> lease
//
// A checkpoint appends its delta, the changes of the tree, in chunks of 32 kB to keys/recent.
// It changes no record of keys/nodes: each changed record would cost a whole page. The tree is
// keys/nodes with the deltas merged over it, the newer over the older.
// When the deltas reach half of the tree, compaction writes a new file of the tree in
// memory, without deltas, and renames it over state.db.
//
// Neither an event nor a removed node changes once it is stored. A checkpoint adds the new ones, and deletes those that
// the history has dropped in transactions of limited size, most of them after the one that makes it valid. So a file may hold
// more of the history than the tree does.
//
// Users, roles and leases have no deltas. The last transaction of a checkpoint writes the records of those
// that have changed.
//
// # What a crash may do
//
// It may lose what was not acknowledged, and nothing else.
//
//   - Append returns when the entries are synced. A write that a crash interrupts may be
//     there, may be gone, or may be there in part: a torn write. Open cuts it off, logs
//     that, and keeps its first bytes in torn-tail.
//   - A checkpoint has three steps: a record of its position is written to the log and
//     synced; state.db changes to the new position, in one bbolt transaction; the segments
//     of the log that lie wholly before it are deleted, oldest first. A crash may come
//     between any two steps: the log can be opened at the position that state.db names.
//   - A large checkpoint takes many transactions, so that it needs little memory. Only the
//     last one makes it valid. After a crash before that, the format of state.db says that
//     its last chunks and events may be unfinished. Open ignores them, and the next
//     checkpoint deletes them.
//   - Compaction writes a file of its own. A crash before the rename leaves that file, which
//     the next Open deletes. A crash after it leaves the new file, which holds the same tree.
//   - Install, which replaces the checkpoint by one of the leader, has the order of a
//     checkpoint, with a rename as its second step.
//   - Create, Restore, Import and Backup rename state.db last. A crash before that leaves a directory
//     without state.db: Exists reports false, and the next call makes the data anew. There is
//     one exception: a crash after Backup has written entries to the new log, and before the
//     rename. Then all calls return ErrCorrupt, and an operator must delete the directory.
//   - Opening the log makes its last segment shorter for a moment. A note in the log's
//     directory says so (opening_note.go).
//
// A crash may not lose an entry, a vote or a term after Append has returned, reorder
// entries, leave state.db at a position at which the log can't be opened, or make Open
// accept only a part of what was acknowledged.
//
// # What damage does
//
// Open reads and checks everything before it changes anything. Each record of state.db has
// a checksum of its key and value, the number and the sum of all records are stored, too,
// and each page is checked before it is used. In the log the checksum of a record covers
// all records before it. The checksums leave out types and lengths; these are compared with
// the rules of raft and with the order in which a member writes: see replay. Bytes that
// can't be read are a torn write only if the loss of whole sectors explains them, and only
// if no intact record after them proves that they had been synced. Any other damage stops
// Open with an error that names the file and says what to do.
//
// After an error of the disk in a checkpoint, or when state.db is found damaged, its content
// is in doubt. The next checkpoint reads nothing of it, and writes a new file of the tree in
// memory. After a failed write to the log the Disk refuses everything (ErrFailed), because
// the kernel may have dropped the pages that it could not write.
//
// # Goroutines
//
// One goroutine at a time may call Append. Another one may run Checkpoint beside it. Stage
// may run beside everything, but only once at a time. Install must not run beside Append.
// WALSize, DeferCompaction, NeedsAll, CheckpointFailing, ReadCheckpoint and ReadSnapshot may
// be called from any goroutine. Close may be called from any goroutine: running calls end
// before it returns, and later ones return ErrClosed.
//
// # Formats
//
// Format 1 of state.db has no keys/recent. The next checkpoint makes it format 2, which older
// versions refuse. Format 3 is format 2 with unfinished records. Format 4 is format 2 in a
// cluster whose feature level is not zero, and names that level: see FeatureLevel. Format 5
// is format 3 in such a cluster. Versions without feature levels refuse both, so they can't
// write a checkpoint without the level. keys/users and the value auth exist only at feature
// level 2 or higher, and only after the first change of users. The value mirror exists only at
// feature level 3 or higher, and only if the cluster has ever followed a running etcd. From feature level 5 on, the state has a version
// of its own, and so have the nodes and events that are written from then on; the records of older nodes stay as they are. Plain
// keys, shadowed files and implied directories exist only from that level on, and so does keys/removed, after a directory was
// removed in a history for the v3 API. keys/leases exists only after the first lease.
//
// A log of format 1 may end with a segment that is too short, because a repair left it so. It
// stays in format 1.
//
// # Files
//
//	options, layout, lock, errors     the data directory: paths, content, lock
//	os_linux, os_other                system calls that only Linux has
//	disk                              Append and Close
//	create, open, restore, backup,
//	import                            the ways to get a Disk or its files
//	stopped                           the data of a stopped member, or of a snapshot file, without a Disk
//	transfer, snapshot                checkpoints for and from other members, snapshot files
//	snapshot_nodes                    the nodes of a snapshot file, without loading the tree
//
//	log_open, zerofill                opening, repairing and releasing the log; its next segment
//	log_segment, log_record           its files, frames and records
//	log_scan                          reading it, with checksums
//	replay, replay_loss               the state machine that reads its records
//	log_tail                          the bytes after the records: unused, a torn write, or damage
//	opening_note                      the note about an interrupted opening
//
//	checkpoint, checkpoint_writer     writing a checkpoint
//	compact                           writing a new state.db without deltas
//	delta, delta_chunk                deltas: merging, and their stored form
//	key_record                        the records of keys that v2 does not show
//	history_records                   the events and the removed directories: writing, copying, deleting, loading
//	state_file                        transactions on state.db
//	leases                            writing and loading the leases
//	format, level, checksum, records  buckets, keys, formats, totals and checksums
//	load, read_ahead, bolt_reader     reading state.db, which may be damaged
package storage
