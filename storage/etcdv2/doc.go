// Package etcdv2 reads the data directory of a stopped member of etcd, and converts its v2 data to the tree that Pando
// serves: keys with their indexes and TTLs, the history of events, users, roles and the auth switch. It adds the data of v3, which package
// etcdv3 reads. It also writes such a directory from a tree, with the data of v2: Write is the reverse of Read.
//
// Read opens all files of the source read-only, and never renames, repairs or removes one. It takes no lock on the log; bbolt holds
// a shared lock on the file of v3 while it is open. Any goroutine may call Read and Write. During a Write no other goroutine may use its
// tree.
//
// # How the state is found
//
// The state is that of the newest snapshot that the log confirms, followed by the entries of the log up to the commit index of
// the last hard state. The entries are applied to a model of etcd's v2 store (store). All namespaces are in the model,
// because each of them takes indexes and places in the history: /0 has the members and the version of the cluster, /1 the
// keys, /2 the users. Only then the model is converted to a tree.Store.
//
// # Invariants
//
//   - The same files give the same state, digest included, on every machine and at any time: Read uses no clock, and no
//     order of a map.
//   - Nothing is guessed. Read either returns the state after the last entry that the data show to be committed, or an error that
//     names the file and the offset. A torn write at the end of the log is cut off as etcd cuts it off. If entries follow the commit
//     index, Read takes them, too, for the only member of a cluster, as etcd does when it starts. For a member of several, a note of
//     the Report says how many follow: the cluster may have acknowledged some of them before the member was killed.
//
// # Files
//
//	read.go        Read: the steps, and the Report
//	layout.go      the files of a data directory, and directories that are none
//	running.go     whether a process still uses the directory; running_linux.go and running_other.go are its system calls
//	content.go     the file of v3, and which data are taken
//	keys.go        adding the data of v3 to the tree; snapshot.go reads a snapshot file of v3 alone
//	frames.go      the records of one file of the log; checksums, torn writes
//	tail.go        what follows the last record: a torn write, or damage
//	log.go         the two passes over the log
//	entry.go       the two kinds of entries, and the rule that tells them apart
//	snapfile.go    the files of snapshots
//	json.go        a scanner for the JSON of a snapshot
//	recovery.go    the model that a snapshot holds
//	store.go       the model of the v2 store; node.go, expiry.go and events.go are its parts
//	apply.go       carrying out requests
//	membership.go  carrying out changes of the membership
//	convert.go     from the model to the tree; users.go converts users and roles
//	digest.go      the checksum of a state, which is the same before Write and after Read
//	export.go      Prepare and Write
//	export_store.go   the JSON of a snapshot; export_events.go and export_users.go write parts of it, export_json.go its texts
//	export_files.go   the files around it
package etcdv2
