// Package httpapi serves HTTP to clients, peers and monitoring. It owns everything between the open sockets of a process and the
// packages that answer: connections, routes, middleware, start and shutdown.
//
// A [Server] serves the listeners as soon as they are open. Before [Server.Open] it has no data, and most requests wait. Open passes
// the handlers of a [Member] or of package proxy to the Server. A Member assembles the packages inside this one:
//
//	listeners ─► Server ─► router ─► v2: decode, call, encode ─► service: the operations on the store
//	                                  └─► stream: watches whose connections have left net/http
//
// The package does not depend on raft or on the disk. Package service declares the interfaces that it needs of them. In comments
// "the reference" is etcd 3.4.23.
//
//   - server.go: Config, Server: Serve, Open, Shutdown, Close
//   - startup.go: what a Server answers before Open
//   - member.go: MemberConfig, Member: the handlers of a member
//   - routes.go: the tables of all routes; route.go: how they are served, and which right each needs
//   - process.go: /version, /health, /livez, /readyz, /metrics; pprof.go: /debug/pprof
//   - cors.go, hosts.go: what web pages may do, and the hosts for which requests are answered
//   - path.go, body.go: middleware for unclean paths, and for clients that send a body slowly
//   - limits.go: limits of requests and watches; admission.go: limits of open connections
//   - unused_conns.go: a shutdown closes connections without a request
//   - stalled_streams.go: streams of HTTP/2 whose client reads nothing are reset
//   - http2.go: connections of HTTP/2, and gRPC on the same port; gateway.go: requests to the JSON gateway of the v3 API
//   - secure_listener.go: TLS listeners; plaintext.go: those that accept connections without TLS, too
//   - limited_log.go: log lines about what clients do
//
// Handlers may be called from any number of goroutines.
package httpapi
