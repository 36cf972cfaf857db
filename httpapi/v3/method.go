package v3

import (
	"context"

	"google.golang.org/grpc"

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
}

// unary returns a method with one request and one response. Req is the generated type of the request. Reply is a pointer to the generated
// type of the response, or a Message.
func unary[Req, Reply any](name string, serve func(*Server, context.Context, *Req) (Reply, error)) method {
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

// desc returns the description of the service for grpc-go. It adds the calls of its methods to those of the server.
func (t *serviceTable) desc(s *Server, counts *stats.GRPC) *grpc.ServiceDesc {
	d := &grpc.ServiceDesc{ServiceName: t.name, HandlerType: (*any)(nil)}
	for i := range t.methods {
		m := &t.methods[i]
		c := &call{server: s, method: m, counts: counts.Method(t.name, m.name, m.kind)}
		s.calls[t.name+"/"+m.name] = c
		if m.serve != nil {
			d.Methods = append(d.Methods, grpc.MethodDesc{MethodName: m.name, Handler: c.unary})
			continue
		}
		d.Streams = append(d.Streams, grpc.StreamDesc{
			StreamName: m.name, Handler: c.streaming, ServerStreams: true, ClientStreams: m.kind == stats.BidirectionalStream,
		})
	}
	return d
}
