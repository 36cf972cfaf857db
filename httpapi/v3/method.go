package v3

import (
	"context"

	"pando/httpapi/rpc"
	"pando/stats"
)

// serviceTable is a service of the API: its name with that of its package, and its methods.
type serviceTable struct {
	name    string
	methods []method
}

// method is a line of a serviceTable. Exactly one of serve and stream is set.
type method struct {
	name string
	// serve serves a request. It calls decode once, with a pointer to the request.
	serve func(s *Server, ctx context.Context, decode func(any) error) (any, error)
	// stream serves a stream. It must return when the context of the stream is done.
	stream func(*Server, *Stream) error
	kind   stats.GRPCKind
	// early says that the method is served before the member is ready.
	early bool
	// byLearners says that a learner which waits for its promotion serves the method.
	byLearners bool
}

// unary returns a method with one request and one response. Req is the generated type of the request. Reply is a pointer to the generated
// type of the response, or a Message.
func unary[Req, Reply any](name string, serve func(*Server, context.Context, *Req) (Reply, error)) method {
	return quickUnary(name, func(s *Server, ctx context.Context, request *Req) (Reply, error) {
		rpc.MayWait(ctx)
		return serve(s, ctx, request)
	})
}

// quickUnary is unary for a method that mostly responds without waiting. It must call rpc.MayWait before it waits for anything, or
// computes for long.
func quickUnary[Req, Reply any](name string, serve func(*Server, context.Context, *Req) (Reply, error)) method {
	return method{name: name, kind: stats.Unary, serve: func(s *Server, ctx context.Context, decode func(any) error) (any, error) {
		request := new(Req)
		if err := decode(request); err != nil {
			return nil, err
		}
		reply, err := serve(s, ctx, request)
		if err != nil {
			return nil, err
		}
		return reply, nil
	}}
}

// streaming returns a method with a stream of responses. kind says whether the requests are a stream, too.
func streaming(name string, kind stats.GRPCKind, serve func(*Server, *Stream) error) method {
	return method{name: name, kind: kind, stream: serve}
}

// beforeReady returns the method for a table in which it is served before the member is ready.
func (m method) beforeReady() method {
	m.early = true
	return m
}

// fromLearners returns the method for a table in which learners serve it.
func (m method) fromLearners() method {
	m.byLearners = true
	return m
}

// addTo adds the methods to those of the server, with their calls.
func (t *serviceTable) addTo(s *Server, methods map[string]rpc.Method, counts *stats.GRPC) {
	for i := range t.methods {
		m := &t.methods[i]
		c := &call{server: s, method: m, counts: counts.Method(t.name, m.name, m.kind)}
		path := t.name + "/" + m.name
		s.calls[path] = c
		if m.serve != nil {
			methods["/"+path] = rpc.Method{Unary: c.unary}
		} else {
			methods["/"+path] = rpc.Method{Stream: c.streaming}
		}
	}
}
