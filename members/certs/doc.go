// Package certs reads certificates, keys, CAs and revocation lists from files, checks them, and makes the configurations of crypto/tls
// from them. It reads the files again when they change. It also issues certificates.
//
// [Open] reads all files of one side, such as that for clients, and returns a [Source]. An error of Open is a [*FileError] that names the
// setting, the file and the reason. [Source.Watch] reads changed files again. The connections that are open are not affected by that:
// only later handshakes use the new files. If the new files have an error, the Source continues with the old ones.
//
// All methods of a Source may be called from any goroutine. Errors and log lines never contain a private key.
//
//	options.go    Files, Options: what a Source reads and what it checks
//	problems.go   FileError and Problem: what is wrong with a file
//	read.go       reading and parsing certificates, keys and CAs; crl.go: revocation lists
//	load.go       loading and checking the files of one side
//	check.go      Check: everything that is wrong with a set of files
//	source.go     Source: the configurations for servers and clients
//	verify.go     the checks of a peer's certificate in a handshake, and of an open connection
//	watch.go      reading the files again after a change; stat_linux.go: how a change is found
//	authority.go  Authority: issuing and revoking certificates; self-signed certificates
//	auto.go       the self-signed certificate of --auto-tls
package certs
