// Package storage owns what one member keeps on disk: the write-ahead log and
// the checkpoint of the tree.
//
// # What is where
//
//	<data-dir>/member.lock  locked while a process uses the directory
//	<data-dir>/state.db     the checkpoint, a bbolt file
//	<data-dir>/wal/         the log, in segments of 64 MB (or --wal-dir)
//
// The checkpoint holds the tree as of one applied entry of the log, and the log
// holds everything behind that. state.db has these buckets:
//
//	meta          format, identity, position: see the keys in format.go
//	keys          the tree of /v2/keys: state, totals
//	keys/nodes    path -> node
//	keys/recent   number, 8 bytes big-endian -> chunk of changes to the nodes
//	keys/history  index, 8 bytes big-endian -> event
//
// The tree is what keys/nodes holds with the changes of keys/recent over it, the
// later over the earlier. A checkpoint appends what has changed to keys/recent, in
// chunks of 32 kB, and writes no node in its place: a page for each would be many
// times what has changed. When the recent changes are a third of the tree, or most of
// keys/nodes is gone from it, they are folded: put into keys/nodes, in the order of
// the paths, and forgotten.
//
// A second tree gets a bucket of its own beside keys.
//
// # What a crash may do
//
// Append returns when the entries are synced, so a crash takes nothing that was
// acknowledged. What it was writing at that moment may be there, may be gone,
// and may be there in part: a torn write, of which the hard state at its end may be
// all that is missing. Open cuts a torn write and says so in one line of the log.
//
// A checkpoint takes three steps: a record of its position goes to the log and
// is synced; one bbolt transaction stores the changes and the position; the
// segments of the log that lie wholly behind it are deleted, oldest first. After
// a crash between any two of them the log can still be opened at the position
// that state.db names. Create writes the log first and state.db last, in one
// rename, so a directory without state.db was never in use and is made anew.
//
// A large checkpoint takes many transactions, so that it needs little memory. Only the
// last one makes it valid. Until then its chunks and events lie behind those that count,
// format 3 says that they do not, and the next checkpoint removes them.
//
// A fold, which may follow a checkpoint, is many transactions, and none of them
// changes the tree that state.db holds: the recent changes stay there until the last
// one. So it may end anywhere, and the next begins anew.
//
// # What damage does
//
// Every record of state.db carries a checksum of its key and value, the number
// and the sum of all records are kept beside them, and every page is checked
// before it is believed. In the log each record's checksum covers all records
// before it; what the checksums leave out (types and lengths) is checked against
// raft's rules: see replay. A bad place counts as a torn write only when lost sectors
// explain it, and when no intact record behind it can only have been written after it
// was synced: see unsynced. A last segment that is shorter than it was made has lost
// its end. Anything else stops Open, too, with an error that names the file and says
// what to do, and changes nothing on disk.
//
// A checkpoint that meets an error of the disk, or damage, puts state.db in doubt. The
// next one reads nothing of it, and writes a new file of what is in memory.
//
// # Who may call what
//
// One goroutine at a time calls Append. Another one may run Checkpoint beside
// it. WALSize, Hurry, NeedsAll and CheckpointFailing may be called from anywhere, Close when the others have
// returned or will find ErrClosed.
//
// # What older versions wrote
//
// Format 1 of state.db has no keys/recent. It is read, and the next checkpoint makes
// it format 2, which older versions refuse.
//
// Format 4 is format 2 of a cluster whose feature level is not zero, and names that level:
// see FeatureLevel. Format 5 is format 3 of such a cluster. Versions without feature levels
// refuse both, so they can't write a checkpoint that forgets the level.
//
// A log of format 1 may end with a segment that is shorter than it was made, for a
// repair left it so. It is read by that rule, and stays in format 1.
package storage
