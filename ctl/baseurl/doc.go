// Package baseurl reads what users write for the address of a server, so that one rule counts for every command: the client's
// endpoints, those of the load generator and those of snapshots.
//
// It looks at text alone and connects to nothing. Its functions may be called from any goroutine.
package baseurl
