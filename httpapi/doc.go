// Package httpapi serves HTTP to clients, peers and monitoring. It owns everything between the open sockets of a process and the
// packages that answer: connections, routes, middleware, start and shutdown.
//
// A [Server] serves the listeners from the moment when they are open. At first it has no data: most requests wait. [Server.Open]
// gives it the handlers of a [Member], or those of package proxy. A Member assembles the packages inside this one:
//
//	listeners ─► Server ─► router ─► v2: decode, call, encode ─► service: the operations on the store
//	                                  └─► stream: watches whose connections have left net/http
//
// The package does not depend on raft or on the disk. Package service declares the interfaces that it needs of them.
//
//   - server.go: Config, Server: Serve, Open, Shutdown, Close
//   - startup.go: requests before Open
//   - member.go: MemberConfig, Member: the handlers of a member
//   - routes.go: the tables of all routes; route.go: how they are served, and what web pages may do
//   - process.go: /version, /health, /metrics; pprof.go: /debug/pprof
//   - cors.go, path.go, body.go: middleware for CORS, for unclean paths, and for clients that send a body slowly
//   - admission.go: limits of open connections; unused_conns.go: those without a request at shutdown
//
// Handlers may be called from any number of goroutines.
package httpapi
