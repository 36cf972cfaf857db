// Package certs reads certificates, keys, CAs and revocation lists from files, checks them, and makes the configurations of crypto/tls
// from them. It reads the files again when they change. It also issues certificates.
//
// A member has two sides, each with files of its own: one for connections with clients, one for connections with other members.
// [Open] reads all files of one side and returns a [Source]. An error of Open is a [*FileError] that names the setting, the file and the
// reason. [Source.Watch] reads changed files again. Later handshakes use the new files. Open connections stay open until their owner
// checks them with [Source.CheckConnection] or [Source.CheckPeer]. If the new files have an error, the Source continues to use the old
// ones.
//
// All methods of a Source may be called from any goroutine. Errors and log lines never contain a private key.
//
//	options.go    Files, Options: what a Source reads and what it checks
//	problems.go   FileError and Problem: what is wrong with a file
//	read.go       reading and parsing certificates, keys and CAs; crl.go: revocation lists
//	load.go       loading and checking the files of one side
//	check.go      Check: everything that is wrong with a set of files
//	source.go     Source: the configurations for servers and clients
//	handshake.go  the client's end of a handshake
//	verify.go     the checks of the certificate of the other end, in a handshake and on an open connection
//	watch.go      reading the files again after a change; stat_linux.go: how a change is found
//	authority.go  Authority: issuing and revoking certificates; self-signed certificates
//	auto.go       the self-signed certificate of --auto-tls
package certs
