package client

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Watcher holds watches over one stream. When the stream is lost, it opens another one and continues each watch at the revision after its
// last event. Add and Progress may be called from any goroutine; Next from one at a time.
type Watcher struct {
	client *Client
	ctx    context.Context

	ready chan struct{} // closed when the first stream is open

	mu      sync.Mutex // guards all below, and sending
	count   int        // of the watches that were added
	stream  pb.Watch_WatchClient
	pending []*watch         // that the server has not confirmed, in the order in which they were sent
	active  map[int64]*watch // by the ID of the server
}

// watch is one watch of a Watcher.
type watch struct {
	number  int
	request *pb.WatchCreateRequest // StartRevision is that of the next event, as soon as it is known
}

// WatchResponse is a response to one watch of a Watcher.
type WatchResponse struct {
	*pb.WatchResponse
	Watch int // the number that Add returned; -1 for progress of all watches
}

// streamPause is the mean pause before a lost stream is opened again.
const streamPause = 100 * time.Millisecond

// NewWatcher returns a Watcher without watches. It ends with ctx.
func (c *Client) NewWatcher(ctx context.Context) *Watcher {
	return &Watcher{client: c, ctx: RequireLeader(ctx), ready: make(chan struct{}), active: map[int64]*watch{}}
}

// Add adds a watch and returns its number: 0 for the first, and so on. Its responses come from Next. The Watcher owns the request from then
// on. An error means that the stream can't be opened.
func (w *Watcher) Add(request *pb.WatchCreateRequest) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	added := &watch{w.count, request}
	w.count++
	w.pending = append(w.pending, added)
	if w.stream != nil {
		w.send(added) // Next notices a lost stream, and sends all watches again
		return added.number, nil
	}
	if err := w.open(); err != nil {
		return 0, err
	}
	close(w.ready)
	return added.number, nil
}

// Progress asks the server for a response that says up to which revision the watches have all events.
func (w *Watcher) Progress() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stream != nil {
		_ = w.stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}})
	}
}

// Next waits for a response with events, with progress, or with the end of a watch (Canceled). Confirmations of new watches are left out.
// An error ends the Watcher.
func (w *Watcher) Next() (*WatchResponse, error) {
	select {
	case <-w.ready:
	case <-w.ctx.Done():
		return nil, w.ctx.Err()
	}
	for {
		w.mu.Lock()
		stream := w.stream
		w.mu.Unlock()
		response, err := stream.Recv()
		if err != nil {
			if err = w.reopen(err); err != nil {
				return nil, err
			}
			continue
		}
		if number, wanted := w.note(response); wanted {
			return &WatchResponse{response, number}, nil
		}
	}
}

// note records what a response says about its watch. It returns the number of the watch, and whether the response is for the caller.
func (w *Watcher) note(response *pb.WatchResponse) (number int, wanted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if response.Created {
		return w.confirm(response)
	}
	found := w.active[response.WatchId]
	if found == nil {
		return -1, true
	}
	if response.Canceled {
		delete(w.active, response.WatchId)
	}
	if n := len(response.Events); n > 0 {
		found.request.StartRevision = response.Events[n-1].Kv.ModRevision + 1
	}
	return found.number, true
}

// confirm records that the server has created the first pending watch, or has refused it. Callers must hold mu.
func (w *Watcher) confirm(response *pb.WatchResponse) (number int, wanted bool) {
	if len(w.pending) == 0 {
		return -1, false
	}
	created := w.pending[0]
	w.pending = w.pending[1:]
	if response.Canceled {
		return created.number, true
	}
	w.active[response.WatchId] = created
	if created.request.StartRevision == 0 {
		created.request.StartRevision = response.Header.GetRevision() + 1
	}
	return created.number, false
}

// reopen opens the stream again after err, unless err is final. It tries until the context of the Watcher is done.
func (w *Watcher) reopen(err error) error {
	for {
		if failure := w.final(err); failure != nil {
			return failure
		}
		if !pause(w.ctx, streamPause) {
			return w.ctx.Err()
		}
		w.mu.Lock()
		for _, lost := range w.active {
			w.pending = append(w.pending, lost)
		}
		clear(w.active)
		err = w.open()
		w.mu.Unlock()
		if err == nil {
			return nil
		}
	}
}

// final returns the error for the caller if another stream can't help, and nil otherwise.
func (w *Watcher) final(err error) error {
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	code := status.Code(err)
	if err == io.EOF || code == codes.Unavailable || code == codes.Internal || w.client.token.expired(Error(w.ctx, err)) {
		return nil
	}
	var login interface{ Code() codes.Code } // an error of the token
	if errors.As(err, &login) && login.Code() == codes.Unavailable {
		return nil
	}
	return err
}

// open opens the stream and sends all pending watches. Callers must hold mu.
func (w *Watcher) open() error {
	stream, err := w.client.Watch.Watch(w.ctx)
	if err != nil {
		return err
	}
	w.stream = stream
	for _, p := range w.pending {
		w.send(p)
	}
	return nil
}

// send sends the request of a watch. Callers must hold mu.
func (w *Watcher) send(one *watch) {
	_ = w.stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: one.request}})
}
