package rpc

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Refusal is the reason why a call was refused, or ended, because of a limit of the server.
type Refusal uint8

// The reasons.
const (
	TooManyStreams     Refusal = iota // the connection has Config.MaxStreams calls
	TooManyUnread                     // more than maxBlockedCalls calls of the connection have a response that waits for the client
	TooManyAbandoned                  // more than maxAbandoned handlers of the connection run for streams that have ended
	HeadersTooLarge                   // the headers exceed Config.MaxHeaderBytes
	MessageTooLarge                   // the message exceeds Config.MaxMessageBytes
	NoMemory                          // Memory.Streams or Memory.Responses is exhausted
	NoMemoryForMessage                // Memory.Messages is exhausted
	SlowMessage                       // the client has not sent the rest of a message or a frame within Config.MessageTimeout
	TooManyPings                      // the client has sent pings faster than Config.PingMinTime; the connection is closed
	RefusalCount                      // the number of reasons
)

// The errors of calls that are refused.
var (
	errTooManyUnread = status.Errorf(codes.ResourceExhausted,
		"pando: more than %d responses of this connection wait until the client reads them", maxBlockedCalls)
	errTooManyAbandoned = status.Errorf(codes.ResourceExhausted,
		"pando: more than %d canceled calls of this connection have not ended yet", maxAbandoned)
)

// count counts a refusal. It may be called with the mutex of a connection held.
func (s *Server) count(r Refusal) {
	if s.cfg.Refused != nil {
		s.cfg.Refused(r)
	}
}

// refuseForLimit ends a call that has just begun because a limit of the connection is reached. Callers must hold mu.
func (c *conn) refuseForLimit(s *stream, r Refusal, err error) {
	c.server.count(r)
	c.refuse(s, httpOK, err)
}
