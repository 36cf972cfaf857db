package v3

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// Stream is a stream of a method. One goroutine at a time may call RecvMsg, and one SendMsg.
type Stream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context returns the context of the stream. It is done when the client is gone or has canceled the stream, when the server stops, and when
// the member has lost its leader and the client wants to have one. context.Cause then returns the error with which the stream ends.
func (s *Stream) Context() context.Context { return s.ctx }

// DeferWrites lets SendMsg append messages without writing them to the connection. FlushWrites ends that. Many messages are written
// before it.
func (s *Stream) DeferWrites() {
	if b, ok := s.ServerStream.(batchStream); ok {
		b.DeferWrites()
	}
}

// FlushWrites writes the messages since DeferWrites. SendMsg writes again afterwards.
func (s *Stream) FlushWrites() {
	if b, ok := s.ServerStream.(batchStream); ok {
		b.FlushWrites()
	}
}

// sendsMessages reports whether sendMessages may be called: a stream of the JSON gateway can't send messages in their wire form.
func (s *Stream) sendsMessages() bool {
	_, ok := s.ServerStream.(batchStream)
	return ok
}

// sendMessages sends several messages in their wire form, each with its head, in place of calls of SendMsg.
func (s *Stream) sendMessages(b []byte) error { return s.ServerStream.(batchStream).SendMessages(b) }

// batchStream is a stream of package rpc. It can send several messages with one frame, and several frames with one system call.
type batchStream interface {
	DeferWrites()
	FlushWrites()
	SendMessages(b []byte) error
}

// receive starts the goroutine that receives the requests of a stream, for a method that must also end when Context is done: RecvMsg waits
// until the client sends a request or is gone. The goroutine ends with the stream. ended gets one value: the error of RecvMsg, or nil if
// the client sends no more requests.
func receive[Request any](stream *Stream) (requests <-chan *Request, ended chan error) {
	to := make(chan *Request)
	ended = make(chan error, 1)
	go func() {
		for {
			r := new(Request)
			if err := stream.RecvMsg(r); err != nil {
				if errors.Is(err, io.EOF) {
					err = nil
				}
				ended <- err
				return
			}
			select {
			case to <- r:
			case <-stream.Context().Done():
				return
			}
		}
	}()
	return to, ended
}

// streaming is the handler of a rpc.Method.
func (c *call) streaming(under grpc.ServerStream) error {
	start := time.Now()
	c.counts.Started()
	ctx, cancel := context.WithCancelCause(under.Context())
	defer cancel(nil)
	defer context.AfterFunc(c.server.stopping, func() { cancel(rpctypes.ErrGRPCStopped) })()
	if wantsLeader(ctx) {
		defer c.server.leader.add(cancel)()
	}
	err := c.serveStream(&Stream{under, ctx})
	if ctx.Err() != nil && under.Context().Err() == nil {
		err = context.Cause(ctx) // whatever the method has returned
	}
	if err != nil {
		err = toStatus(ctx, err)
	}
	c.counts.Handled(status.Code(err), time.Since(start))
	return err
}

// serveStream serves one stream. Its errors are any.
func (c *call) serveStream(stream *Stream) (err error) {
	defer c.recover(&err)
	if err := c.admit(stream.ctx); err != nil {
		return err
	}
	return c.method.stream(c.server, stream)
}

// leaderWatch ends the streams of clients that want a leader when the member has none for some time. The zero value is ready to use. add
// may be called from any goroutine.
type leaderWatch struct {
	mu   sync.Mutex
	last uint64 // the key of the newest stream
	ends map[uint64]context.CancelCauseFunc
}

// leaderlessIntervals is the number of election timeouts without a leader after which streams end, as in the reference.
const leaderlessIntervals = 3

// add adds a stream that end ends. The caller must call remove when the stream has ended.
func (w *leaderWatch) add(end context.CancelCauseFunc) (remove func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ends == nil {
		w.ends = map[uint64]context.CancelCauseFunc{}
	}
	w.last++
	key := w.last
	w.ends[key] = end
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.ends, key)
	}
}

// run watches the leader until the server stops.
func (w *leaderWatch) run(s *Server) {
	ticker := time.NewTicker(s.cfg.ElectionTimeout)
	defer ticker.Stop()
	for leaderless := 0; ; {
		select {
		case <-ticker.C:
		case <-s.stopping.Done():
			return
		}
		if leaderless++; s.cfg.Service.HasLeader() {
			leaderless = 0
		}
		if leaderless >= leaderlessIntervals {
			w.endAll()
		}
	}
}

// endAll ends all streams.
func (w *leaderWatch) endAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, end := range w.ends {
		end(rpctypes.ErrGRPCNoLeader)
	}
}
