// Package etcdv3 reads and writes the file in which etcd keeps its v3 data: member/snap/db of a data directory, and the snapshots of
// `etcdctl snapshot save`. It is a bbolt file. Write makes one from the state of a member, and HashKV computes the checksum with which
// members of etcd compare their keys. Open and File.Import read one. An Applier applies the requests of etcd's log that the file lacks.
//
// Any goroutine may call the functions. One goroutine at a time may use a File or an Applier.
//
// # The file
//
//	bucket           key                                     value
//	key              Revision, 17 bytes; tombstones 18       KeyValue; that of a tombstone has the key alone
//	lease            ID, 8 bytes big-endian                  Lease
//	authUsers        name                                    User
//	authRoles        name                                    Role
//	auth             authEnabled, authRevision               1 byte; 8 bytes big-endian
//	members          ID in hexadecimal                       JSON, Member
//	members_removed  ID in hexadecimal                       "removed"
//	cluster          clusterVersion                          text: 3.7.0
//	alarm            a message: member ID, kind of alarm     empty
//	meta             see the names in format.go
//
// The bucket key has all changes after the last compaction. Of the changes before it, the bucket has the last change of each key that
// existed at the compact revision.
//
// # Files
//
//	format.go    the names of buckets and keys; Revision
//	messages.go  KeyValue and Lease; auth.go: User and Role; member.go: Member
//	entries.go   the entries of a file for a state; write.go: Write; hash.go: HashKV and Hash
//	read.go      File: opening a file, its Meta; checksums of snapshots
//	read_keys.go   its keys and leases; read_users.go: its users and roles
//	request.go     v3 requests in etcd's log; request_users.go: those about users
//	apply.go       Applier: applying these requests to an imported tree; apply_rights.go: the rights of their senders
package etcdv3
