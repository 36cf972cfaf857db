// Package stream sends the events of watches to HTTP clients: one event to a long poll, all events to a continuous watch.
//
// A handler writes and flushes the header of the response, and passes the watch to Dispatcher.Serve. The Dispatcher takes the
// connection over from net/http, whose goroutines and buffers would need 26 kB for each waiting client. A connStream needs 7 kB: it
// has one goroutine, which runs readLoop and notices that the client closes the connection. Where a connection can't be taken over,
// because other requests share it (HTTP/2), a responseStream does the same work in the handler's goroutine. Both contain a Stream,
// which collects events and frames them.
//
// # The life of a connStream
//
//	Serve ──► takeOver
//	             │
//	             ▼
//	┌──────► sending ── no more events ──► waiting ── wake ──► queued ──┐
//	│         │  │                                              ▲       │
//	│         │  └── more events, or wake while sending ────────┘       │
//	│         │                                                         │
//	└─────────┼──────────────── a worker takes it ──────────────────────┘
//	          │
//	          ├── the response is complete ──► idle ── next request ──► back to net/http, by KeepAlive
//	          │                                  │
//	          │                                  └──► closed, if the client goes away or the dispatcher is closed
//	          │
//	          └── client gone or stalled, no memory, dispatcher closed ──► closed
//
// A wake while sending changes the state to sendingWoken. A stream becomes idle only if its connection may serve another request.
// Otherwise its connection is closed when the response is complete. The response to a continuous watch is complete after Watch.Timeout,
// or after an error of the history, such as 401. After an error its connection is closed, as in the reference.
//
// # Which goroutine writes
//
// A watcher of the tree calls wake when it has an event. wake puts the stream into the dispatcher's queue. One of a few workers
// takes the stream from the queue and sets its state to sending. The worker then owns the stream: no other goroutine polls the
// watcher or writes. The worker writes what the socket takes without waiting (connStream.send). If the socket does not take
// everything, and for large events (tree.Event.Large), a goroutine of this stream writes the rest (sendSlowly), and then puts the
// stream back into the queue. So no client waits for another one. TLS can't continue a write later. So a worker writes to a TLS connection
// only if the send buffer of its socket is empty, and only a few bytes, for which every empty buffer has room (nonblockingWriter).
// sendSlowly makes all other writes to TLS connections. Over HTTP/2 the handler's goroutine writes.
//
// # Slow clients
//
// A client that reads nothing for the stall timeout (--client-stall-timeout) is cut off, counted in
// pando_stalled_clients_total and logged; a client that reads anything is not. On a connection of Listen the deadline of
// a write is extended while the client reads (conn.Write). Over HTTP/2 each 64 KiB of a response have a deadline
// (responseStream.write). A stream has no queue of events: the watcher of a slow client keeps its position in the history. If the
// history drops the next event, the client gets error 401.
//
// # Memory
//
// The bytes that wait for slow clients are reserved in Config.Budget, which requests and other responses share
// (--max-inflight-bytes, pando_inflight_bytes). A client for which nothing can be reserved is cut off, counted in
// pando_inflight_refused_total and logged. A reservation has at most maxBatch bytes and one small event more. Large events are not
// copied: streams share their JSON in Config.EventCache, which has a bound of its own, or write it in pieces of a reserved buffer.
// A worker has one buffer for all its streams. What a client sends before its response is complete is bounded by maxPipelined.
//
// # Files
//
//   - dispatcher.go: Dispatcher, its queue and its workers; Serve and Close
//   - stream.go: Stream, Watch and the errors that end a watch; large_event.go: events in pieces
//   - layout.go: the text around events, for server-sent events; framing.go: the coding of a body; timers.go: heartbeats and ends
//   - await.go: waiting for one event before the header of the response is sent
//   - conn_stream.go: states and writes on a connection that was taken over; takeover.go: from net/http and back to it;
//     keep_alive.go: the listener through which a connection goes back
//   - response.go: responseStream, which writes in the handler's goroutine
//   - conn.go, limited_conn.go, write_deadline.go: the connections of Listen and LimitStalls, and their deadlines;
//     nonblocking.go, unsent_linux.go: writes that do not wait; detect_close.go: requests that notice the end of their connection
//   - buffers.go: the pool of buffers
package stream
