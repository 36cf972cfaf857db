// Package server runs one member of a cluster, or one proxy: it finds the cluster, opens the data, listens, connects
// the other packages, and stops them in order.
//
// The program calls Serve once. Serve returns after everything is closed and on disk. RestoredFounders is for the
// restore of a snapshot. The errors of this package that other packages need are exported.
//
//	serve.go         Serve: member or proxy
//	member.go        running a member
//	proxy.go         running a proxy
//	bootstrap.go     the cluster of a member without data
//	discovery.go     discovery and DNS records, set up from the flags
//	founders.go      the first members of a cluster that is restored
//	listen.go        opening the sockets
//	tls.go           certificates for clients and peers, set up from the flags
//	tls_warnings.go  warnings about certificates that others will not accept
//	descriptors.go   how many connections may be open
//	limits.go        bounds that depend on other settings or on the memory limit
//	observer.go      statistics and metrics of the replica
//	report.go        the state of the process for systemd
//	banner.go        the log lines and the banner of a start
//	exposure.go      the warning about URLs that are open to the network
//	audit.go         the audit log
//	backend.go       the file of etcd's v3 data, for snapshots of the v3 API
//	forward.go       requests to the etcd that the cluster follows
package server
