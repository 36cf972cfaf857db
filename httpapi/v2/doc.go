// Package v2 is the etcd v2 HTTP API. The bytes, statuses and headers of its responses are those that v2 clients expect. In comments
// "the reference" is etcd 3.4.23.
//
// Each handler decodes the request, calls package service, and encodes the result. It returns the operation and the error with
// which it responded; the caller counts both. A handler may be called from any number of goroutines. Package httpapi has the routes,
// the allowed methods and the middleware.
//
//   - api.go: Config and API
//   - keys.go: reads and changes of /v2/keys; watch.go: its watches; watch_options.go, watch_filter.go,
//     watch_count.go: the parameters of watches that etcd ignores
//   - decode.go, form.go: from the method, the path and the parameters of a request to a command
//   - accept.go: what Accept headers ask for
//   - extended.go: reads and changes with what etcd ignores; raw.go: values alone; page.go: pages and other forms of lists;
//     conditional.go: entity tags, If-Match and If-None-Match
//   - txn.go: /v2/txn; txn_decode.go: from its body to a transaction; json_reader.go: reading JSON strictly
//   - body.go: reading bodies, within limits of size, time and memory
//   - authorize.go: requests that need the role root
//   - members.go: /v2/members, /v2/machines, and /members on the peer URLs
//   - auth.go: /v2/auth and its switch; auth_users.go, auth_roles.go, auth_self.go: users and roles; auth_bodies.go: decoding their bodies
//   - stats.go: /v2/stats
//   - snapshot.go: /v2/snapshot
//   - mirror.go: /v2/mirror; forward.go: requests that are forwarded to the etcd that the cluster follows
//   - encode.go: writing responses; buffers.go: the pool of buffers for bodies and responses
//   - errors.go: from errors to statuses, bodies and the outcomes of the metrics
package v2
